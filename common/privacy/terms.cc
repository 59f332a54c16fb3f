#include "common/privacy/terms.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/dp/accountant.h"
#include "common/dp/calibration.h"
#include "common/dp/distributed.h"
#include "common/secagg/noised_range.h"
#include "common/secagg/value_sample.h"

namespace tutti::privacy {
namespace {

// Norms are float32 results: how much longer than stated a clipped vector may be, relative.
constexpr double kNormMargin = 1e-5;
// Error of rotating a vector, relative to its length: see rotation.h, block_bits = 16.
constexpr double kRotationError = 18 * 0x1p-24;
constexpr double kRoundingBeta = 0.60653065971263342;  // e^-1/2, as the authors choose it

bool Adaptive(const v1::PrivacySpec& privacy) { return privacy.target_quantile() > 0; }

// Norms that are counted in a round when everybody is there.
double ExpectedCount(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                     const Setting& setting) {
  const double clients = round.max_cohort;
  return setting.unit == Unit::kClient ? clients : clients * task.training().batch_size();
}

Status CheckOneStep(const v1::TrainingSpec& training) {
  const bool plain = training.local_steps() == 1 && training.local_epochs() == 0 &&
                     (training.optimiser().empty() || training.optimiser() == "sgd") &&
                     training.momentum() == 0 && training.weight_decay() == 0;
  if (plain) return OkStatus();
  return InvalidArgument(
      "noise that is complete only in the sum of all clients allows one plain step a round; set "
      "training.local_steps = 1, optimiser = \"sgd\", momentum = 0 and weight_decay = 0 (momentum "
      "may be the server's)");
}

// Everything that does not depend on how much noise there is.
StatusOr<Terms> Frame(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  const v1::PrivacySpec& privacy = task.privacy();
  Terms terms;
  TUTTI_ASSIGN(terms.setting, SettingOf(task));
  TUTTI_CHECK(terms.setting.in_ring());
  if (terms.setting.unit == Unit::kExample) {
    TUTTI_TRY(CheckOneStep(task.training()));
    terms.sampling_rate = privacy.sampling_rate();
    if (!(terms.sampling_rate > 0 && terms.sampling_rate <= 1)) {
      return InvalidArgument(
          Join("privacy.sampling_rate is ", terms.sampling_rate,
               ", expected above 0 to 1: with noise of all clients together every client has to "
               "sample at the same rate; about batch_size / examples of a client"));
    }
  }
  const std::uint64_t sent =
      secagg::SampledCount(task.values(), task.secure_aggregation().sampled_fraction());
  terms.shape = {.values = sent + (Adaptive(privacy) ? 1 : 0)};
  terms.fewest_clients = round.min_survivors;
  terms.colluders =
      terms.setting.noise == NoiseSource::kDistributed ? ColludersOf(round) : std::uint64_t{0};
  if (terms.fewest_clients <= terms.colluders) return NobodysNoise(round, terms.colluders);
  terms.rounds = task.rounds();
  terms.planned_rounds = privacy.planned_rounds() > 0 ? privacy.planned_rounds() : task.rounds();
  terms.step = secagg::GridStep(round);
  terms.encoding.clip_limit = task.secure_aggregation().value_clip();
  return terms;
}

// One unit's largest distance in the vector, in clip norms, before rounding.
double Reach(const Terms& terms, const v1::TaskSpec& task) {
  const double half = terms.count_weight / 2;
  const double exact = std::sqrt(1 + half * half) * (1 + kNormMargin);
  if (terms.setting.unit == Unit::kClient) return exact * (1 + 2 * kRotationError);
  // The errors of rotating two neighbouring sums are relative to the sums. More examples than this
  // are in a batch with probability below 1e-20.
  const double batch = task.training().batch_size();
  return exact + 4 * kRotationError * exact * (batch + 12 * std::sqrt(batch) + 50);
}

// Where the coordinator adds the noise, it first turns the sum back in floats, with an error
// relative to the sum, and rounds it to a grid of 2^-24 of the noise (server/job/sum_privacy.h):
// how much further apart that may move two neighbouring sums.
double CoordinatorRounding(const Terms& terms, const v1::TaskSpec& task,
                           const secagg::RoundConfig& round, double reach) {
  const double batch = task.training().batch_size();
  const double units = terms.setting.unit == Unit::kClient ? 1 : batch + 12 * std::sqrt(batch) + 50;
  const auto values = static_cast<double>(terms.shape.padded_values());
  return 4 * kRotationError * reach * units * round.max_cohort +
         std::sqrt(values) * terms.noise_multiplier * 0x1p-24;
}

void AddNoise(const v1::TaskSpec& task, const secagg::RoundConfig& round, double noise_multiplier,
              Terms& terms) {
  terms.noise_multiplier = noise_multiplier;
  if (Adaptive(task.privacy())) {
    const double wanted = task.privacy().count_stddev();
    terms.count_stddev = wanted > 0 ? wanted : ExpectedCount(task, round, terms.setting) / 20;
    terms.count_weight = noise_multiplier / terms.count_stddev;
  }
  const std::uint64_t values = terms.shape.padded_values();
  double longest = Reach(terms, task);
  if (terms.setting.noise_by_coordinator()) {
    longest += CoordinatorRounding(terms, task, round, longest);
  }
  const double reach = longest / terms.step;
  const bool whole_vector = terms.setting.unit == Unit::kClient;
  terms.l2_sensitivity = dp::RoundedL2Norm(reach, values, whole_vector ? kRoundingBeta : 0);
  terms.l1_sensitivity = dp::RoundedL1Norm(terms.l2_sensitivity, values);
  terms.encoding.l2_bound = whole_vector ? terms.l2_sensitivity : 0;
  if (terms.setting.noise_in_ring()) {
    const bool shared = terms.setting.noise == NoiseSource::kDistributed;
    const auto honest = static_cast<double>(terms.fewest_clients - terms.colluders);
    terms.share_stddev = noise_multiplier / (shared ? std::sqrt(honest) : 1);
    terms.encoding.share = {.kind = terms.setting.distribution == Distribution::kSkellam
                                        ? secagg::NoiseShare::Kind::kSkellam
                                        : secagg::NoiseShare::Kind::kDiscreteGaussian,
                            .stddev = terms.share_stddev};
  }
}

Observer PromisedTo(const Setting& setting) {
  return setting.noise_by_coordinator() ? Observer::kModels : Observer::kCoordinator;
}

// Epsilon of all planned rounds together.
StatusOr<double> PlannedCost(const Terms& terms, double delta) {
  dp::Event event = EventOf(terms, PromisedTo(terms.setting), terms.fewest_clients);
  if (terms.setting.noise != NoiseSource::kTree) {
    event = dp::WithSteps(std::move(event), terms.planned_rounds);
  }
  TUTTI_ASSIGN(const dp::SpentBudget spent,
               dp::SpentEpsilon(std::span<const dp::Event>(&event, 1), delta));
  return spent.epsilon;
}

// The noise the task asks for, on the grid that `frame` states.
StatusOr<double> NoiseOf(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                         const Terms& frame) {
  const v1::PrivacySpec& privacy = task.privacy();
  if (privacy.noise_multiplier() > 0) return privacy.noise_multiplier();
  if (!(privacy.target_epsilon() > 0)) {
    return InvalidArgument(
        "the job has neither noise_multiplier nor target_epsilon, so no noise; expected one of "
        "them");
  }
  return dp::CalibrateNoiseBy(
      [&](double noise_multiplier) {
        Terms terms = frame;
        AddNoise(task, round, noise_multiplier, terms);
        return PlannedCost(terms, privacy.delta());
      },
      {privacy.target_epsilon(), privacy.delta()});
}

// What a client can draw, so that no round fails while it encodes.
Status CheckShare(const Terms& terms) {
  if (!terms.setting.noise_in_ring()) return OkStatus();
  const double steps = terms.share_stddev / terms.step;
  if (steps < secagg::kLeastShareSteps) {
    return InvalidArgument(Join("one client's noise is ", steps,
                                " steps of the grid, expected at least ", secagg::kLeastShareSteps,
                                "; raise secure_aggregation.value_bits or the noise"));
  }
  if (terms.setting.distribution == Distribution::kSkellam && steps > secagg::kMostSkellamSteps) {
    return InvalidArgument(Join("one client's noise is ", steps,
                                " steps of the grid, Skellam noise is drawn up to ",
                                secagg::kMostSkellamSteps,
                                "; lower secure_aggregation.value_bits, or take "
                                "privacy.distribution = \"discrete_gaussian\""));
  }
  return OkStatus();
}

}  // namespace

StatusOr<Terms> TermsOf(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  TUTTI_ASSIGN(Terms terms, Frame(task, round));
  const std::uint64_t padded = terms.shape.padded_values();
  if (round.values != padded) {
    return InvalidArgument(
        Join("the round has ", round.values, " values, its task needs ", padded));
  }
  TUTTI_ASSIGN(const double noise, NoiseOf(task, round, terms));
  AddNoise(task, round, noise, terms);
  TUTTI_TRY(CheckShare(terms));
  return terms;
}

StatusOr<secagg::RoundConfig> FitRing(const v1::TaskSpec& task, secagg::RoundConfig round) {
  TUTTI_ASSIGN(Terms terms, Frame(task, round));
  round.values = terms.shape.padded_values();
  round.value_clip = task.secure_aggregation().value_clip();
  if (!terms.setting.noise_in_ring()) return round;
  // The range follows from the noise and, through the grid, the noise from the range. The noise
  // changes little with the grid, so this settles at once.
  double planned_for = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    terms.step = secagg::GridStep(round);
    TUTTI_ASSIGN(const double noise, NoiseOf(task, round, terms));
    AddNoise(task, round, noise, terms);
    if (terms.share_stddev <= planned_for) return round;
    planned_for = 1.01 * terms.share_stddev;
    secagg::NoiseShare share = terms.encoding.share;
    share.stddev = planned_for;
    TUTTI_ASSIGN(
        const secagg::NoisedRange range,
        secagg::PlanNoisedRange({.signal_clip = terms.encoding.clip_limit,
                                 .share = share,
                                 .fewest_clients = static_cast<std::uint32_t>(terms.fewest_clients),
                                 .values = round.values,
                                 .value_bits = round.value_bits}));
    round.value_clip = range.value_clip;
  }
  return InvalidArgument(Join("rounding to ", round.value_bits,
                              " bits costs so much privacy that no noise makes up for it; raise "
                              "secure_aggregation.value_bits"));
}

