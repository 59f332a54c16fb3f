#include "client/data/questions.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "client/data/cells.h"
#include "client/data/columns.h"
#include "client/data/csv.h"
#include "client/data/groups.h"
#include "client/data/idx.h"
#include "client/data/slice.h"
#include "common/base/text.h"
#include "common/measure/question_tally.h"

namespace tutti::data {
namespace {

// A dirichlet slice tells so many labels apart.
constexpr std::uint32_t kMaxLabels = 100000;

using measure::QuestionTally;

bool IsSensitive(const v1::DataConfig& config, const std::string& column) {
  return std::any_of(config.sensitive().begin(), config.sensitive().end(),
                     [&](const std::string& name) { return Trimmed(name) == column; });
}

// What one question asks of a table's records.
struct Asked {
  std::string column;
  std::size_t at = 0;                // its place
  std::optional<Column> declared{};  // when preparation uses the column
};

class Table {
 public:
  explicit Table(const v1::DataConfig& config) : config_(config) {}

  // `visit` for each record, with its cells as many as the header has.
  using Visitor =
      std::function<Status(std::uint64_t row, std::uint64_t line, std::span<const std::string>)>;
  Status Visit(const Visitor& visit);

  const TablePlan& plan() const { return plan_; }
  std::uint64_t rows() const { return rows_; }
  StatusOr<Asked> Find(const v1::QuestionSpec& question) const;
  Status At(std::uint64_t line, std::string_view text) const {
    return InvalidArgument(Join(config_.file(), ":", line, ": ", text));
  }

 private:
  const v1::DataConfig& config_;
  TablePlan plan_;  // once Visit has read the header
  std::uint64_t rows_ = 0;
};

Status Table::Visit(const Visitor& visit) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config_.file()));
  CsvReader reader(std::move(source), config_.csv().delimiter()[0], config_.max_bytes());
  std::vector<std::string> fields;
  TUTTI_ASSIGN(const bool any, reader.Next(fields));
  if (!any) return InvalidArgument(Join("data file ", config_.file(), " is empty"));
  TUTTI_ASSIGN(plan_, PlanTable(config_, fields));
  rows_ = 0;
  while (true) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) break;
    if (fields.size() != plan_.header.size()) {
      return At(reader.line(), Join(fields.size(), " cells, the header has ", plan_.header.size(),
                                    "; correct the row, or quote its cells"));
    }
    TUTTI_TRY(visit(rows_++, reader.line(), fields));
  }
  if (rows_ == 0) {
    return InvalidArgument(Join("data file ", config_.file(), " has a header but no examples"));
  }
  return reader.source().CheckUnchanged();
}

StatusOr<Asked> Table::Find(const v1::QuestionSpec& question) const {
  const auto found = std::find(plan_.header.begin(), plan_.header.end(), question.column());
  if (found == plan_.header.end()) {
    const std::string nearest = NearestName(question.column(), plan_.header);
    return InvalidArgument(
        Join(config_.file(), ":1: the job asks about a column \"", Escaped(question.column()),
             "\", which is not there",
             nearest.empty() ? "" : Join("; does it mean \"", Escaped(nearest), "\"?")));
  }
  Asked asked{.column = question.column(),
              .at = static_cast<std::size_t>(found - plan_.header.begin())};
  if (asked.at == plan_.label.at) asked.declared = plan_.label;
  for (const auto* list : {&plan_.features, &plan_.sensitive}) {
    for (const Column& column : *list) {
      if (column.at == asked.at) asked.declared = column;
    }
  }
  if (IsSensitive(config_, asked.column) && question.statistic() != "categories") {
    return PermissionDenied(Join("the job asks for \"", question.statistic(), "\" of the column \"",
                                 Escaped(asked.column),
                                 "\", which data.sensitive lists; of such columns only "
                                 "\"categories\" are counted"));
  }
  return asked;
}

// The rows of this client's slice, in ascending order; nullopt: all.
class Slicer {
 public:
  Slicer(const v1::DataConfig& config, Table& table) : config_(config), table_(table) {}

