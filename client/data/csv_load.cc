#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "client/data/csv.h"
#include "client/data/slice.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

// Where the model's inputs stand in a record.
struct Columns {
  std::vector<std::string> names;  // of the whole header
  std::size_t label = 0;
  std::vector<std::size_t> features;
};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

StatusOr<std::size_t> FindColumn(const CsvReader& reader, const std::vector<std::string>& names,
                                 const std::string& wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const std::string nearest = NearestName(wanted, names);
  return InvalidArgument(
      Join(reader.source().path(), ":1: there is no column \"", Escaped(wanted), "\"",
           nearest.empty() ? "" : Join("; did you mean \"", Escaped(nearest), "\"?")));
}

StatusOr<Columns> ReadColumns(CsvReader& reader, const v1::DataConfig& config, std::size_t width) {
  const v1::CsvSchema& schema = config.csv();
  Columns columns;
  TUTTI_ASSIGN(const bool any, reader.Next(columns.names));
  if (!any) return InvalidArgument(Join("data file ", config.file(), " is empty"));
  for (std::string& name : columns.names) name = std::string(Trimmed(name));
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < columns.names.size(); ++i) {
    if (const auto [at, fresh] = seen.emplace(columns.names[i], i); !fresh) {
      return InvalidArgument(Join(config.file(), ":1: columns ", at->second + 1, " and ", i + 1,
                                  " are both called \"", Escaped(columns.names[i]), "\""));
    }
  }
  TUTTI_ASSIGN(columns.label, FindColumn(reader, columns.names, schema.label()));
  for (const std::string& name : schema.features()) {
    TUTTI_ASSIGN(const std::size_t at, FindColumn(reader, columns.names, name));
    if (at == columns.label) {
      return InvalidArgument(
          Join("data.csv.features contains the label column \"", Escaped(name), "\""));
    }
    columns.features.push_back(at);
  }
  if (schema.features().empty()) {
    for (std::size_t i = 0; i < columns.names.size(); ++i) {
      if (i != columns.label) columns.features.push_back(i);
    }
  }
  if (columns.features.size() != width) {
    return InvalidArgument(Join(config.file(), ":1: ", columns.features.size(),
                                " feature columns, the job's model takes ", width,
                                "; list the right ones in data.csv.features"));
  }
  return columns;
}

StatusOr<double> Number(const CsvReader& reader, std::string_view cell, const std::string& column) {
  std::string_view text = Trimmed(cell);
  const auto wrong = [&](std::string_view what) {
    return InvalidArgument(Join(reader.source().path(), ":", reader.line(), ": column \"",
                                Escaped(column), "\" ", what));
  };
  if (text.empty()) return wrong("is blank, expected a number");
  if (text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    return wrong(Join("has ", Escaped(text, 40), ", out of range"));
  if (error != std::errc() || end != text.data() + text.size()) {
    return wrong(Join("has \"", Escaped(text, 40), "\", expected a number"));
  }
  if (!std::isfinite(value))
    return wrong(Join("has ", Escaped(text, 40), ", expected a finite number"));
  return value;
}

// One pass over the table. Every cell of every record is checked; features are kept for the records
// in `keep` (ascending; null: all of them), labels for every record.
class Pass {
 public:
  Pass(const v1::DataConfig& config, std::size_t width, std::uint32_t classes)
      : config_(config), width_(width), classes_(classes) {}

  Status Run(const std::vector<std::size_t>* keep);
  std::vector<std::uint32_t> labels;
  std::vector<float> features;

 private:
  Status AddRecord(const CsvReader& reader, const Columns& columns,
                   const std::vector<std::string>& fields, bool keep);
  StatusOr<float> Feature(const CsvReader& reader, const Columns& columns,
                          const std::vector<std::string>& fields, std::size_t feature) const;

  const v1::DataConfig& config_;
  std::size_t width_;
  std::uint32_t classes_;
};

StatusOr<float> Pass::Feature(const CsvReader& reader, const Columns& columns,
                              const std::vector<std::string>& fields, std::size_t feature) const {
  const std::size_t column = columns.features[feature];
  TUTTI_ASSIGN(double value, Number(reader, fields[column], columns.names[column]));
  const int at = static_cast<int>(feature);
  if (!config_.csv().means().empty()) value -= config_.csv().means(at);
  if (!config_.csv().stddevs().empty()) value /= config_.csv().stddevs(at);
  const auto narrow = static_cast<float>((value - config_.mean()) / config_.stddev());
  if (!std::isfinite(narrow)) {
    return InvalidArgument(Join(reader.source().path(), ":", reader.line(), ": column \"",
                                Escaped(columns.names[column]), "\" does not fit a 32-bit number"));
  }
  return narrow;
}

Status Pass::AddRecord(const CsvReader& reader, const Columns& columns,
                       const std::vector<std::string>& fields, bool keep) {
  if (fields.size() != columns.names.size()) {
    return InvalidArgument(Join(config_.file(), ":", reader.line(), ": ", fields.size(),
                                " cells, the header has ", columns.names.size()));
  }
  TUTTI_ASSIGN(const double label,
               Number(reader, fields[columns.label], columns.names[columns.label]));
  if (!(label >= 0 && label < classes_) || label != std::floor(label)) {
    return InvalidArgument(Join(config_.file(), ":", reader.line(), ": label ",
                                Escaped(fields[columns.label], 40), ", the model has classes 0 .. ",
                                classes_ - 1));
  }
  labels.push_back(static_cast<std::uint32_t>(label));
  if (keep && features.size() + width_ > config_.max_bytes() / sizeof(float)) {
    return ResourceExhausted(Join("data file ", config_.file(),
                                  ": the examples need more memory than "
                                  "data.max_bytes = ",
                                  config_.max_bytes()));
  }
  for (std::size_t i = 0; i < width_; ++i) {
    TUTTI_ASSIGN(const float value, Feature(reader, columns, fields, i));
    if (keep) features.push_back(value);
  }
  return OkStatus();
}

Status Pass::Run(const std::vector<std::size_t>* keep) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config_.file()));
  CsvReader reader(std::move(source), config_.csv().delimiter()[0], config_.max_bytes());
  TUTTI_ASSIGN(const Columns columns, ReadColumns(reader, config_, width_));
  std::vector<std::string> fields;
  std::size_t next = 0;
  while (true) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) break;
    const bool wanted = keep == nullptr || (next < keep->size() && (*keep)[next] == labels.size());
    if (keep != nullptr && wanted) ++next;
    TUTTI_TRY(AddRecord(reader, columns, fields, wanted));
  }
  if (labels.empty()) {
    return InvalidArgument(Join("data file ", config_.file(), " has a header but no examples"));
  }
  return reader.source().CheckUnchanged();
}

