#include "client/data/inspect.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/data/cells.h"
#include "client/data/csv.h"
#include "client/data/decode.h"
#include "client/data/findings.h"
#include "client/data/idx.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::uint32_t kAnyClasses = 1U << 20;
constexpr std::uint32_t kByteClasses = 256;

class TableInspector {
 public:
  explicit TableInspector(const v1::DataConfig& config) : config_(config) {}

  StatusOr<Inspection> Run() {
    inspection_.format = "csv";
    inspection_.file = config_.file();
    TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config_.file()));
    CsvReader reader(std::move(source), config_.csv().delimiter()[0], config_.max_bytes());
    std::vector<std::string> header;
    TUTTI_ASSIGN(const bool any, reader.Next(header));
    if (!any) return InvalidArgument(Join("data file ", config_.file(), " is empty"));
    StatusOr<TablePlan> plan = PlanTable(config_, header);
    if (!plan.ok()) Stop(std::string(MessageOf(plan.status())));
    AddColumns(header, plan.ok() ? &*plan : nullptr);
    TUTTI_TRY(ReadRecords(reader));
    const Status loaded = plan.ok() ? LoadAs(*plan) : OkStatus();
    inspection_.local_statistics = LocalStatistics(config_);
    for (Finding& finding : FindingsOf(config_, inspection_)) {
      inspection_.findings.push_back(std::move(finding));
    }
    // The reader stops at the first bad cell; the findings say it for all of them, if they know it.
    const bool known = std::any_of(inspection_.findings.begin(), inspection_.findings.end(),
                                   [](const Finding& finding) { return finding.stops; });
    if (!loaded.ok() && !known) Stop(std::string(MessageOf(loaded)));
    return std::move(inspection_);
  }

 private:
  void Stop(std::string text) {
    inspection_.findings.push_back({.stops = true, .text = std::move(text), .advice = {}});
  }

  void AddColumns(const std::vector<std::string>& header, const TablePlan* plan) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      InspectedColumn column;
      column.name = std::string(Trimmed(header[i]));
      column.declared.name = column.name;
      column.declared.at = i;
      if (plan != nullptr) Use(*plan, i, column);
      if (plan == nullptr && column.name == config_.csv().label()) column.use = "label";
      if (column.use.empty()) column.use = plan == nullptr ? "unknown" : "not used";
      inspection_.columns.push_back(std::move(column));
    }
  }

  void Use(const TablePlan& plan, std::size_t at, InspectedColumn& column) {
    std::vector<std::string> uses;
    const auto take = [&](const Column& declared, const char* use) {
      if (declared.at != at) return;
      uses.push_back(use);
      column.declared = declared;
    };
    if (plan.slice) take(*plan.slice, "slice");
    for (const Column& one : plan.sensitive) take(one, "group");
    for (const Column& one : plan.features) take(one, "feature");
    take(plan.label, "label");
    std::reverse(uses.begin(), uses.end());
    column.use = JoinWith(uses, " and ");
    if (!uses.empty()) used_places_.push_back(at);
  }

  Status ReadRecords(CsvReader& reader) {
    std::vector<std::string> fields;
    std::set<Digest> seen;
    std::uint64_t uneven = 0, first_uneven = 0, cells = 0;
    while (true) {
      TUTTI_ASSIGN(const bool more, reader.Next(fields));
      if (!more) break;
      ++inspection_.rows;
      if (fields.size() != inspection_.columns.size()) {
        if (uneven++ == 0) first_uneven = reader.line();
        continue;
      }
      cells += fields.size();
      if (cells > config_.max_bytes() / sizeof(double)) {
        return ResourceExhausted(
            Join("data file ", config_.file(),
                 ": a report needs more memory than data.max_bytes = ", config_.max_bytes()));
      }
      for (std::size_t i = 0; i < fields.size(); ++i) {
        inspection_.columns[i].found.Add(Trimmed(fields[i]), reader.line());
      }
      if (!seen.insert(RowDigest("equal", fields, used_places_)).second && !used_places_.empty()) {
        ++inspection_.equal_rows;
      }
    }
    if (uneven > 0) {
      Stop(Join(uneven, " of ", inspection_.rows, " rows do not have the header's ",
                inspection_.columns.size(), " cells, the first at line ", first_uneven));
    }
    return reader.source().CheckUnchanged();
  }

  // What training would see, with as many classes as the labels need.
  Status LoadAs(const TablePlan& plan) {
    inspection_.label_kind = plan.label_kind;
    inspection_.input_shape = {plan.Width()};
    std::uint32_t classes = kAnyClasses;
    if (plan.label_kind == LabelKind::kNumber) classes = 1;
    if (plan.label_kind == LabelKind::kNone) classes = kNoLabels;
    if (plan.label_kind == LabelKind::kWord) {
      inspection_.class_names = {config_.csv().classes().begin(), config_.csv().classes().end()};
      classes = static_cast<std::uint32_t>(inspection_.class_names.size());
    }
    TUTTI_ASSIGN(Dataset data, LoadCsv(config_, 0, classes));
    if (plan.label_kind == LabelKind::kIndex) {
      const auto labels = inspection_.columns[plan.label.at].found.Summary();
      const auto most = labels ? static_cast<std::uint64_t>(std::max(labels->largest, 1.0)) : 1;
      for (std::uint64_t i = 0; i <= std::min<std::uint64_t>(most, kAnyClasses); ++i) {
        inspection_.class_names.push_back(std::to_string(i));
      }
    }
    inspection_.data = std::move(data);
    return OkStatus();
  }

  const v1::DataConfig& config_;
  Inspection inspection_;
  std::vector<std::size_t> used_places_;
};

StatusOr<Inspection> InspectImages(const v1::DataConfig& config) {
  Inspection inspection;
  inspection.format = "idx";
  inspection.file = config.images();
  TUTTI_ASSIGN(inspection.input_shape, IdxShape(config));
  inspection.rows = inspection.input_shape.front();
  inspection.input_shape.erase(inspection.input_shape.begin());
  std::size_t width = 1;
  for (const std::uint64_t size : inspection.input_shape) width *= size;
  StatusOr<Dataset> data = LoadIdx(config, width, kByteClasses);
  if (!data.ok()) {
    inspection.findings.push_back(
        {.stops = true, .text = std::string(MessageOf(data.status())), .advice = {}});
    return inspection;
  }
  const auto most = data->labels.empty()
                        ? std::uint32_t{1}
                        : *std::max_element(data->labels.begin(), data->labels.end());
  for (std::uint32_t i = 0; i <= std::max(most, 1U); ++i) {
    inspection.class_names.push_back(std::to_string(i));
  }
  inspection.data = *std::move(data);
  for (Finding& finding : FindingsOf(config, inspection)) {
    inspection.findings.push_back(std::move(finding));
  }
  return inspection;
}

}  // namespace

StatusOr<Inspection> Inspect(const v1::DataConfig& given) {
  const v1::DataConfig config = WithDefaults(given);
  StatusOr<Inspection> inspection =
      config.format() == "idx" ? InspectImages(config) : TableInspector(config).Run();
  if (inspection.ok()) {
    std::stable_partition(inspection->findings.begin(), inspection->findings.end(),
                          [](const Finding& finding) { return finding.stops; });
  }
  return inspection;
}

}  // namespace tutti::data
