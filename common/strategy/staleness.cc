#include "common/strategy/staleness.h"

#include <cmath>
#include <string_view>

#include "common/base/text.h"
#include "common/measure/counts.h"
#include "common/model/architecture.h"
#include "common/strategy/sum_vector.h"

namespace tutti::strategy {
namespace {

constexpr std::uint32_t kMostStaleness = 1000;
constexpr double kMostPower = 10;

Status Refuse(std::string_view found, std::string_view why, std::string_view fix) {
  return InvalidArgument(Join("late updates cannot go with ", found, ", ", why, "; ", fix,
                              ", or set training.max_staleness = 0"));
}

// What a strategy sends or keeps is of the model that was trained from.
Status CheckBesides(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  switch (CorrectionOf(training)) {
    case Correction::kNone:
      break;
    case Correction::kScaffold:
      return Refuse("correction = \"scaffold\"",
                    "whose control variates are of the model that was trained from",
                    "remove correction");
    case Correction::kNova:
      return Refuse("correction = \"nova\"", "which scales the mean by everyone's steps",
                    "remove correction");
    case Correction::kDitto:
      return Refuse("correction = \"ditto\"", "whose personal model follows the round's",
                    "remove correction");
  }
  if (training.fairness_power() > 0 || training.agnostic_rate() > 0) {
    return Refuse(training.fairness_power() > 0 ? "fairness_power" : "agnostic_rate",
                  "which weighs clients by their loss on the round's model", "remove it");
  }
  if (model::HasCentres(task.model())) {
    return Refuse("clusters (k-means)", "whose centres move by the shares of one round",
                  "use another model");
  }
  if (!task.fairness().attribute().empty()) {
    return Refuse("fairness.attribute", "whose counts are of the round's model",
                  "remove the section fairness");
  }
  if (task.validation()) {
    return Refuse("evaluation.by = \"clients\"", "whose counts are of the round's model",
                  "set evaluation.by = \"evaluators\"");
  }
  return OkStatus();
}

// A late update is of another model than the one whose hash is in the round's configuration, so
// that hash no longer keeps a coordinator from giving one client a model of its own. At level
// malicious the noise that each client adds must then be what protects it.
Status CheckLevel(const v1::TaskSpec& task) {
  const std::string& unit = task.privacy().unit();
  const std::string& noise = task.privacy().noise();
  const bool own_noise = (unit == "example" || unit == "client") && noise != "central";
  if (task.secure_aggregation().level() == "curious" || own_noise) return OkStatus();
  return Refuse("level = \"malicious\" unless clients add noise themselves",
                "for it promises that all clients of a sum trained from one model",
                "use secure_aggregation.level = \"curious\", or privacy with noise = \"local\" or "
                "\"distributed\"");
}

Status CheckNoise(const v1::PrivacySpec& privacy) {
  const bool local = privacy.noise().empty() || privacy.noise() == "local";
  if (privacy.unit() == "example" && !local) {
    return Refuse(Join("noise = \"", Escaped(privacy.noise(), 40), "\" and unit = \"example\""),
                  "whose noise is made for the round's step and learning rate",
                  "use noise = \"local\"");
  }
  if (privacy.noise() == "tree") {
    return Refuse("noise = \"tree\"", "whose noise is small only in the plain sum of all updates",
                  "use another noise");
  }
  if (privacy.target_quantile() > 0) {
    return Refuse("target_quantile", "which makes the clip norm another one in the later round",
                  "set privacy.target_quantile = 0");
  }
  return OkStatus();
}

}  // namespace

Status CheckStaleness(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  if (training.max_staleness() > kMostStaleness) {
    return InvalidArgument(Join("training.max_staleness is ", training.max_staleness(),
                                ", expected 0 to ", kMostStaleness));
  }
  if (!(training.staleness_power() >= 0 && training.staleness_power() <= kMostPower)) {
    return InvalidArgument(Join("training.staleness_power is ", training.staleness_power(),
                                ", expected 0 to ", kMostPower));
  }
  if (training.max_staleness() == 0) return OkStatus();
  if (measure::KindOf(task) != measure::Kind::kTrain) {
    return Refuse(Join("kind = \"", Escaped(task.kind(), 40), "\""), "which trains nothing",
                  "remove it");
  }
  TUTTI_TRY(CheckBesides(task));
  TUTTI_TRY(CheckNoise(task.privacy()));
  return CheckLevel(task);
}

bool StillCounts(const v1::TrainingSpec& training, std::uint64_t trained, std::uint64_t round) {
  return training.max_staleness() > 0 && trained <= round &&
         round - trained <= training.max_staleness();
}

double StalenessFactor(const v1::TrainingSpec& training, std::uint64_t rounds_late) {
  return std::pow(1 + static_cast<double>(rounds_late), -training.staleness_power());
}

}  // namespace tutti::strategy
