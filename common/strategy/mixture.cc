#include "common/strategy/mixture.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/model/metadata_number.h"

namespace tutti::strategy {
namespace {

constexpr const char* kSum = "mixture_growth";
constexpr const char* kLast = "mixture_growth_last";

// Places in what is kept. The sum of many rounds needs more digits than a float has.
enum Place : std::size_t { kLogWeight, kSumHigh, kSumLow, kRound, kPlaces };

Status Refuse(std::string_view why, std::string_view fix) {
  return InvalidArgument(Join("training.agnostic_rate: ", why, "; ", fix));
}

// The weight relative to the others before this round's loss. The common factor of the round it is
// of is not known to a device that missed the next one: the mean over the rounds since stands for
// it.
double Before(const MixtureRound& round, std::span<const float> kept) {
  if (kept.size() != kPlaces) return 0;
  const double since = static_cast<double>(round.round) - kept[kRound];
  if (!(since >= 1)) return 0;  // of an earlier job of that name
  const double sum = static_cast<double>(kept[kSumHigh]) + kept[kSumLow];
  const double before = kept[kLogWeight] - (round.growth.sum - sum) / since;
  return std::isfinite(before) ? before : 0;
}

}  // namespace

StatusOr<MixtureGrowth> MixtureGrowthOf(const model::Metadata& metadata) {
  TUTTI_ASSIGN(const std::optional<double> sum, model::NumberIn(metadata, kSum));
  TUTTI_ASSIGN(const std::optional<double> last, model::NumberIn(metadata, kLast));
  return MixtureGrowth{.sum = sum.value_or(0), .last = last.value_or(0)};
}

void SetMixtureGrowth(const MixtureGrowth& growth, model::Metadata& metadata) {
  model::SetNumber(kSum, growth.sum, metadata);
  model::SetNumber(kLast, growth.last, metadata);
}

MixtureGrowth NextGrowth(const MixtureGrowth& growth, double mean_weight) {
  const double last = growth.last + std::log(mean_weight);
  return {.sum = growth.sum + last, .last = last};
}

model::Layout MixtureLayout() {
  model::Layout layout;
  layout.parameters.push_back({.name = "log_weight", .shape = {kPlaces}, .values = kPlaces});
  layout.values = kPlaces;
  return layout;
}

double LogWeight(const MixtureRound& round, std::span<const float> kept, double rate, double loss) {
  const double grown = Before(round, kept) + rate * loss - round.growth.last;
  if (std::isnan(grown)) return grown;
  return std::clamp(grown, std::log(kLeastMixtureWeight), std::log(kMostMixtureWeight));
}

std::vector<float> KeptWeight(const MixtureRound& round, double log_weight) {
  std::vector<float> kept(kPlaces);
  kept[kLogWeight] = static_cast<float>(log_weight + round.growth.last);
  kept[kSumHigh] = static_cast<float>(round.growth.sum);
  kept[kSumLow] = static_cast<float>(round.growth.sum - static_cast<double>(kept[kSumHigh]));
  kept[kRound] = static_cast<float>(round.round);
  return kept;
}

Status CheckAgnostic(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  if (training.fairness_power() > 0) {
    return Refuse("found beside fairness_power, which weighs clients in another way",
                  "keep one of the two");
  }
  if (!training.correction().empty() && training.correction() != "none") {
    return Refuse(Join("found beside correction = \"", Escaped(training.correction(), 40),
                       "\", which keeps or scales something of its own"),
                  "keep one of the two");
  }
  if (!task.model().personal().empty()) {
    return Refuse(
        "found beside model.personal: the loss of a client with parameters of its own is not that "
        "of the common model",
        "keep one of the two");
  }
  if (task.secure_aggregation().weighting() == "examples") {
    return Refuse("found with weighting = \"examples\", which counts clients in another way",
                  "use weighting = \"uniform\"");
  }
  if (task.robust().groups() > 1) {
    return Refuse("found with robust.groups, whose sums each have a mixture of their own",
                  "use groups = 1");
  }
  if (training.max_staleness() > 0) {
    return Refuse("found beside max_staleness: a late update has the weight of another round",
                  "keep one of the two");
  }
  return OkStatus();
}

}  // namespace tutti::strategy
