#include "client/data/findings.h"

#include <algorithm>
#include <cmath>

#include "client/data/suggest.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::size_t kFew = 12;           // categories that are worth listing
constexpr double kScarce = 0.05;           // share of a class, below which it is rare
constexpr std::uint64_t kSmallGroup = 30;  // examples, below which a group's figures are chance

std::string Percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "0 %";
  return Join(std::round(1000.0 * static_cast<double>(part) / static_cast<double>(whole)) / 10,
              " %");
}

std::string Named(const InspectedColumn& column) {
  return Join("column \"", Escaped(column.name, 60), "\"");
}

std::vector<std::string> WordsOf(const ColumnProfile& found) {
  std::vector<std::string> words;
  for (const auto& [word, count] : found.counts()) words.push_back(word);
  return words;
}

std::string DeclareOneHot(const InspectedColumn& column) {
  return Join("[[data.csv.columns]] with name = ", TomlText(column.name),
              ", kind = \"one_hot\", categories = ", TomlList(WordsOf(column.found)));
}

class Finder {
 public:
  Finder(const v1::DataConfig& config, const Inspection& inspection)
      : config_(config), inspection_(inspection) {}

  std::vector<Finding> Run() {
    for (const InspectedColumn& column : inspection_.columns) {
      const bool feature = column.use.find("feature") != std::string::npos;
      if (column.use == "label") CheckLabel(column);
      if (column.use == "not used" || column.use == "unknown") continue;
      CheckMissing(column);
      if (!feature) continue;
      if (column.declared.kind == Kind::kNumber) {
        CheckNumbers(column);
      } else {
        CheckCategories(column);
      }
      CheckUseful(column);
    }
    CheckScales();
    CheckEqualRows();
    CheckClasses();
    CheckGroups();
    CheckStatistics();
    return std::move(findings_);
  }

 private:
  void Stop(std::string text, std::string advice) {
    findings_.push_back({.stops = true, .text = std::move(text), .advice = std::move(advice)});
  }
  void Hint(std::string text, std::string advice) {
    findings_.push_back({.stops = false, .text = std::move(text), .advice = std::move(advice)});
  }

  void CheckLabel(const InspectedColumn& column) {
    const bool classes = config_.target() != "number";
    if (classes && config_.csv().classes().empty() && column.found.words() > 0 &&
        column.found.different() <= kFew) {
      Stop(Join(Named(column), " is the label and holds words"),
           Join("write classes = ", TomlList(WordsOf(column.found)),
                " in [data.csv], in the order of the classes"));
    }
    if (classes && config_.csv().classes().empty() && column.found.words() == 0 &&
        column.found.different() > 100) {
      Hint(Join(Named(column), " is the label and has ", column.found.different(),
                column.found.HasTooManyToCount() ? " or more" : "", " different numbers"),
           "for a number that is predicted set target = \"number\"");
    }
  }

  void CheckMissing(const InspectedColumn& column) {
    const ColumnProfile& found = column.found;
    const auto& codes = column.declared.codes;  // of words the owner named
    const bool named_missing = codes.count("") > 0 || codes.count("NA") > 0;
    if (found.missing() == 0 || named_missing) return;
    const std::string text = Join(Named(column), " is missing in ", found.missing(), " rows (",
                                  Percent(found.missing(), found.cells()), "), the first at line ",
                                  found.first_missing_line());
    if (column.declared.missing == Missing::kRefuse) {
      Stop(text, column.use == "label" ? "missing = \"drop\" leaves such rows out"
                                       : "say what is done about it: missing = \"drop\", \"zero\", "
                                         "\"mean\", \"median\" or \"indicator\", in [data.csv] or "
                                         "for this column");
    } else if (column.declared.missing == Missing::kDrop && 5 * found.missing() > found.cells()) {
      Hint(text + ", and those rows are left out", "\"indicator\" or \"zero\" would keep them");
    }
  }

