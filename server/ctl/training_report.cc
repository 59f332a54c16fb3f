#include "server/ctl/training_report.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/measure/groups.h"
#include "common/terminal/table.h"
#include "server/ctl/estimate_text.h"
#include "server/ctl/evaluation_report.h"
#include "server/ctl/group_report.h"

namespace tutti::ctl {
namespace {

constexpr int kDigits = 4;

std::string ValidationText(const v1::TaskSpec& task, const measure::Validation& figures) {
  terminal::Table table({{"figure"}, {"value", terminal::Align::kRight}, {"note"}});
  table.AddRow({"examples", CountText(figures.examples), "kept for validation, of all clients"});
  if (task.model().classes() == 1) {
    table.AddRow({"mean squared error", NumberText(figures.loss, kDigits),
                  Join("errors above secure_aggregation.value_clip = ",
                       task.secure_aggregation().value_clip(), " count as that")});
  } else {
    table.AddRow({"accuracy", ShareText(figures.accuracy), ""});
    table.AddRow({"loss", NumberText(figures.loss, kDigits),
                  Join("cross entropy, at most ",
                       Fixed(measure::MostLoss(task.model().classes()), 2), " an example")});
  }
  std::string text = table.Text();
  if (figures.clients && task.model().classes() == 1) {
    text += ClientsText(*figures.clients, "mean absolute error",
                        task.secure_aggregation().value_clip(), kDigits);
  } else if (figures.clients) {
    text += ClientsText(*figures.clients, "accuracy, %", 100, 1);
  }
  return text;
}

}  // namespace

StatusOr<std::string> TrainingText(const v1::TaskSpec& task, const measure::Opened& opened) {
  TUTTI_ASSIGN(const std::optional<measure::Validation> figures,
               measure::ValidationOf(task, opened));
  std::string text = figures ? ValidationText(task, *figures) : "";
  if (measure::HasGroups(task)) {
    TUTTI_ASSIGN(const std::string groups, FairnessText(task, opened));
    text += (text.empty() ? "" : "\n") + groups;
  }
  return text + Footnote(text);
}

StatusOr<nlohmann::ordered_json> TrainingJson(const v1::TaskSpec& task,
                                              const measure::Opened& opened) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (measure::HasGroups(task)) {
    TUTTI_ASSIGN(json, FairnessJson(task, opened));
  }
  TUTTI_ASSIGN(const std::optional<measure::Validation> figures,
               measure::ValidationOf(task, opened));
  if (figures) {
    json["validation"] = {{"examples", ToJson(figures->examples)},
                          {"accuracy", ToJson(figures->accuracy)},
                          {"loss", ToJson(figures->loss)}};
    if (figures->clients) {
      const bool number = task.model().classes() == 1;
      json["validation"]["clients"] =
          ToJson(*figures->clients, number ? task.secure_aggregation().value_clip() : 1);
    }
  }
  return json;
}

}  // namespace tutti::ctl
