#include "common/strategy/plateau.h"

#include <cmath>
#include <string>

#include "common/base/text.h"
#include "common/model/metadata_number.h"

namespace tutti::strategy {
namespace {

constexpr const char* kFactor = "learning_rate_factor";
constexpr const char* kBest = "plateau_best_loss";
constexpr const char* kSince = "plateau_rounds";

}  // namespace

bool HasPlateau(const v1::TrainingSpec& training) { return training.schedule() == "plateau"; }

StatusOr<Plateau> PlateauOf(const model::Metadata& metadata) {
  Plateau plateau;
  TUTTI_ASSIGN(const std::optional<double> factor, model::NumberIn(metadata, kFactor));
  TUTTI_ASSIGN(plateau.best, model::NumberIn(metadata, kBest));
  TUTTI_ASSIGN(const std::optional<double> since, model::NumberIn(metadata, kSince));
  plateau.factor = factor.value_or(1);
  if (!(plateau.factor > 0 && plateau.factor <= 1)) {
    return InvalidArgument(Join("the checkpoint's ", kFactor, " is ", plateau.factor,
                                ", expected above 0 and at most 1"));
  }
  if (!(since.value_or(0) >= 0 && since.value_or(0) < 0x1p53)) {
    return InvalidArgument(
        Join("the checkpoint's ", kSince, " is ", *since, ", expected a number of rounds"));
  }
  plateau.rounds_since = static_cast<std::uint64_t>(since.value_or(0));
  return plateau;
}

void SetPlateau(const Plateau& plateau, model::Metadata& metadata) {
  model::SetNumber(kFactor, plateau.factor, metadata);
  if (plateau.best) model::SetNumber(kBest, *plateau.best, metadata);
  metadata[kSince] = std::to_string(plateau.rounds_since);
}

Plateau NextPlateau(const v1::TrainingSpec& training, Plateau plateau, double loss) {
  if (std::isfinite(loss) && (!plateau.best || loss < *plateau.best)) {
    plateau.best = loss;
    plateau.rounds_since = 0;
    return plateau;
  }
  if (++plateau.rounds_since < training.plateau_rounds()) return plateau;
  plateau.rounds_since = 0;
  const double lowered = plateau.factor * training.plateau_factor();
  // Far below what moves a float32 weight the factor stays what it is.
  if (lowered > 1e-12) plateau.factor = lowered;
  return plateau;
}

}  // namespace tutti::strategy