  void CheckNumbers(const InspectedColumn& column) {
    const ColumnProfile& found = column.found;
    if (found.words() > 0) {
      const bool few = found.different() <= kFew && found.words() > found.numbers();
      Stop(Join(Named(column), " is declared a number and holds words in ", found.words(),
                " rows, the first at line ", found.first_word_line(), ": \"",
                Escaped(found.first_word(), 40), "\""),
           few ? "declare its categories: " + DeclareOneHot(column)
               : "correct the cells, declare categories, or leave the column out of "
                 "data.csv.features");
      return;
    }
    const auto numbers = found.Summary();
    if (!numbers) return;
    if (const std::uint64_t outside = found.Outside(column.declared.low, column.declared.high);
        outside > 0) {
      const std::string text =
          Join(Named(column), " has ", outside, " numbers outside ", column.declared.low, " to ",
               column.declared.high, " (smallest ", numbers->smallest, ", largest ",
               numbers->largest, ")");
      if (column.declared.outliers == Outliers::kRefuse) {
        Stop(text, "correct them, or set outliers to \"clip\" or \"drop\"");
      } else {
        Hint(text, column.declared.outliers == Outliers::kClip ? "they are clipped"
                                                               : "their rows are left out");
      }
    } else if (numbers->far_out > 0 && found.different() > kFew &&
               !std::isfinite(column.declared.high) && !column.declared.log) {
      Hint(Join(Named(column), " has ", numbers->far_out, " numbers far out (half lie in ",
                numbers->lower_quartile, " to ", numbers->upper_quartile, ", smallest ",
                numbers->smallest, ", largest ", numbers->largest, ")"),
           numbers->smallest >= 0
               ? "give the range of plausible numbers, or transform = \"log\" for an amount"
               : "give the range of plausible numbers");
    }
    if (found.whole_numbers() && found.different() > 2 && found.different() <= 6 &&
        found.numbers() >= 50) {
      Hint(Join(Named(column), " has only ", found.different(), " different whole numbers"),
           Join("if they stand for categories: ", DeclareOneHot(column)));
    }
  }

  void CheckCategories(const InspectedColumn& column) {
    std::vector<std::string> unknown, absent;
    for (const auto& [word, count] : column.found.counts()) {
      if (column.declared.codes.count(word) == 0) unknown.push_back(word);
    }
    for (const std::string& category : column.declared.categories) {
      if (column.found.counts().count(category) == 0 && !column.found.HasTooManyToCount()) {
        absent.push_back(category);
      }
    }
    if (!unknown.empty()) {
      const std::size_t count = unknown.size();
      if (count > kFew) unknown.resize(kFew);
      const std::string text =
          Join(Named(column), " has cells that are none of its categories: ", TomlList(unknown),
               count > kFew ? " and more" : "");
      if (column.declared.unknown == Unknown::kRefuse) {
        Stop(text,
             "add them to its categories (on all clients), or set unknown to \"ignore\" or "
             "\"drop\"");
      } else {
        Hint(text, column.declared.unknown == Unknown::kDrop ? "their rows are left out"
                                                             : "they are ignored");
      }
    }
    if (!absent.empty()) {
      Hint(Join(Named(column), " never has its categories ", TomlList(absent), " here"),
           "right if other clients have them; else a misspelling");
    }
  }

  void CheckUseful(const InspectedColumn& column) {
    const ColumnProfile& found = column.found;
    if (found.different() == 1 && found.missing() == 0) {
      Hint(Join(Named(column), " has the one value \"", Escaped(found.counts().begin()->first, 40),
                "\" everywhere"),
           "it tells nothing here; other clients may differ");
    }
    const bool identifier = found.whole_numbers() && found.different() == found.cells() &&
                            found.cells() >= 50 && found.Summary()->stddev > 0 &&
                            found.Summary()->largest - found.Summary()->smallest + 1 ==
                                static_cast<double>(found.cells());
    if (identifier) {
      Hint(Join(Named(column), " numbers the rows"), "leave it out of data.csv.features");
    }
  }

