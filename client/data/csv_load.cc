#include <algorithm>
#include <unordered_set>

#include "client/data/csv.h"
#include "client/data/decode.h"
#include "client/data/encode.h"
#include "client/data/groups.h"
#include "client/data/slice.h"
#include "client/data/split.h"
#include "client/data/suggest.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

// Rows of one side of the validation split. Features are made at once where nothing has to be
// computed from the rows first, else their cells wait.
struct Side {
  std::vector<float> features;
  CellTable cells;
  std::vector<std::uint64_t> lines;  // of the rows whose cells wait
  std::vector<std::uint32_t> labels;
  std::vector<float> targets;
  std::vector<std::vector<std::uint32_t>> groups;  // of each sensitive column
};

struct DigestHash {
  std::size_t operator()(const Digest& digest) const {
    return static_cast<std::size_t>(ByteReader(digest).U64());
  }
};

// One pass over the table. Every cell of every record is checked; rows are kept when their number
// among the used ones is in `keep` (ascending; null: all of them).
class Pass {
 public:
  Pass(const v1::DataConfig& config, std::size_t width, std::uint32_t classes)
      : config_(config), width_(width), classes_(classes) {}

  Status Run(const std::vector<std::size_t>* keep);
  // The rows kept as a data set; the pass is empty afterwards.
  StatusOr<Dataset> Finish();

  std::vector<std::uint32_t> labels;  // of all used rows
  Interner slices;                    // cells of the slice's column
  std::vector<std::uint32_t> slice_codes;

 private:
  Status Start(CsvReader& reader);
  Status AddRecord(const CsvReader& reader, std::span<const std::string> fields,
                   const std::vector<std::size_t>* keep);
  Status Keep(const CsvReader& reader, std::span<const std::string> fields);
  Status CountBytes();
  Status MakeFeatures(const Encoder& encoder, Side& side);
  Status At(std::uint64_t line, const Status& status) const {
    return InvalidArgument(Join(config_.file(), ":", line, ": ", MessageOf(status)));
  }

  const v1::DataConfig& config_;
  const std::size_t width_;
  const std::uint32_t classes_;
  TablePlan plan_;
  std::optional<Encoder> encoder_;  // of plans that need no examples
  std::vector<std::size_t> all_places_, used_places_;
  std::unordered_set<Digest, DigestHash> seen_;
  std::vector<Interner> groups_;
  Row row_;
  std::size_t next_ = 0;  // in `keep`
  std::uint64_t bytes_ = 0;
  std::uint64_t rows_ = 0;
  std::array<std::uint64_t, kDroppedReasons> dropped_{};
  Side training_, validation_;
};

Status Pass::Start(CsvReader& reader) {
  std::vector<std::string> header;
  TUTTI_ASSIGN(const bool any, reader.Next(header));
  if (!any) return InvalidArgument(Join("data file ", config_.file(), " is empty"));
  TUTTI_ASSIGN(plan_, PlanTable(config_, std::move(header)));
  if (width_ != 0) TUTTI_TRY(CheckWidth(plan_, config_.file(), width_));
  if (!Encoder::NeedsExamples(plan_)) encoder_ = Encoder::Create(plan_, {});
  for (std::size_t i = 0; i < plan_.header.size(); ++i) all_places_.push_back(i);
  const bool labelled = plan_.label_kind != LabelKind::kNone && classes_ != kNoLabels;
  if (plan_.label_kind == LabelKind::kNone && classes_ != kNoLabels) {
    return InvalidArgument(
        "data.csv.label is empty, and the job predicts something; name the column with the class "
        "or number");
  }
  if (labelled) used_places_.push_back(plan_.label.at);
  for (const Column& column : plan_.features) used_places_.push_back(column.at);
  for (const Column& column : plan_.sensitive) {
    used_places_.push_back(column.at);
    groups_.emplace_back(column.categories);
  }
  if (plan_.slice) used_places_.push_back(plan_.slice->at);
  for (Side* side : {&training_, &validation_}) {
    side->cells.width = plan_.features.size();
    side->groups.resize(plan_.sensitive.size());
  }
  return OkStatus();
}

