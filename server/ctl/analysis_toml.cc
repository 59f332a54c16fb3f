#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "common/base/text.h"
#include "common/measure/answers.h"
#include "server/ctl/analysis_report.h"

namespace tutti::ctl {
namespace {

using measure::Answer;
using measure::Figure;

constexpr int kDigits = 5;  // significant ones of means and standard deviations

unsigned HexAt(const std::string& text, std::size_t at) {
  unsigned value = 0;
  std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  return value;
}

// A TOML basic string in ASCII. JSON writes the same, but for characters beyond 16 bits and DEL.
std::string TomlText(const std::string& word) {
  using Json = nlohmann::json;
  const std::string json = Json(word).dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string text;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == 0x7f) {
      text += "\\u007f";
    } else if (json[i] != '\\') {
      text += json[i];
    } else if (json[i + 1] == 'u' && HexAt(json, i + 2) >> 10 == 0x36) {  // the first of a pair
      const unsigned code =
          0x10000 + ((HexAt(json, i + 2) & 0x3ff) << 10) + (HexAt(json, i + 8) & 0x3ff);
      char buffer[16];
      std::snprintf(buffer, sizeof buffer, "\\U%08x", code);
      text += buffer;
      i += 11;
    } else {
      text += json[i];
      text += json[++i];
    }
  }
  return text;
}

template <typename List>
std::string TomlWords(const List& words) {
  std::vector<std::string> items;
  for (const std::string& word : words) items.push_back(TomlText(word));
  return Join("[", JoinWith(items, ", "), "]");
}

std::string TomlNumber(double value, int digits) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits);
  return std::string(buffer, end.ptr);
}

