#include <nlohmann/json.hpp>

#include "server/ctl/estimate_text.h"
#include "server/ctl/evaluation_report.h"
#include "server/ctl/group_report.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::ordered_json;

Json RangeJson(const measure::Within& within, double factor) {
  return {factor * within.low, factor * within.high};
}

Json ToJson(const measure::Roc& roc) {
  return {{"auc", ctl::ToJson(roc.auc)}, {"binning", roc.binning}};
}

Json ToJson(const measure::PartFigures& part, std::size_t classes) {
  Json rows = Json::array();
  for (std::size_t label = 0; label < classes; ++label) {
    const auto first = part.matrix.begin() + static_cast<std::ptrdiff_t>(label * classes);
    rows.push_back(std::vector<std::int64_t>(first, first + static_cast<std::ptrdiff_t>(classes)));
  }
  Json each = Json::array();
  for (const measure::ClassFigures& one : part.confusion.classes) {
    each.push_back({{"examples", ctl::ToJson(one.examples)},
                    {"precision", ctl::ToJson(one.precision)},
                    {"recall", ctl::ToJson(one.recall)},
                    {"f1", ctl::ToJson(one.f1)}});
  }
  Json scored = Json::array();
  for (const measure::Roc& roc : part.roc) scored.push_back(ToJson(roc));
  return {{"examples", ctl::ToJson(part.confusion.examples)},
          {"accuracy", ctl::ToJson(part.confusion.accuracy)},
          {"macro_precision", ctl::ToJson(part.confusion.macro_precision)},
          {"macro_recall", ctl::ToJson(part.confusion.macro_recall)},
          {"macro_f1", ctl::ToJson(part.confusion.macro_f1)},
          {"confusion", std::move(rows)},
          {"classes", std::move(each)},
          {"roc", std::move(scored)}};
}

Json ToJson(const measure::Calibration& calibration) {
  Json bins = Json::array();
  for (const measure::CalibrationBin& bin : calibration.bins) {
    bins.push_back({{"examples", ctl::ToJson(bin.examples)},
                    {"confidence", bin.accuracy.known() ? Json(bin.confidence) : Json(nullptr)},
                    {"accuracy", ctl::ToJson(bin.accuracy)}});
  }
  return {{"error", ctl::ToJson(calibration.error)},
          {"floor", calibration.floor},
          {"bins", std::move(bins)}};
}

Json ToJson(const v1::TaskSpec& task, const measure::ClassEvaluation& figures) {
  const std::size_t classes = figures.shape.classes;
  Json json = ToJson(figures.all, classes);
  json["auc"] = ctl::ToJson(figures.auc);
  json["loss"] = ctl::ToJson(figures.loss);
  json["calibration"] = ToJson(figures.calibration);
  json["robust_accuracy"] =
      figures.robust_accuracy ? ctl::ToJson(*figures.robust_accuracy) : Json(nullptr);
  json["client_accuracy"] = ctl::ToJson(figures.clients, 1);
  if (figures.groups.empty()) return json;
  json["fairness"] = FairnessJson(task.fairness(), figures.rates);
  Json groups = Json::object();
  for (int group = 0; group < task.fairness().groups_size(); ++group) {
    groups[task.fairness().groups(group)] =
        ToJson(figures.groups[static_cast<std::size_t>(group)], classes);
  }
  json["groups"] = std::move(groups);
  json["no_group"] = ToJson(figures.groups.back(), classes);
  return json;
}

}  // namespace

Json ToJson(const measure::ClientSpread& clients, double factor) {
  if (!clients.known) return nullptr;
  return {{"lowest", RangeJson(clients.lowest, factor)},
          {"quantile_10", RangeJson(clients.tenth, factor)},
          {"median", RangeJson(clients.median, factor)},
          {"quantile_90", RangeJson(clients.ninetieth, factor)},
          {"highest", RangeJson(clients.highest, factor)},
          {"mean", factor * clients.mean},
          {"stddev", factor * clients.stddev}};
}

StatusOr<Json> EvaluationJson(const v1::TaskSpec& task, const measure::Opened& opened) {
  if (task.model().classes() != 1) {
    TUTTI_ASSIGN(const measure::ClassEvaluation figures, measure::ClassEvaluationOf(task, opened));
    return ToJson(task, figures);
  }
  TUTTI_ASSIGN(const measure::NumberEvaluation figures, measure::NumberEvaluationOf(task, opened));
  return Json{{"examples", ctl::ToJson(figures.examples)},
              {"mean_absolute_error", ctl::ToJson(figures.mean_absolute_error)},
              {"root_mean_squared_error", ctl::ToJson(figures.root_mean_squared_error)},
              {"clipped", ctl::ToJson(figures.beyond)},
              {"clip", figures.shape.clip},
              {"client_mean_absolute_error", ctl::ToJson(figures.clients, figures.shape.clip)}};
}

}  // namespace tutti::ctl