Status Pass::CountBytes() {
  bytes_ += plan_.Width() * sizeof(float);
  if (!encoder_) bytes_ += plan_.features.size() * sizeof(double);
  if (bytes_ <= config_.max_bytes()) return OkStatus();
  return ResourceExhausted(
      Join("data file ", config_.file(),
           ": the examples need more memory than data.max_bytes = ", config_.max_bytes()));
}

Status Pass::Keep(const CsvReader& reader, std::span<const std::string> fields) {
  TUTTI_TRY(CountBytes());
  const bool validates =
      config_.validation_fraction() > 0 &&
      IsForValidation(RowDigest(ValidationPurpose(config_.identity()), fields, all_places_),
                      config_.validation_fraction());
  Side& side = validates ? validation_ : training_;
  if (encoder_) {
    if (const Status fits = encoder_->Append(row_.cells, side.features); !fits.ok()) {
      return At(reader.line(), fits);
    }
  } else {
    side.cells.cells.insert(side.cells.cells.end(), row_.cells.begin(), row_.cells.end());
    side.lines.push_back(reader.line());
  }
  side.labels.push_back(row_.label);
  if (plan_.label_kind == LabelKind::kNumber && classes_ != kNoLabels)
    side.targets.push_back(static_cast<float>(row_.target));
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    side.groups[i].push_back(groups_[i].CodeOf(row_.groups[i]));
    if (plan_.sensitive[i].categories.empty() && groups_[i].size() > kMaxGroups) {
      return At(reader.line(), TooManyGroups(plan_.sensitive[i].name));
    }
  }
  return OkStatus();
}

Status Pass::AddRecord(const CsvReader& reader, std::span<const std::string> fields,
                       const std::vector<std::size_t>* keep) {
  ++rows_;
  if (fields.size() != plan_.header.size()) {
    return At(reader.line(),
              InvalidArgument(Join(fields.size(), " cells, the header has ", plan_.header.size(),
                                   "; correct the row, or quote its cells")));
  }
  RowDecoder decoder(plan_, classes_);
  if (const Status decoded = decoder.Decode(fields, row_); !decoded.ok()) {
    return Annotated(At(reader.line(), decoded), config_, plan_, decoder.column_at_fault());
  }
  if (row_.dropped == Dropped::kNo && config_.csv().duplicates() == "drop" &&
      !seen_.insert(RowDigest("tutti equal rows", fields, used_places_)).second) {
    row_.dropped = Dropped::kDuplicate;
  }
  ++dropped_[static_cast<std::size_t>(row_.dropped)];
  if (row_.dropped != Dropped::kNo) return OkStatus();
  const bool wanted = keep == nullptr || (next_ < keep->size() && (*keep)[next_] == labels.size());
  if (keep != nullptr && wanted) ++next_;
  labels.push_back(row_.label);
  if (plan_.slice) slice_codes.push_back(slices.CodeOf(row_.slice));
  return wanted ? Keep(reader, fields) : OkStatus();
}

Status Pass::Run(const std::vector<std::size_t>* keep) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config_.file()));
  CsvReader reader(std::move(source), config_.csv().delimiter()[0], config_.max_bytes());
  TUTTI_TRY(Start(reader));
  std::vector<std::string> fields;
  while (true) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) break;
    TUTTI_TRY(AddRecord(reader, fields, keep));
  }
  if (rows_ == 0) {
    return InvalidArgument(Join("data file ", config_.file(), " has a header but no examples"));
  }
  return reader.source().CheckUnchanged();
}

Status Pass::MakeFeatures(const Encoder& encoder, Side& side) {
  side.features.reserve(side.cells.rows() * plan_.Width());
  for (std::size_t row = 0; row < side.cells.rows(); ++row) {
    const std::span<const double> cells(side.cells.cells);
    const Status fits =
        encoder.Append(cells.subspan(row * side.cells.width, side.cells.width), side.features);
    if (!fits.ok()) return At(side.lines[row], fits);
  }
  side.cells = {};
  return OkStatus();
}

template <typename T>
void Extend(std::vector<T>& first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
}

