#include "common/config/validate_adversary.h"

#include <cmath>
#include <string>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/features.h"

namespace tutti::config {
namespace {

constexpr std::uint32_t kUsualSteps = 7;  // the default

// Keys that say nothing, so their owner expected something else.
void CheckUnused(const v1::AdversarySpec& adversary, Rules& rules) {
  const bool none = adversary.kind() == "none";
  const auto add = [&](const std::string& key, bool found, bool read) {
    if (!found || read) return;
    rules.Add({"adversary." + key, "adversary.kind"},
              Join("found with kind = \"", adversary.kind(),
                   "\", which does not read it; remove it, "
                   "or set kind = ",
                   none && key != "steps" && key != "step_size" ? "\"fgsm\" or " : "", "\"pgd\""));
  };
  const bool pgd = adversary.kind() == "pgd";
  add("radius", adversary.radius() > 0, !none);
  add("range", !adversary.range().empty(), !none);
  add("share", adversary.share() != 1, !none);
  add("steps", adversary.steps() != kUsualSteps, pgd);
  add("step_size", adversary.step_size() > 0, pgd);
}

void CheckBounds(const v1::AdversarySpec& adversary, Rules& rules) {
  if (adversary.radius() == 0) {
    rules.Add({"adversary.radius", "adversary.kind"},
              Join("found 0 with kind = \"", adversary.kind(),
                   "\", so no example would be changed; set how far a feature may move, for "
                   "instance 0.1 for pixels from 0 to 1, or kind = \"none\""));
  }
  const int numbers = adversary.range_size();
  if (numbers == 1) {
    rules.Add({"adversary.range"},
              "found one number, expected two, [low, high], or none for any value");
  } else if (numbers == 2 &&
             !(std::isfinite(adversary.range(0)) && std::isfinite(adversary.range(1)) &&
               adversary.range(0) < adversary.range(1))) {
    rules.Add({"adversary.range"}, Join("found [", adversary.range(0), ", ", adversary.range(1),
                                        "], expected two finite numbers, the smaller one first"));
  }
}

void CheckReader(const v1::JobConfig& job, Rules& rules) {
  const v1::AdversarySpec& adversary = job.adversary();
  const v1::ModelSpec& model = job.model();
  if (job.kind() == "evaluate" && adversary.share() != 1) {
    rules.Add({"adversary.share", "kind"},
              Join("found ", adversary.share(),
                   " in a job that evaluates, where all examples are changed; remove it"));
  }
  if (job.training().loss() == "distortion") {
    rules.Add({"adversary.kind", "training.loss"},
              Join("found \"", adversary.kind(),
                   "\" with loss = \"distortion\": a point that is moved has no right centre to be "
                   "led away from; remove it"));
  }
  if (model::HasFeatures(model)) {
    rules.Add({"adversary.kind", "model.features"},
              Join("found \"", adversary.kind(), "\" with model.features = \"", model.features(),
                   "\": changed features need not be those of any example; set model.features = "
                   "\"none\", or kind = \"none\""));
  }
  const auto architecture = model::ArchitectureOf(model);
  if (architecture.ok() && architecture->vocabulary > 0) {
    rules.Add({"adversary.kind", "model.architecture"},
              Join("found \"", adversary.kind(),
                   "\" with a model that reads tokens: a token that is moved a little is none; set "
                   "kind = \"none\""));
  }
}

}  // namespace

void CheckAdversary(const v1::JobConfig& job, Rules& rules) {
  if (job.kind() == "analyse") return;  // which has no such section at all
  const v1::AdversarySpec& adversary = job.adversary();
  CheckUnused(adversary, rules);
  if (adversary.kind() == "none" || adversary.kind().empty()) return;
  CheckBounds(adversary, rules);
  CheckReader(job, rules);
}

}  // namespace tutti::config