dp::Event EventOf(const Terms& terms, Observer observer, std::uint64_t clients) {
  const Setting& setting = terms.setting;
  if (setting.noise_by_coordinator() && observer == Observer::kCoordinator) {
    return dp::UnknownRelease{.name = "noise of the coordinator itself", .steps = 1};
  }
  const double relative = terms.noise_multiplier / (terms.l2_sensitivity * terms.step);
  if (setting.noise == NoiseSource::kTree) {
    return dp::TreeAggregation{
        .noise_multiplier = relative / static_cast<double>(terms.planned_rounds),
        .leaves = std::max<std::uint64_t>(terms.rounds, 1),
        .steps = 1};
  }
  if (setting.noise == NoiseSource::kCentral) {
    return dp::SubsampledGaussian{terms.sampling_rate, relative, 1};
  }
  std::uint64_t shares = 1;
  if (setting.noise == NoiseSource::kDistributed) {
    const std::uint64_t doubtful = observer == Observer::kCoordinator ? terms.colluders : 0;
    if (clients <= doubtful) return dp::UnknownRelease{.name = "no honest share", .steps = 1};
    shares = clients - doubtful;
  }
  const double share_steps = terms.share_stddev / terms.step;
  if (setting.distribution == Distribution::kSkellam) {
    return dp::Skellam{.variance = static_cast<double>(shares) * share_steps * share_steps,
                       .l1_sensitivity = terms.l1_sensitivity,
                       .l2_sensitivity = terms.l2_sensitivity,
                       .sampling_rate = terms.sampling_rate,
                       .steps = 1};
  }
  return dp::DistributedDiscreteGaussian{.share_sigma = share_steps,
                                         .shares = shares,
                                         .l1_sensitivity = terms.l1_sensitivity,
                                         .l2_sensitivity = terms.l2_sensitivity,
                                         .values = terms.shape.padded_values(),
                                         .sampling_rate = terms.sampling_rate,
                                         .steps = 1};
}

