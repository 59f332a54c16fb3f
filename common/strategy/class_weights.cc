#include "common/strategy/class_weights.h"

#include "common/base/text.h"

namespace tutti::strategy {
namespace {

Status Refuse(const std::string& text) { return InvalidArgument("training.class_weights " + text); }

}  // namespace

Status CheckClassWeights(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  if (training.class_weights().empty()) return OkStatus();
  if (!training.loss().empty() && training.loss() != "cross_entropy") {
    return Refuse(Join("is set with loss = \"", Escaped(training.loss(), 40),
                       "\", where examples have no class; remove it"));
  }
  if (static_cast<std::uint64_t>(training.class_weights_size()) != task.model().classes()) {
    return Refuse(Join("has ", training.class_weights_size(), " numbers, expected one for each of ",
                       "the model's ", task.model().classes(), " classes"));
  }
  for (const double weight : training.class_weights()) {
    if (weight > 0 && weight <= kMostClassWeight) continue;
    return Refuse(Join("has ", weight, ", expected above 0 and at most ", kMostClassWeight));
  }
  if (task.fairness().rule() == "reweigh") {
    return Refuse(
        "is set with fairness.rule = \"reweigh\", which weighs the classes itself; remove one of "
        "the "
        "two");
  }
  return OkStatus();
}

}  // namespace tutti::strategy