  StatusOr<std::optional<std::vector<std::size_t>>> Rows();

 private:
  // What the slice has to know of a row; false: it is nobody's.
  StatusOr<bool> Note(std::uint64_t line, std::span<const std::string> fields);
  std::uint32_t LabelCode(std::string_view cell) const;

  const v1::DataConfig& config_;
  Table& table_;
  Interner cells_;
  std::vector<std::uint32_t> codes_;  // of each row that is somebody's
  std::vector<std::size_t> rows_;     // their places among all rows
};

// Labels as preparation numbers them, so that a slice is the one that is trained on where no row is
// left out; what is no label is one more.
std::uint32_t Slicer::LabelCode(std::string_view cell) const {
  const TablePlan& plan = table_.plan();
  switch (plan.label_kind) {
    case LabelKind::kNone:
    case LabelKind::kNumber:
      return 0;
    case LabelKind::kWord: {
      const auto found = plan.label.codes.find(cell);
      return found != plan.label.codes.end() ? found->second
                                             : static_cast<std::uint32_t>(plan.label.codes.size());
    }
    case LabelKind::kIndex:
      break;
  }
  const StatusOr<double> number = ParseNumber(cell);
  if (!number.ok() || !(*number >= 0 && *number < kMaxLabels) || *number != std::floor(*number)) {
    return kMaxLabels;
  }
  return static_cast<std::uint32_t>(*number);
}

StatusOr<bool> Slicer::Note(std::uint64_t line, std::span<const std::string> fields) {
  const TablePlan& plan = table_.plan();
  if (!plan.slice) {
    const bool labels = config_.slice().kind() == "dirichlet";
    if (labels && plan.label_kind == LabelKind::kNone) {
      return InvalidArgument(
          "data.slice.kind is \"dirichlet\", which deals rows out by their classes, and "
          "data.csv.label names no column of them; use \"iid\" or \"column\"");
    }
    codes_.push_back(labels ? LabelCode(Trimmed(fields[plan.label.at])) : 0);
    return true;
  }
  const std::string cell(Trimmed(fields[plan.slice->at]));
  if (IsMissing(cell) && plan.slice->codes.count(cell) == 0) {
    if (plan.slice->missing == Missing::kDrop) return false;
    return table_.At(line, Join("column \"", Escaped(plan.slice->name),
                                "\" is missing, and it says whose row this is; set missing = "
                                "\"drop\" for it, or correct the row"));
  }
  codes_.push_back(cells_.CodeOf(cell));
  return true;
}

StatusOr<std::optional<std::vector<std::size_t>>> Slicer::Rows() {
  const v1::SliceConfig& slice = config_.slice();
  if (slice.kind().empty() || slice.kind() == "all") {
    return std::optional<std::vector<std::size_t>>();
  }
  TUTTI_TRY(table_.Visit(
      [&](std::uint64_t row, std::uint64_t line, std::span<const std::string> fields) -> Status {
        TUTTI_ASSIGN(const bool somebodys, Note(line, fields));
        if (somebodys) rows_.push_back(static_cast<std::size_t>(row));
        return OkStatus();
      }));
  std::vector<std::size_t> mine;
  if (slice.kind() == "column") {
    std::vector<std::string> names, own;
    const std::vector<std::uint32_t> groups = cells_.Sorted(codes_, names);
    TUTTI_ASSIGN(mine, SliceByGroup(slice, groups, names, own));
  } else {
    std::uint32_t most = 0;  // but for what is no label
    for (const std::uint32_t code : codes_) most = std::max(most, code < kMaxLabels ? code : 0);
    for (std::uint32_t& code : codes_) code = std::min(code, most + 1);
    TUTTI_ASSIGN(mine, SliceIndices(slice, codes_, most + 2));
  }
  for (std::size_t& row : mine) row = rows_[row];
  return std::optional(std::move(mine));
}

