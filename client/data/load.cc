#include <algorithm>

#include "client/data/csv.h"
#include "client/data/dataset.h"
#include "client/data/idx.h"
#include "common/base/text.h"
#include "common/model/architecture.h"

namespace tutti::data {
namespace {

constexpr std::uint64_t kMaxWidth = std::uint64_t{1} << 28;
constexpr std::uint32_t kByteClasses = 256;

StatusOr<std::size_t> WidthOf(const v1::ModelSpec& model) {
  std::uint64_t width = model.input_shape().empty() ? 0 : 1;
  for (const std::uint32_t size : model.input_shape()) {
    if (size == 0 || width > kMaxWidth / size) {
      return InvalidArgument("model.input_shape is zero somewhere or larger than 2^28 values");
    }
    width *= size;
  }
  if (width == 0) return InvalidArgument("model.input_shape is empty");
  return width;
}

// Whether the job predicts what the label is. One that finds clusters predicts nothing, and takes
// data with any label or none.
Status CheckTarget(const v1::DataConfig& config, const v1::ModelSpec& model) {
  const bool number = config.target() == "number";
  if (model::HasCentres(model)) return OkStatus();
  if (number && config.format() != "csv") {
    return InvalidArgument("data.target is \"number\", which only tables (csv) have");
  }
  if (number && model.classes() != 1) {
    return InvalidArgument(Join("data.target is \"number\", the job's model has ", model.classes(),
                                " classes; the job is not one that predicts a number "
                                "(model.classes = 1)"));
  }
  if (!number && model.classes() < 2) {
    return InvalidArgument(
        "model.classes must be at least 2 where data.target is \"class\"; a job that predicts a "
        "number needs data.target = \"number\"");
  }
  return OkStatus();
}

// What preparation left out is said in the log: silence would look like a smaller file.
void AddLeftOut(Dataset& data) {
  const TableFacts::LeftOut& left = data.table.left_out;
  if (left.all() == 0) return;
  data.warnings.push_back(
      Join(left.all(), " of ", data.table.rows, " rows of the file are left out: ", left.missing,
           " for missing cells, ", left.unknown, " for unknown categories, ", left.outliers,
           " for outliers, ", left.duplicates, " equal to another"));
}

void AddWarnings(const v1::DataConfig& config, Dataset& data, const v1::ModelSpec& model) {
  AddLeftOut(data);
  if (data.examples == 0) {
    data.warnings.push_back("this client's slice of the data has no examples");
    return;
  }
  if (config.validation_fraction() > 0 && (data.validation == 0 || data.training() == 0)) {
    data.warnings.push_back(Join("validation_fraction = ", config.validation_fraction(), " leaves ",
                                 data.training(), " of ", data.examples,
                                 " examples for training and ", data.validation,
                                 " for validation; equal examples stay together"));
  }
  if (config.target() == "number" || model::HasCentres(model)) return;
  const std::vector<std::uint64_t> counts = data.ClassCounts(model.classes());
  const auto present =
      std::count_if(counts.begin(), counts.end(), [](std::uint64_t n) { return n > 0; });
  if (present == 1) {
    data.warnings.push_back(Join("all ", data.training(), " examples have the one label ",
                                 data.labels[0], "; is the file complete?"));
  }
}

}  // namespace

std::vector<std::uint64_t> Dataset::ClassCounts(std::uint32_t classes) const {
  std::vector<std::uint64_t> counts(classes);
  for (std::size_t i = 0; i < std::min(training(), labels.size()); ++i) {
    if (labels[i] < classes) ++counts[labels[i]];
  }
  return counts;
}

v1::DataConfig WithDefaults(v1::DataConfig config) {
  if (config.scale() == 0) config.set_scale(1.0 / 255.0);
  if (config.stddev() == 0) config.set_stddev(1);
  if (config.max_bytes() == 0) config.set_max_bytes(std::uint64_t{2} << 30);
  if (config.csv().delimiter().empty()) config.mutable_csv()->set_delimiter(",");
  return config;
}

StatusOr<Dataset> Load(const v1::DataConfig& given, const v1::ModelSpec& model) {
  const v1::DataConfig config = WithDefaults(given);
  TUTTI_ASSIGN(const std::size_t width, WidthOf(model));
  TUTTI_TRY(CheckTarget(config, model));
  if (config.format() != "idx" && config.format() != "csv") {
    return InvalidArgument(
        Join("data.format is \"", Escaped(config.format()), "\", expected idx or csv"));
  }
  const bool clusters = model::HasCentres(model);
  const bool images = config.format() == "idx";
  const std::uint32_t classes = !clusters ? model.classes() : images ? kByteClasses : kNoLabels;
  TUTTI_ASSIGN(Dataset data,
               images ? LoadIdx(config, width, classes) : LoadCsv(config, width, classes));
  if (clusters) std::fill(data.labels.begin(), data.labels.end(), 0U);
  AddWarnings(config, data, model);
  return data;
}

}  // namespace tutti::data