double UnitScale(const v1::TaskSpec& task, double clip_norm) {
  if (task.privacy().unit() == "client") return clip_norm;
  return clip_norm * task.training().learning_rate() / task.training().batch_size();
}

std::uint64_t ColludersOf(const secagg::RoundConfig& round) {
  const double clients = static_cast<double>(round.max_cohort) * round.groups;
  return static_cast<std::uint64_t>(std::floor(round.corrupt_fraction * clients + 1e-9));
}

Status NobodysNoise(const secagg::RoundConfig& round, std::uint64_t colluders) {
  return InvalidArgument(
      Join("a sum of ", round.min_survivors, " clients may be opened, and up to ", colluders,
           " of them may work together (corrupt_fraction ", round.corrupt_fraction, " of ",
           round.max_cohort,
           "), so nobody's noise can be counted on; raise cohort.min_clients, or lower "
           "secure_aggregation.corrupt_fraction"));
}

ByteArray<32> RotationSeed(const secagg::RoundConfig& round) {
  ByteWriter writer;
  writer.Raw(AsBytes(std::string_view("tutti.rotation.v1")));
  writer.Sized(AsBytes(round.job));
  writer.U64(round.round);
  writer.U64(round.attempt);
  return crypto::Sha256(writer.Take());
}

}  // namespace tutti::privacy
