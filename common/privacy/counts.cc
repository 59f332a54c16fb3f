#include "common/privacy/counts.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/dp/accountant.h"
#include "common/dp/calibration.h"
#include "common/noise/integer_noise.h"
#include "common/privacy/setting.h"

namespace tutti::privacy {
namespace {

// The samplers cut off beyond 12.5 standard deviations of a share; sums are further inside.
constexpr double kMostStddevs = 12.5;
constexpr double kLaneLimit = 0x1p31;  // sums are read as signed numbers

StatusOr<Setting> CheckedSetting(const v1::TaskSpec& task) {
  TUTTI_ASSIGN(const Setting setting, SettingOf(task));
  if (setting.unit == Unit::kClient) {
    return InvalidArgument(
        "privacy.unit is \"client\", and what a client counts is protected for single examples "
        "only; use unit = \"example\" or \"none\", or do without counts");
  }
  const bool by_clients =
      setting.noise == NoiseSource::kLocal || setting.noise == NoiseSource::kDistributed;
  if (setting.with_privacy() && !by_clients) {
    return InvalidArgument(
        Join("privacy.noise is \"", task.privacy().noise(),
             "\", and noise on counts is added by the clients; use \"local\" or \"distributed\""));
  }
  return setting;
}

void AddNoise(double noise_multiplier, CountTerms& terms) {
  terms.noise_multiplier = noise_multiplier;
  const auto honest = static_cast<double>(terms.fewest_clients - terms.colluders);
  terms.share_stddevs = measure::NoiseStddevs(
      terms.layout, noise_multiplier / (terms.shared ? std::sqrt(honest) : 1));
}

StatusOr<double> MultiplierOf(const v1::TaskSpec& task, const CountTerms& frame) {
  const v1::PrivacySpec& privacy = task.privacy();
  if (measure::KindOf(task) == measure::Kind::kTrain) {
    if (privacy.counts_noise_multiplier() > 0) return privacy.counts_noise_multiplier();
    return InvalidArgument(
        "what clients count would be without noise; set privacy.counts_noise_multiplier, for "
        "instance to 4, or unit = \"none\"");
  }
  if (privacy.noise_multiplier() > 0) return privacy.noise_multiplier();
  if (!(privacy.target_epsilon() > 0)) {
    return InvalidArgument(
        "the job has neither noise_multiplier nor target_epsilon, so no noise; expected one of "
        "them");
  }
  const std::uint64_t rounds =
      privacy.planned_rounds() > 0 ? privacy.planned_rounds() : task.rounds();
  return dp::CalibrateNoiseBy(
      [&](double noise_multiplier) -> StatusOr<double> {
        CountTerms terms = frame;
        AddNoise(noise_multiplier, terms);
        const dp::Event all =
            dp::WithSteps(CountEvent(terms, Observer::kCoordinator, terms.fewest_clients), rounds);
        TUTTI_ASSIGN(const dp::SpentBudget spent,
                     dp::SpentEpsilon(std::span<const dp::Event>(&all, 1), privacy.delta()));
        return spent.epsilon;
      },
      {privacy.target_epsilon(), privacy.delta()});
}

Status CheckRange(const CountTerms& terms, const secagg::RoundConfig& round) {
  for (const double stddev : terms.share_stddevs) {
    const double most = kMostStddevs * stddev * std::sqrt(static_cast<double>(round.max_cohort));
    if (!(most < kLaneLimit / 2)) {
      return InvalidArgument(Join("noise of stddev ", stddev,
                                  " a client on counts could pass 2^30 ",
                                  "in a sum; lower the noise, or ask less at once"));
    }
  }
  return OkStatus();
}

}  // namespace

double CountTerms::NoiseIn(std::uint64_t clients) const {
  const auto counted = static_cast<double>(shared ? fewest_clients - colluders : 1);
  return noise_multiplier * std::sqrt(static_cast<double>(clients) / counted);
}

StatusOr<std::optional<CountTerms>> CountTermsOf(const v1::TaskSpec& task,
                                                 const secagg::RoundConfig& round) {
  CountTerms terms;
  TUTTI_ASSIGN(terms.layout, measure::LayoutOf(task));
  if (terms.layout.empty()) return std::optional<CountTerms>();
  TUTTI_ASSIGN(const Setting setting, CheckedSetting(task));
  terms.shared = setting.noise == NoiseSource::kDistributed;
  terms.fewest_clients = round.min_survivors;
  terms.colluders = terms.shared ? ColludersOf(round) : 0;
  if (!setting.with_privacy()) return std::optional(std::move(terms));
  if (terms.fewest_clients <= terms.colluders) return NobodysNoise(round, terms.colluders);
  TUTTI_ASSIGN(const double noise_multiplier, MultiplierOf(task, terms));
  AddNoise(noise_multiplier, terms);
  TUTTI_TRY(CheckRange(terms, round));
  return std::optional(std::move(terms));
}

dp::Event CountEvent(const CountTerms& terms, Observer observer, std::uint64_t clients) {
  if (terms.share_stddevs.empty()) return dp::SubsampledGaussian{};
  std::uint64_t shares = 1;
  if (terms.shared) {
    const std::uint64_t doubtful = observer == Observer::kCoordinator ? terms.colluders : 0;
    if (clients <= doubtful) return dp::UnknownRelease{.name = "no honest share", .steps = 1};
    shares = clients - doubtful;
  }
  // Lanes differ in their noise, and what an example changes in them by the same factor. In units
  // in which all have the noise of the one with the least, the sum's distance from a discrete
  // Gaussian is at most that of this one.
  const double least = *std::min_element(terms.share_stddevs.begin(), terms.share_stddevs.end());
  const auto counted =
      static_cast<double>(terms.shared ? terms.fewest_clients - terms.colluders : 1);
  const double reach = least * std::sqrt(counted) / terms.noise_multiplier;
  const std::uint64_t lanes = terms.layout.lanes();
  return dp::DistributedDiscreteGaussian{
      .share_sigma = least,
      .shares = shares,
      .l1_sensitivity = reach * std::sqrt(static_cast<double>(lanes)),
      .l2_sensitivity = reach,
      .values = lanes,
      .sampling_rate = 1,
      .steps = 1};
}

StatusOr<std::vector<std::uint32_t>> NoisyCounts(const CountTerms& terms,
                                                 const secagg::RoundConfig& round,
                                                 std::span<const std::uint64_t> counts,
                                                 SecureRng& rng) {
  const std::uint64_t lanes = terms.layout.lanes();
  if (counts.size() != lanes) {
    return InvalidArgument(Join("found ", counts.size(), " counts, the job has ", lanes));
  }
  const double limit = kLaneLimit / 2 / static_cast<double>(round.max_cohort);
  std::vector<std::int64_t> noisy(lanes);
  for (std::size_t i = 0; i < lanes; ++i) {
    if (static_cast<double>(counts[i]) >= limit) {
      return FailedPrecondition(Join("a count is ", counts[i], ", at most ", std::floor(limit),
                                     " fit beside those of ", round.max_cohort, " clients"));
    }
    noisy[i] = static_cast<std::int64_t>(counts[i]);
  }
  for (std::size_t first = 0; first < terms.share_stddevs.size();) {
    std::size_t end = first + 1;
    while (end < lanes && terms.share_stddevs[end] == terms.share_stddevs[first]) ++end;
    TUTTI_ASSIGN(noise::DiscreteGaussian noise,
                 noise::DiscreteGaussian::Make(terms.share_stddevs[first], rng));
    noise.AddTo(std::span(noisy).subspan(first, end - first));
    first = end;
  }
  std::vector<std::uint32_t> sent(lanes);
  std::transform(noisy.begin(), noisy.end(), sent.begin(),
                 [](std::int64_t count) { return static_cast<std::uint32_t>(count); });
  return sent;
}

StatusOr<std::vector<std::int64_t>> OpenCounts(const CountTerms& terms,
                                               std::span<const std::uint32_t> lanes,
                                               std::uint64_t clients) {
  if (lanes.size() != terms.layout.lanes()) {
    return InvalidArgument(
        Join("the sum has ", lanes.size(), " counts, the job has ", terms.layout.lanes()));
  }
  std::vector<std::int64_t> counts(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    counts[i] = static_cast<std::int32_t>(lanes[i]);
    const double stddev = terms.share_stddevs.empty() ? 0 : terms.share_stddevs[i];
    const double least = -kMostStddevs * stddev * std::sqrt(static_cast<double>(clients));
    if (static_cast<double>(counts[i]) < least - 0.5) {
      return DataLoss(Join("the sum of ", clients, " clients' counts is ", counts[i], " at place ",
                           i, "; a client sent a wrong vector, the sum is discarded"));
    }
  }
  return counts;
}

}  // namespace tutti::privacy