Status CheckSchema(const v1::DataConfig& config, std::size_t width) {
  const v1::CsvSchema& schema = config.csv();
  if (config.file().empty()) return InvalidArgument("data.format is csv: data.file must be set");
  if (schema.label().empty())
    return InvalidArgument("data.csv.label must name the column with the class");
  if (schema.delimiter().size() != 1 || schema.delimiter() == "\"" || schema.delimiter() == "\n") {
    return InvalidArgument(Join("data.csv.delimiter is \"", Escaped(schema.delimiter()),
                                "\", expected one character"));
  }
  for (const auto& [what, size] :
       {std::pair{"means", schema.means_size()}, std::pair{"stddevs", schema.stddevs_size()}}) {
    if (size != 0 && static_cast<std::size_t>(size) != width) {
      return InvalidArgument(Join("data.csv.", what, " has ", size,
                                  " numbers, the job's model takes ", width, " features"));
    }
  }
  for (const double stddev : schema.stddevs()) {
    if (!(stddev > 0)) return InvalidArgument("data.csv.stddevs must all be above 0");
  }
  return OkStatus();
}

}  // namespace

StatusOr<Dataset> LoadCsv(const v1::DataConfig& config, std::size_t width, std::uint32_t classes) {
  TUTTI_TRY(CheckSchema(config, width));
  Pass whole(config, width, classes);
  const bool all = config.slice().kind().empty() || config.slice().kind() == "all";
  // A slice needs all labels before it knows its rows: the table is read twice instead of held in
  // memory.
  const std::vector<std::size_t> none;
  TUTTI_TRY(whole.Run(all ? nullptr : &none));
  if (all) {
    const std::size_t examples = whole.labels.size();
    return Dataset{.features = std::move(whole.features),
                   .labels = std::move(whole.labels),
                   .examples = examples,
                   .width = width,
                   .warnings = {}};
  }
  TUTTI_ASSIGN(const std::vector<std::size_t> mine,
               SliceIndices(config.slice(), whole.labels, classes));
  Pass part(config, width, classes);
  TUTTI_TRY(part.Run(&mine));
  if (part.labels != whole.labels) {
    return FailedPrecondition(
        Join("data file ", config.file(), " changed while it was read; try again"));
  }
  Dataset data{.features = std::move(part.features),
               .labels = {},
               .examples = mine.size(),
               .width = width,
               .warnings = {}};
  for (const std::size_t i : mine) data.labels.push_back(whole.labels[i]);
  return data;
}

}  // namespace tutti::data