StatusOr<Dataset> Pass::Finish() {
  Dataset data;
  data.width = plan_.Width();
  if (!encoder_) {
    const Encoder encoder = Encoder::Create(plan_, training_.cells);
    for (Side* side : {&training_, &validation_}) TUTTI_TRY(MakeFeatures(encoder, *side));
    data.warnings = encoder.warnings();
  }
  data.validation = validation_.labels.size();
  data.examples = training_.labels.size() + data.validation;
  data.features = std::move(training_.features);
  Extend(data.features, validation_.features);
  data.labels = std::move(training_.labels);
  Extend(data.labels, validation_.labels);
  data.targets = std::move(training_.targets);
  Extend(data.targets, validation_.targets);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    Groups groups{.column = plan_.sensitive[i].name, .names = {}, .codes = {}};
    Extend(training_.groups[i], validation_.groups[i]);
    groups.codes = groups_[i].Sorted(training_.groups[i], groups.names);
    data.groups.push_back(std::move(groups));
  }
  data.table.rows = rows_;
  data.table.feature_names = plan_.FeatureNames();
  data.table.left_out = {.missing = dropped_[static_cast<std::size_t>(Dropped::kMissing)],
                         .unknown = dropped_[static_cast<std::size_t>(Dropped::kUnknown)],
                         .outliers = dropped_[static_cast<std::size_t>(Dropped::kOutlier)],
                         .duplicates = dropped_[static_cast<std::size_t>(Dropped::kDuplicate)]};
  return data;
}

StatusOr<std::vector<std::size_t>> RowsOfSlice(const v1::SliceConfig& slice, const Pass& whole,
                                               std::uint32_t classes,
                                               std::vector<std::string>& cells) {
  if (slice.kind() != "column") return SliceIndices(slice, whole.labels, classes);
  std::vector<std::string> names;
  const std::vector<std::uint32_t> groups = whole.slices.Sorted(whole.slice_codes, names);
  return SliceByGroup(slice, groups, names, cells);
}

// As many as a dirichlet slice needs to deal out by labels that nothing else reads.
StatusOr<std::uint32_t> ClassesForSlice(const v1::DataConfig& config) {
  const v1::CsvSchema& schema = config.csv();
  if (schema.label().empty() || config.target() == "number") {
    return InvalidArgument(
        "data.slice.kind is \"dirichlet\", which deals rows out by their classes, and "
        "data.csv.label names no column of them; use \"iid\" or \"column\"");
  }
  constexpr std::uint32_t kMostClasses = 65536;
  return schema.classes().empty() ? kMostClasses
                                  : static_cast<std::uint32_t>(schema.classes_size());
}

}  // namespace

Status CheckTable(const v1::DataConfig& config) {
  const v1::CsvSchema& schema = config.csv();
  if (config.file().empty()) return InvalidArgument("data.format is csv: data.file must be set");
  if (schema.delimiter().size() != 1 || schema.delimiter() == "\"" || schema.delimiter() == "\n") {
    return InvalidArgument(Join("data.csv.delimiter is \"", Escaped(schema.delimiter()),
                                "\", expected one character"));
  }
  return OkStatus();
}

StatusOr<Dataset> LoadCsv(const v1::DataConfig& config, std::size_t width, std::uint32_t classes) {
  TUTTI_TRY(CheckTable(config));
  if (classes == kNoLabels && config.slice().kind() == "dirichlet") {
    TUTTI_ASSIGN(classes, ClassesForSlice(config));
  }
  Pass whole(config, width, classes);
  const bool all = config.slice().kind().empty() || config.slice().kind() == "all";
  // A slice needs all labels before it knows its rows: the table is read twice instead of held in
  // memory.
  const std::vector<std::size_t> none;
  TUTTI_TRY(whole.Run(all ? nullptr : &none));
  if (all) return whole.Finish();
  std::vector<std::string> slice_cells;
  TUTTI_ASSIGN(const std::vector<std::size_t> mine,
               RowsOfSlice(config.slice(), whole, classes, slice_cells));
  Pass part(config, width, classes);
  TUTTI_TRY(part.Run(&mine));
  if (part.labels != whole.labels) {
    return FailedPrecondition(
        Join("data file ", config.file(), " changed while it was read; try again"));
  }
  TUTTI_ASSIGN(Dataset data, part.Finish());
  data.table.slice_cells = std::move(slice_cells);
  return data;
}

}  // namespace tutti::data