Status AddCell(const Asked& asked, std::string_view cell, int question, QuestionTally& tally) {
  const QuestionTally::Reads reads = tally.ReadsOf(question);
  if (reads == QuestionTally::Reads::kWord && tally.AddCategory(question, cell)) return OkStatus();
  const bool declared = asked.declared && asked.declared->codes.count(cell) > 0;
  if (IsMissing(cell) && !declared) {
    tally.AddMissing(question);
    return OkStatus();
  }
  switch (reads) {
    case QuestionTally::Reads::kPresence:
      tally.AddPresent(question);
      break;
    case QuestionTally::Reads::kWord:
      tally.AddOther(question);
      break;
    case QuestionTally::Reads::kNumber: {
      const StatusOr<double> number = ParseNumber(cell);
      if (!number.ok()) {
        return InvalidArgument(Join("column \"", Escaped(asked.column), "\" ",
                                    MessageOf(number.status()),
                                    ": the job asks for a statistic of numbers; correct the cell, "
                                    "or let the operator ask for its categories"));
      }
      tally.AddNumber(question, *number);
      break;
    }
  }
  return OkStatus();
}

StatusOr<QuestionCounts> OfTable(const v1::DataConfig& config, const v1::TaskSpec& task) {
  TUTTI_TRY(CheckTable(config));
  TUTTI_ASSIGN(QuestionTally tally, QuestionTally::Create(task));
  Table table(config);
  TUTTI_ASSIGN(const std::optional<std::vector<std::size_t>> mine, Slicer(config, table).Rows());
  const std::uint64_t rows_before = table.rows();
  std::vector<Asked> asked;
  QuestionCounts result;
  std::size_t next = 0;  // in `mine`
  TUTTI_TRY(table.Visit(
      [&](std::uint64_t row, std::uint64_t line, std::span<const std::string> fields) -> Status {
        for (int i = static_cast<int>(asked.size()); i < task.questions_size(); ++i) {
          TUTTI_ASSIGN(Asked question, table.Find(task.questions(i)));
          asked.push_back(std::move(question));
        }
        if (mine && (next == mine->size() || (*mine)[next] != row)) return OkStatus();
        if (mine) ++next;
        ++result.rows;
        for (int i = 0; i < task.questions_size(); ++i) {
          const Asked& question = asked[static_cast<std::size_t>(i)];
          const Status added = AddCell(question, Trimmed(fields[question.at]), i, tally);
          if (!added.ok()) return table.At(line, MessageOf(added));
        }
        return OkStatus();
      }));
  if (mine && table.rows() != rows_before) {
    return FailedPrecondition(
        Join("data file ", config.file(), " changed while it was read; try again"));
  }
  result.counts = tally.Counts();
  return result;
}

// The labels of images, as words.
StatusOr<QuestionCounts> OfLabels(const v1::DataConfig& config, const v1::TaskSpec& task) {
  TUTTI_ASSIGN(QuestionTally tally, QuestionTally::Create(task));
  for (const v1::QuestionSpec& question : task.questions()) {
    if (question.column() == "label" && question.statistic() == "categories") continue;
    return InvalidArgument(Join("the job asks for \"", question.statistic(), "\" of the column \"",
                                Escaped(question.column()),
                                "\"; of data.format = \"idx\" only \"categories\" of the column "
                                "\"label\" are counted"));
  }
  TUTTI_ASSIGN(const std::vector<std::uint32_t> labels, IdxLabels(config));
  for (const std::uint32_t label : labels) {
    const std::string word = std::to_string(label);
    for (int i = 0; i < task.questions_size(); ++i) {
      if (!tally.AddCategory(i, word)) tally.AddOther(i);
    }
  }
  return QuestionCounts{.counts = tally.Counts(), .rows = labels.size()};
}

}  // namespace

StatusOr<QuestionCounts> AnswerQuestions(const v1::DataConfig& given, const v1::TaskSpec& task) {
  const v1::DataConfig config = WithDefaults(given);
  if (config.format() == "csv") return OfTable(config, task);
  if (config.format() == "idx") return OfLabels(config, task);
  return InvalidArgument(
      Join("data.format is \"", Escaped(config.format()), "\", expected idx or csv"));
}

}  // namespace tutti::data
