#include "server/ctl/evaluation_report.h"

#include <cmath>

#include "common/base/text.h"
#include "server/ctl/estimate_text.h"
#include "server/ctl/format.h"
#include "server/ctl/group_report.h"

namespace tutti::ctl {
namespace {

constexpr std::size_t kMostShownClasses = 20;
constexpr int kDigits = 4;

std::string Section(const std::string& title, const std::string& body) {
  return Join("\n", title, "\n", body);
}

std::string Range(const measure::Within& within, double factor, int digits) {
  return Join(Fixed(factor * within.low, digits), " to ", Fixed(factor * within.high, digits));
}

std::string FiguresText(const measure::ClassEvaluation& figures) {
  const measure::ConfusionFigures& all = figures.all.confusion;
  Table table({{"figure"}, {"value", Align::kRight}, {"note"}});
  table.AddRow({"examples", CountText(all.examples)});
  table.AddRow({"accuracy", ShareText(all.accuracy)});
  if (figures.robust_accuracy) {
    table.AddRow({"robust accuracy", ShareText(*figures.robust_accuracy),
                  "on examples the adversary changed"});
  }
  table.AddRow({"macro precision", ShareText(all.macro_precision)});
  table.AddRow({"macro recall", ShareText(all.macro_recall)});
  table.AddRow({"macro F1", ShareText(all.macro_f1)});
  double binning = 0;
  for (const measure::Roc& roc : figures.all.roc) {
    binning += roc.binning / static_cast<double>(figures.all.roc.size());
  }
  table.AddRow({"ROC-AUC", NumberText(figures.auc, kDigits),
                Join(figures.shape.scored == 1 ? "" : "mean over the classes; ",
                     "bins hide at most ", RoundedUp(binning, kDigits))});
  table.AddRow({"loss", NumberText(figures.loss, kDigits), "cross entropy, at most 20 an example"});
  table.AddRow(
      {"calibration error", ShareText(figures.calibration.error),
       Join("of a calibrated model here about ", Fixed(100 * figures.calibration.floor, 2), " %")});
  return table.Text();
}

std::string ClassesText(const measure::ClassEvaluation& figures) {
  const bool one_score = figures.shape.scored == 1;
  Table table({{"class", Align::kRight},
               {"examples", Align::kRight},
               {"precision", Align::kRight},
               {"recall", Align::kRight},
               {"F1", Align::kRight},
               {"ROC-AUC", Align::kRight}});
  const auto& classes = figures.all.confusion.classes;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const measure::Roc& roc = figures.all.roc[one_score ? 0 : c];
    table.AddRow({std::to_string(c), CountText(classes[c].examples),
                  ShareText(classes[c].precision), ShareText(classes[c].recall),
                  ShareText(classes[c].f1), NumberText(roc.auc, kDigits)});
  }
  return table.Text();
}

std::string MatrixText(const std::vector<std::int64_t>& matrix, std::size_t classes) {
  if (classes > kMostShownClasses) return "(with so many classes: --json shows it)\n";
  std::vector<Column> columns{{"label", Align::kRight}};
  for (std::size_t c = 0; c < classes; ++c) columns.push_back({std::to_string(c), Align::kRight});
  Table table(std::move(columns));
  for (std::size_t label = 0; label < classes; ++label) {
    std::vector<std::string> row{std::to_string(label)};
    for (std::size_t c = 0; c < classes; ++c) {
      row.push_back(std::to_string(matrix[label * classes + c]));
    }
    table.AddRow(std::move(row));
  }
  return table.Text();
}

std::string CalibrationText(const measure::ClassEvaluation& figures) {
  Table table({{"probability", Align::kRight},
               {"examples", Align::kRight},
               {"mean of it", Align::kRight},
               {"right", Align::kRight}});
  const auto bins = static_cast<std::uint32_t>(figures.calibration.bins.size());
  for (std::uint32_t b = 0; b < bins; ++b) {
    const measure::CalibrationBin& bin = figures.calibration.bins[b];
    if (!bin.accuracy.known()) continue;  // empty, or lost in noise
    const double low = measure::ConfidenceAt(b, figures.shape.classes, bins);
    const double high = measure::ConfidenceAt(b + 1, figures.shape.classes, bins);
    table.AddRow({Join(Fixed(100 * low, 1), " to ", Fixed(100 * high, 1), " %"),
                  CountText(bin.examples), Fixed(100 * bin.confidence, 2) + " %",
                  ShareText(bin.accuracy)});
  }
  return table.Text();
}

std::string ClassText(const v1::TaskSpec& task, const measure::ClassEvaluation& figures) {
  std::string text = FiguresText(figures);
  text += Section("classes", ClassesText(figures));
  text += Section("confusion matrix: a row for each label, a column for each prediction",
                  MatrixText(figures.all.matrix, figures.shape.classes));
  text += Section("calibration: how often what is predicted with a probability is right",
                  CalibrationText(figures));
  text += ClientsText(figures.clients, "accuracy, %", 100, 1);
  if (!figures.groups.empty()) {
    text += Section(Join("groups of ", Escaped(task.fairness().attribute(), 80)),
                    GroupFiguresText(task.fairness(), figures));
    text += Section("gaps between them", GapsText(task.fairness(), figures.rates));
  }
  return text;
}

std::string NumberText(const measure::NumberEvaluation& figures) {
  Table table({{"figure"}, {"value", Align::kRight}, {"note"}});
  table.AddRow({"examples", CountText(figures.examples)});
  table.AddRow({"mean absolute error", ctl::NumberText(figures.mean_absolute_error, kDigits),
                "in the target's unit"});
  table.AddRow({"root mean squared error",
                ctl::NumberText(figures.root_mean_squared_error, kDigits), "likewise"});
  table.AddRow({"clipped", ShareText(figures.beyond),
                Join("errors above secure_aggregation.value_clip = ", figures.shape.clip,
                     " count as that")});
  std::string text = table.Text();
  if (figures.beyond.known() && figures.beyond.value > 0.01) {
    text +=
        "warning: so many errors are clipped that the figures are too small; raise "
        "secure_aggregation.value_clip\n";
  }
  return text + ClientsText(figures.clients, "mean absolute error", figures.shape.clip, kDigits);
}

}  // namespace

