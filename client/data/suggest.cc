#include "client/data/suggest.h"

#include <algorithm>
#include <set>

#include "client/data/cells.h"
#include "client/data/csv.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::size_t kFewWords = 12;

struct Words {
  std::set<std::string> different;
  std::uint64_t words = 0, numbers = 0;
};

// Of the column at `place`; gives up after more than a few different words.
StatusOr<Words> WordsAt(const v1::DataConfig& config, std::size_t place) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config.file()));
  CsvReader reader(std::move(source), config.csv().delimiter()[0], config.max_bytes());
  std::vector<std::string> fields;
  TUTTI_TRY(reader.Next(fields).status());  // the header
  Words words;
  while (words.different.size() <= kFewWords) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) break;
    if (place >= fields.size()) continue;
    const std::string_view cell = Trimmed(fields[place]);
    if (IsMissing(cell)) continue;
    if (ParseNumber(cell).ok()) {
      ++words.numbers;
    } else {
      ++words.words;
      words.different.emplace(cell);
    }
  }
  return words;
}

}  // namespace

std::string TomlText(const std::string& word) {
  std::string text = "\"";
  for (const char c : Escaped(word, 60)) {
    if (c == '"' || c == '\\') text.push_back('\\');
    text.push_back(c);
  }
  return text + "\"";
}

std::string TomlList(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(TomlText(word));
  return Join("[", JoinWith(quoted, ", "), "]");
}

Status Annotated(const Status& error, const v1::DataConfig& config, const TablePlan& plan,
                 std::size_t place) {
  const bool label = place == plan.label.at && plan.label_kind == LabelKind::kIndex;
  const bool feature = std::any_of(
      plan.features.begin(), plan.features.end(),
      [&](const Column& column) { return column.at == place && column.kind == Kind::kNumber; });
  if (!label && !feature) return error;
  const StatusOr<Words> words = WordsAt(config, place);
  if (!words.ok() || words->different.empty() || words->different.size() > kFewWords ||
      words->words <= words->numbers) {
    return error;
  }
  const std::string list = TomlList({words->different.begin(), words->different.end()});
  if (label) {
    return InvalidArgument(Join(MessageOf(error), "; the column holds words: write classes = ",
                                list, " in [data.csv], in the order of the classes"));
  }
  return InvalidArgument(
      Join(MessageOf(error), "; the column holds words: write [[data.csv.columns]] with name = ",
           TomlText(plan.header[place]), ", kind = \"one_hot\", categories = ", list));
}

}  // namespace tutti::data