// Reads back as the same number.
std::string TomlNumber(double value) {
  char buffer[64];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// Whether the clients' tables may hold such cells: some were counted, or noise hides how many.
bool MayHold(const Figure& count) { return count.value > 0 || count.half_width > 0; }

std::string ShareComment(const Figure& count, const Figure& share) {
  if (count.half_width > 0 || !share.known()) return "";
  return Join("  # cells: ", TomlNumber(std::round(count.value)), ", ",
              TomlNumber(100 * share.value, 3), " %");
}

// The section while it grows.
class Snippet {
 public:
  Snippet(const v1::TaskSpec& task, const measure::OpenedCounts& opened, std::string label)
      : task_(task), opened_(opened), label_(std::move(label)) {}

  StatusOr<std::string> Run(const std::vector<Answer>& answers) {
    for (int i = 0; i < task_.questions_size(); ++i) {
      Add(task_.questions(i), answers[static_cast<std::size_t>(i)]);
    }
    if (features_.empty()) {
      return FailedPrecondition(
          "no question gave mean and standard deviation or categories of a feature; ask for "
          "statistic = \"moments\" or \"categories\" of the columns that are to be prepared");
    }
    return Head() +
           Join("features = ", TomlWords(features_), "\nmeans = [", JoinWith(means_, ", "),
                "]\nstddevs = [", JoinWith(stddevs_, ", "), "]\n") +
           notes_ + columns_;
  }

 private:
  void Add(const v1::QuestionSpec& question, const Answer& answer) {
    const bool moments = question.statistic() == "moments";
    if (!moments && question.statistic() != "categories") return;
    if (question.column() == label_) return AddLabel(question, answer);
    if (!seen_.insert(question.column()).second) return;
    if (moments) return AddNumber(question, answer);
    AddFeature(question.column(), "0", "1");
    columns_ += Join("\n[[data.csv.columns]]\nname = ", TomlText(question.column()),
                     "\nkind = \"one_hot\"\ncategories = ", TomlWords(question.categories()), "\n");
    if (MayHold(answer.other)) {
      columns_ +=
          Join("unknown = \"ignore\"", ShareComment(answer.other, answer.other_share), "\n");
    }
    if (MayHold(answer.missing)) {
      columns_ +=
          Join("missing = \"zero\"", ShareComment(answer.missing, answer.missing_share), "\n");
    }
  }

  void AddNumber(const v1::QuestionSpec& question, const Answer& answer) {
    const std::string name = TomlText(question.column());
    if (!answer.mean.known()) {
      notes_ += Join("# Not among the features: ", name,
                     ", of which no number is there, or noise hides them.\n");
      return;
    }
    const std::string spread = TomlNumber(answer.stddev.value, kDigits);
    const bool flat = spread == "0";
    if (flat) notes_ += Join("# ", name, " has one value only; it is not scaled.\n");
    AddFeature(question.column(), TomlNumber(answer.mean.value, kDigits), flat ? "1" : spread);
    columns_ += Join("\n[[data.csv.columns]]\nname = ", name, "\nrange = [",
                     TomlNumber(question.range(0)), ", ", TomlNumber(question.range(1)), "]\n");
    if (MayHold(answer.missing)) {
      columns_ +=
          Join("missing = \"mean\"", ShareComment(answer.missing, answer.missing_share), "\n");
    }
  }

  void AddFeature(const std::string& column, std::string mean, std::string stddev) {
    features_.push_back(column);
    means_.push_back(std::move(mean));
    stddevs_.push_back(std::move(stddev));
  }

  void AddLabel(const v1::QuestionSpec& question, const Answer& answer) {
    if (question.statistic() == "moments") {
      label_keys_ +=
          Join("# The label has mean ", TomlNumber(answer.mean.value, kDigits),
               " and standard deviation ", TomlNumber(answer.stddev.value, kDigits), ".\n");
      return;
    }
    if (question.categories_size() > 1) {
      label_keys_ += Join("classes = ", TomlWords(question.categories()), "\n");
    }
    std::vector<std::string> weights, unknown;
    for (std::size_t i = 0; i < answer.class_weights.size(); ++i) {
      const Figure& weight = answer.class_weights[i];
      weights.push_back(weight.known() ? TomlNumber(weight.value, 4) : "1.0");
      if (!weight.known()) {
        unknown.push_back(TomlText(question.categories(static_cast<int>(i))));
      }
    }
    label_keys_ += Join("# To let the classes count alike, in the job's [training]:\n",
                        "#   class_weights = [", JoinWith(weights, ", "), "]\n");
    if (!unknown.empty()) {
      label_keys_ += Join("#   (not known: ", JoinWith(unknown, ", "), ")\n");
    }
  }

  std::string Head() const {
    std::string head = Join(
        "# Statistics of the rows of ", opened_.clients, " clients together, ",
        opened_.noise_multiplier > 0
            ? Join("with privacy noise (multiplier ", TomlNumber(opened_.noise_multiplier, 4), ")")
            : "without noise",
        ": job ", Escaped(task_.job(), 64),
        ".\n# In the place of [data.csv] in client.toml every client prepares its rows alike.\n"
        "[data.csv]\n");
    head += label_.empty()
                ? "# label = \"...\"  # the column with the class or number, to be filled "
                  "in; `--label COLUMN` does\n"
                : Join("label = ", TomlText(label_), "\n");
    return head + label_keys_;
  }

  const v1::TaskSpec& task_;
  const measure::OpenedCounts& opened_;
  const std::string label_;
  std::set<std::string> seen_;
  std::vector<std::string> features_, means_, stddevs_;
  std::string label_keys_, notes_, columns_;
};

}  // namespace

StatusOr<std::string> AnalysisToml(const v1::TaskSpec& task, const measure::OpenedCounts& opened,
                                   const std::string& label) {
  TUTTI_ASSIGN(const std::vector<Answer> answers,
               measure::AnswersOf(task, opened.counts, opened.clients, opened.noise_multiplier));
  return Snippet(task, opened, label).Run(answers);
}

}  // namespace tutti::ctl