  // Gradient descent is slow on columns of very different size.
  void CheckScales() {
    double smallest = 0, largest = 0;
    std::string of_smallest, of_largest;
    for (const InspectedColumn& column : inspection_.columns) {
      const Column& declared = column.declared;
      const bool number = column.use.find("feature") != std::string::npos &&
                          declared.kind == Kind::kNumber && !declared.log;
      const auto numbers = column.found.Summary();
      if (!number || !numbers || !(numbers->stddev > 0) || declared.mean || declared.stddev)
        continue;
      if (of_smallest.empty() || numbers->stddev < smallest) {
        smallest = numbers->stddev;
        of_smallest = column.name;
      }
      if (of_largest.empty() || numbers->stddev > largest) {
        largest = numbers->stddev;
        of_largest = column.name;
      }
    }
    const bool scaled =
        config_.csv().scaling() == "standard" || config_.csv().scaling() == "min_max";
    if (!scaled && !of_smallest.empty() && largest > 30 * smallest) {
      Hint(Join("columns are of very different size: \"", Escaped(of_largest, 60),
                "\" has a standard deviation of ", largest, ", \"", Escaped(of_smallest, 60),
                "\" of ", smallest),
           "give csv.means and csv.stddevs that are public and the same on all clients, or set "
           "csv.scaling (not for jobs that protect single examples)");
    }
  }

  void CheckEqualRows() {
    if (inspection_.equal_rows == 0) return;
    const bool drops = config_.csv().duplicates() == "drop";
    Hint(Join(inspection_.equal_rows, " rows (", Percent(inspection_.equal_rows, inspection_.rows),
              ") equal an earlier one in every column used"),
         drops ? "they are left out"
               : "duplicates = \"drop\" leaves them out; with privacy each copy counts as an "
                 "example of its own");
  }

  void CheckClasses() {
    const bool classes_known =
        inspection_.label_kind == LabelKind::kIndex || inspection_.label_kind == LabelKind::kWord;
    if (!inspection_.data || !classes_known) return;
    const auto classes = static_cast<std::uint32_t>(inspection_.class_names.size());
    const std::vector<std::uint64_t> counts = inspection_.data->ClassCounts(classes);
    std::vector<std::string> rare;
    for (std::uint32_t i = 0; i < classes; ++i) {
      const double share =
          static_cast<double>(counts[i]) /
          static_cast<double>(std::max<std::size_t>(1, inspection_.data->training()));
      if (share * classes < 2 * kScarce) {
        rare.push_back(Join("\"", Escaped(inspection_.class_names[i], 30), "\" ", counts[i]));
      }
    }
    if (!rare.empty() && inspection_.data->training() > 0) {
      if (rare.size() > kFew) rare.resize(kFew);
      Hint(Join("classes are rare among this client's ", inspection_.data->training(),
                " training examples: ", JoinWith(rare, ", ")),
           "accuracy alone says little; look at each class");
    }
  }

  void CheckGroups() {
    if (!inspection_.data) return;
    for (const Groups& groups : inspection_.data->groups) {
      std::vector<std::uint64_t> sizes(groups.names.size());
      for (const std::uint32_t code : groups.codes) ++sizes[code];
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] >= kSmallGroup) continue;
        Hint(Join("group \"", Escaped(groups.names[i], 40), "\" of \"", Escaped(groups.column, 60),
                  "\" has ", sizes[i], " examples here"),
             "figures about it are mostly chance");
      }
    }
  }

  void CheckStatistics() {
    if (inspection_.local_statistics.empty()) return;
    Hint(Join(JoinWith(inspection_.local_statistics, ", "),
              " compute something from this client's own examples"),
         "jobs with privacy.unit = \"example\" are refused with it: one example moves what the "
         "others look like; give public csv.means and csv.stddevs instead");
  }

  const v1::DataConfig& config_;
  const Inspection& inspection_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> FindingsOf(const v1::DataConfig& config, const Inspection& inspection) {
  return Finder(config, inspection).Run();
}

}  // namespace tutti::data