std::string ClientsText(const measure::ClientSpread& clients, const std::string& figure,
                        double factor, int digits) {
  if (!clients.known) {
    return "\nclients by their own figure: hidden by the noise; more clients or less noise show "
           "it\n";
  }
  Table table({{"client", Align::kLeft}, {figure, Align::kRight}});
  table.AddRow({"lowest", Range(clients.lowest, factor, digits)});
  table.AddRow({"10 % are below", Range(clients.tenth, factor, digits)});
  table.AddRow({"median", Range(clients.median, factor, digits)});
  table.AddRow({"10 % are above", Range(clients.ninetieth, factor, digits)});
  table.AddRow({"highest", Range(clients.highest, factor, digits)});
  table.AddRow({"mean", Fixed(factor * clients.mean, digits)});
  table.AddRow({"standard deviation", Fixed(factor * clients.stddev, digits)});
  return Section("clients, each by its own examples", table.Text());
}

StatusOr<std::string> EvaluationText(const v1::TaskSpec& task, const measure::Opened& opened) {
  std::string text;
  if (task.model().classes() == 1) {
    TUTTI_ASSIGN(const measure::NumberEvaluation figures,
                 measure::NumberEvaluationOf(task, opened));
    text = NumberText(figures);
  } else {
    TUTTI_ASSIGN(const measure::ClassEvaluation figures, measure::ClassEvaluationOf(task, opened));
    text = ClassText(task, figures);
  }
  return text + Footnote(text);
}

}  // namespace tutti::ctl
