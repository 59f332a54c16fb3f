#include "server/ctl/analysis_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/text.h"
#include "common/measure/answers.h"
#include "server/ctl/format.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::ordered_json;
using measure::Answer;
using measure::Figure;
using measure::Quantile;
using measure::Statistic;

constexpr double kBarWidth = 40;

std::string Formatted(const char* format, double value) {
  char buffer[400];  // the longest double has 309 digits before the point
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

// "412" and, with noise, "412 +- 17".
std::string CountText(const Figure& count) {
  std::string text = Formatted("%.0f", count.value);
  if (count.half_width > 0) text += " +- " + Formatted("%.0f", std::ceil(count.half_width));
  return text;
}

std::string NumberText(const Figure& number) {
  if (!number.known()) return "not known";
  std::string text = Formatted("%.5g", number.value);
  if (number.half_width > 0) {
    text += " +- " + Formatted(number.half_width < 10 ? "%.2g" : "%.0f", number.half_width);
  }
  return text;
}

std::string ShareText(const Figure& share) {
  if (!share.known()) return "not known";
  std::string text = Formatted("%.2f %%", 100 * share.value);
  if (share.half_width > 0) text += " +- " + Formatted("%.2f", 100 * share.half_width);
  return text;
}

std::string EndText(double end) {
  if (std::isinf(end)) return end < 0 ? "lower" : "higher";
  return Formatted("%.6g", end);
}

std::string BarText(double value, double largest) {
  if (!(largest > 0) || value <= 0) return "";
  return std::string(static_cast<std::size_t>(std::lround(kBarWidth * value / largest)), '#');
}

// Answers with their questions, those of one statistic.
struct Answered {
  const v1::QuestionSpec& question;
  const Answer& answer;
};
std::vector<Answered> Of(const v1::TaskSpec& task, const std::vector<Answer>& answers,
                         std::string_view statistic) {
  std::vector<Answered> found;
  for (int i = 0; i < task.questions_size(); ++i) {
    if (task.questions(i).statistic() == statistic) {
      found.push_back({task.questions(i), answers[static_cast<std::size_t>(i)]});
    }
  }
  return found;
}

std::string CellsText(const std::vector<Answered>& all) {
  if (all.empty()) return "";
  Table table({{"cells of"},
               {"there", Align::kRight},
               {"missing", Align::kRight},
               {"share missing", Align::kRight}});
  for (const auto& [question, answer] : all) {
    table.AddRow({question.column(), CountText(answer.present), CountText(answer.missing),
                  ShareText(answer.missing_share)});
  }
  return "\n" + table.Text();
}

std::string MomentsText(const std::vector<Answered>& all) {
  if (all.empty()) return "";
  Table table({{"numbers of"},
               {"clipped to"},
               {"there", Align::kRight},
               {"missing", Align::kRight},
               {"mean", Align::kRight},
               {"standard deviation", Align::kRight}});
  for (const auto& [question, answer] : all) {
    table.AddRow({question.column(),
                  Join(EndText(question.range(0)), " to ", EndText(question.range(1))),
                  CountText(answer.present), CountText(answer.missing), NumberText(answer.mean),
                  NumberText(answer.stddev)});
  }
  return "\n" + table.Text();
}

std::string CategoriesText(const Answered& one) {
  const Answer& answer = one.answer;
  Table table({{Join("words of ", Escaped(one.question.column(), 60))},
               {"cells", Align::kRight},
               {"share", Align::kRight},
               {"weight as a class", Align::kRight},
               {""}});
  double largest = 0;
  for (const Figure& share : answer.shares) largest = std::max(largest, share.value);
  for (std::size_t i = 0; i < answer.counts.size(); ++i) {
    const Figure& weight = answer.class_weights[i];
    table.AddRow({one.question.categories(static_cast<int>(i)), CountText(answer.counts[i]),
                  ShareText(answer.shares[i]), weight.known() ? NumberText(weight) : "-",
                  BarText(answer.shares[i].value, largest)});
  }
  table.AddRule();
  table.AddRow({"any other", CountText(answer.other), ShareText(answer.other_share)});
  table.AddRow({"missing", CountText(answer.missing)});
  return "\n" + table.Text();
}

std::string HistogramText(const Answered& one) {
  const Answer& answer = one.answer;
  const v1::QuestionSpec& question = one.question;
  Table table({{Join(Escaped(question.column(), 60), " from"), Align::kRight},
               {"below", Align::kRight},
               {"cells", Align::kRight},
               {""}});
  double largest = 0;
  for (const Figure& bin : answer.bins) largest = std::max(largest, bin.value);
  table.AddRow({"lower", EndText(question.range(0)), CountText(answer.below),
                BarText(answer.below.value, largest)});
  for (std::uint32_t i = 0; i < question.bins(); ++i) {
    table.AddRow({EndText(measure::BinEdge(question, i)),
                  EndText(measure::BinEdge(question, i + 1)), CountText(answer.bins[i]),
                  BarText(answer.bins[i].value, largest)});
  }
  table.AddRow({EndText(question.range(1)), "higher", CountText(answer.above),
                BarText(answer.above.value, largest)});
  table.AddRule();
  table.AddRow({"missing", "", CountText(answer.missing)});
  Table quantiles({{"quantile", Align::kRight}, {"about", Align::kRight}, {"between"}});
  for (const Quantile& quantile : answer.quantiles) {
    quantiles.AddRow({Formatted("%.0f %%", 100 * quantile.share),
                      std::isnan(quantile.value) ? "not known" : Formatted("%.6g", quantile.value),
                      Join(EndText(quantile.low), " and ", EndText(quantile.high))});
  }
  return Join("\n", table.Text(), "\n", quantiles.Text());
}

Json NumberJson(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json FigureJson(const Figure& figure) {
  if (!figure.known()) return nullptr;
  return {{"value", NumberJson(figure.value)}, {"half_width", NumberJson(figure.half_width)}};
}

Json HistogramJson(const v1::QuestionSpec& question, const Answer& answer) {
  Json json = {{"below", FigureJson(answer.below)}, {"bins", Json::array()}};
  for (std::uint32_t i = 0; i < question.bins(); ++i) {
    json["bins"].push_back({{"low", NumberJson(measure::BinEdge(question, i))},
                            {"high", NumberJson(measure::BinEdge(question, i + 1))},
                            {"cells", FigureJson(answer.bins[i])}});
  }
  json["above"] = FigureJson(answer.above);
  json["quantiles"] = Json::array();
  for (const Quantile& quantile : answer.quantiles) {
    json["quantiles"].push_back({{"share", quantile.share},
                                 {"value", NumberJson(quantile.value)},
                                 {"low", NumberJson(quantile.low)},
                                 {"high", NumberJson(quantile.high)}});
  }
  return json;
}

Json CategoriesJson(const v1::QuestionSpec& question, const Answer& answer) {
  Json json = {{"categories", Json::array()}};
  for (std::size_t i = 0; i < answer.counts.size(); ++i) {
    json["categories"].push_back({{"word", question.categories(static_cast<int>(i))},
                                  {"cells", FigureJson(answer.counts[i])},
                                  {"share", FigureJson(answer.shares[i])},
                                  {"class_weight", FigureJson(answer.class_weights[i])}});
  }
  json["other"] = FigureJson(answer.other);
  json["other_share"] = FigureJson(answer.other_share);
  return json;
}

Json AnswerJson(const v1::QuestionSpec& question, const Answer& answer) {
  Json json = {{"column", question.column()}, {"statistic", question.statistic()}};
  if (!question.range().empty()) {
    json["range"] = {NumberJson(question.range(0)), NumberJson(question.range(1))};
  }
  json["present"] = FigureJson(answer.present);
  json["missing"] = FigureJson(answer.missing);
  json["missing_share"] = FigureJson(answer.missing_share);
  if (question.statistic() == "moments") {
    json["mean"] = FigureJson(answer.mean);
    json["variance"] = FigureJson(answer.variance);
    json["stddev"] = FigureJson(answer.stddev);
  } else if (question.statistic() == "histogram") {
    json.update(HistogramJson(question, answer));
  } else if (question.statistic() == "categories") {
    json.update(CategoriesJson(question, answer));
  }
  return json;
}

}  // namespace

StatusOr<std::string> AnalysisText(const v1::TaskSpec& task, const measure::OpenedCounts& opened) {
  TUTTI_ASSIGN(const std::vector<Answer> answers,
               measure::AnswersOf(task, opened.counts, opened.clients, opened.noise_multiplier));
  std::string text;
  text += CellsText(Of(task, answers, "count"));
  text += MomentsText(Of(task, answers, "moments"));
  for (const Answered& one : Of(task, answers, "categories")) text += CategoriesText(one);
  for (const Answered& one : Of(task, answers, "histogram")) text += HistogramText(one);
  return text.substr(1);  // a blank line stands between tables, not before them
}

StatusOr<Json> AnalysisJson(const v1::TaskSpec& task, const measure::OpenedCounts& opened) {
  TUTTI_ASSIGN(const std::vector<Answer> answers,
               measure::AnswersOf(task, opened.counts, opened.clients, opened.noise_multiplier));
  Json json = Json::array();
  for (int i = 0; i < task.questions_size(); ++i) {
    json.push_back(AnswerJson(task.questions(i), answers[static_cast<std::size_t>(i)]));
  }
  return json;
}

}  // namespace tutti::ctl
