#include "tests/bench/audit/experiment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/dp/accountant.h"
#include "common/dp/pld.h"
#include "common/model/architecture.h"
#include "common/privacy/setting.h"
#include "tests/bench/audit/sum.h"
#include "tests/bench/audit/training.h"

namespace tutti::audit {
namespace {

constexpr double kFar = 1000;         // times the clip norm: as good as no clipping
constexpr double kLittle = 0.05;      // of the noise, believed in where there is none
constexpr double kLongUpdate = 8;     // clip norms, of clients whose update should be clipped
constexpr std::uint64_t kRoom = 256;  // values of the model in client audits

constexpr std::array<std::pair<std::string_view, Sabotage>, 7> kNames = {
    {{"none", Sabotage::kNone},
     {"no-noise", Sabotage::kNoNoise},
     {"quarter-noise", Sabotage::kQuarterNoise},
     {"no-clipping", Sabotage::kNoClipping},
     {"always-sampled", Sabotage::kAlwaysSampled},
     {"fixed-batches", Sabotage::kFixedBatches},
     {"forgotten-share", Sabotage::kForgottenShare}}};

Status NoPlace(const Experiment& experiment, const privacy::Setting& setting) {
  return InvalidArgument(Join(privacy::MechanismName(setting), " has no place for the sabotage ",
                              NameOf(experiment.sabotage)));
}

double NoiseFactor(Sabotage sabotage) {
  if (sabotage == Sabotage::kNoNoise) return 0;
  return sabotage == Sabotage::kQuarterNoise ? 0.25 : 1;
}

// What is wrong with the clients' contributions.
Status Break(const Experiment& experiment, RoundToAttack& round) {
  const bool client = round.terms.setting.unit == privacy::Unit::kClient;
  switch (experiment.sabotage) {
    case Sabotage::kNone:
      return OkStatus();
    case Sabotage::kQuarterNoise:
      round.noise_factor = NoiseFactor(experiment.sabotage);
      return OkStatus();
    case Sabotage::kNoNoise:
      round.silent = experiment.clients;
      return OkStatus();
    case Sabotage::kForgottenShare:
      round.silent = 1;
      return OkStatus();
    case Sabotage::kNoClipping:
      round.unclipped = client;  // examples are clipped by the trainer
      return OkStatus();
    case Sabotage::kAlwaysSampled:
      return client ? NoPlace(experiment, round.terms.setting) : OkStatus();
    case Sabotage::kFixedBatches:
      break;
  }
  return NoPlace(experiment, round.terms.setting);
}

// What is wrong with the training of the attacked client.
StepSpecs Break(const Experiment& experiment, StepSpecs specs) {
  v1::PrivacySpec& privacy = specs.privacy;
  privacy.set_noise_multiplier(privacy.noise_multiplier() * NoiseFactor(experiment.sabotage));
  if (experiment.sabotage == Sabotage::kNoClipping) {
    privacy.set_clip_norm(privacy.clip_norm() * kFar);
    privacy.set_noise_multiplier(privacy.noise_multiplier() / kFar);
  }
  if (experiment.sabotage == Sabotage::kAlwaysSampled) {
    // The sum is still divided by what the rate makes one expect.
    specs.training.set_learning_rate(specs.training.learning_rate() / privacy.sampling_rate());
    privacy.set_sampling_rate(1);
  }
  return specs;
}

std::uint64_t BatchesByTurns(double sampling_rate) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::lround(1 / sampling_rate)));
}

// The examples whose turn it is, all of them in the batch.
Status TrainTurn(const Present& present, std::uint64_t step, StepSpecs specs,
                 std::span<float> weights, SecureRng& rng) {
  const std::uint64_t batches = BatchesByTurns(specs.privacy.sampling_rate());
  Present turn{.subject = present.subject, .ids = {}};
  std::copy_if(present.ids.begin(), present.ids.end(), std::back_inserter(turn.ids),
               [&](std::uint32_t id) { return id % batches == step % batches; });
  const double share =
      static_cast<double>(turn.ids.size()) / static_cast<double>(present.ids.size());
  specs.training.set_learning_rate(specs.training.learning_rate() * share /
                                   specs.privacy.sampling_rate());
  specs.privacy.set_sampling_rate(1);
  return TrainStep(turn, specs, weights, rng);
}

// What the attacker knows of who is in which step.
Chance ChanceOf(const Experiment& experiment) {
  if (experiment.sabotage == Sabotage::kAlwaysSampled) {
    return [](std::uint32_t, std::uint64_t) { return 1.0; };
  }
  if (experiment.sabotage == Sabotage::kFixedBatches) {
    const std::uint64_t batches = BatchesByTurns(experiment.privacy.sampling_rate());
    return [batches, base = experiment.base](std::uint32_t canary, std::uint64_t step) {
      return (base + canary) % batches == step % batches ? 1.0 : 0.0;
    };
  }
  return {};
}

RoundSettings SettingsOf(const Experiment& experiment, std::uint64_t values) {
  RoundSettings settings{.privacy = experiment.privacy,
                         .values = values,
                         .clients = experiment.clients,
                         .colluders = experiment.colluders};
  settings.training.set_optimiser("sgd");
  settings.training.set_learning_rate(experiment.learning_rate);
  settings.training.set_local_steps(1);
  settings.training.set_batch_size(static_cast<std::uint32_t>(std::lround(std::max(
      1.0, experiment.privacy.sampling_rate() * (experiment.base + 0.5 * experiment.canaries)))));
  return settings;
}

// Outcomes of all runs, and one event for what each of them promises.
struct Played {
  std::vector<Outcome> outcomes;
  dp::Event event;
};

StatusOr<Played> PlayClients(const Experiment& experiment, SecureRng& coins, SecureRng& rng) {
  TUTTI_ASSIGN(RoundToAttack round, RoundOf(SettingsOf(experiment, kRoom)));
  TUTTI_TRY(Break(experiment, round));
  const std::uint64_t each = round.counted();
  Played played{.outcomes = {}, .event = round.event()};
  const std::uint64_t sums = std::uint64_t{experiment.runs} * experiment.canaries;
  TUTTI_ASSIGN(
      played.outcomes,
      Attack(round, {.sums = (sums + each - 1) / each, .length = kLongUpdate}, coins, rng));
  return played;
}

// The attacker knows of the sabotage: what it finds is what the mechanism gives away.
TrainingAttack AttackOf(const Experiment& experiment, const privacy::Setting& setting,
                        const Subject& subject) {
  return {.subject = subject,
          .claim = {.clip_norm = experiment.privacy.clip_norm(),
                    .noise_multiplier = experiment.privacy.noise_multiplier(),
                    .sampling_rate = experiment.privacy.sampling_rate(),
                    .learning_rate = experiment.learning_rate,
                    .steps = experiment.steps},
          .chance = ChanceOf(experiment),
          .believed_noise = experiment.privacy.noise_multiplier() *
                            std::max(NoiseFactor(experiment.sabotage), kLittle),
          // In the sum single values are still clamped.
          .believed_unclipped = experiment.sabotage == Sabotage::kNoClipping && !setting.in_ring()};
}

StatusOr<Played> PlayExamples(const Experiment& experiment, const privacy::Setting& setting,
                              SecureRng& coins, SecureRng& rng) {
  TUTTI_ASSIGN(const Subject subject,
               experiment.job_model
                   ? SubjectOf(*experiment.job_model, experiment.canaries, experiment.base)
                   : SubjectOf(experiment.model, experiment.canaries, experiment.base));
  TrainingAttack attack = AttackOf(experiment, setting, subject);
  const StepSpecs specs = Break(experiment, SpecsOf(attack.claim));
  Played played{.outcomes = {},
                .event = dp::SubsampledGaussian{attack.claim.sampling_rate,
                                                attack.claim.noise_multiplier, attack.claim.steps}};
  std::optional<RoundToAttack> round;
  if (setting.in_ring()) {
    TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(subject.model));
    TUTTI_ASSIGN(round, RoundOf(SettingsOf(experiment, layout.values)));
    TUTTI_TRY(Break(experiment, *round));
    played.event = dp::WithSteps(round->event(), attack.claim.steps);
  } else if (experiment.sabotage == Sabotage::kForgottenShare) {
    return NoPlace(experiment, setting);
  }
  const Release release = [&](const Present& present, std::uint64_t step,
                              std::span<float> weights) {
    if (round) return TrainSummedStep(present, *round, specs, weights, rng);
    if (experiment.sabotage == Sabotage::kFixedBatches) {
      return TrainTurn(present, step, specs, weights, rng);
    }
    return TrainStep(present, specs, weights, rng);
  };
  for (std::uint32_t run = 1; run <= experiment.runs; ++run) {
    if (experiment.progress) {
      attack.progress = [&](std::uint64_t done) {
        experiment.progress(Join("run ", run, " of ", experiment.runs, ", step ", done, " of ",
                                 attack.claim.steps));
      };
    }
    TUTTI_ASSIGN(const std::vector<Outcome> outcomes, Attack(attack, release, coins));
    played.outcomes.insert(played.outcomes.end(), outcomes.begin(), outcomes.end());
  }
  return played;
}

}  // namespace

StatusOr<Sabotage> SabotageOf(std::string_view name) {
  for (const auto& [word, sabotage] : kNames) {
    if (word == name) return sabotage;
  }
  return InvalidArgument(Join("sabotage is \"", Escaped(std::string(name), 40),
                              "\", expected one of those that --help lists"));
}

std::string_view NameOf(Sabotage sabotage) {
  for (const auto& [word, value] : kNames) {
    if (value == sabotage) return word;
  }
  return "none";
}

StatusOr<Report> Run(const Experiment& experiment, SecureRng& coins, SecureRng& rng) {
  TUTTI_ASSIGN(const privacy::Setting setting, privacy::SettingOf(experiment.privacy));
  if (!setting.noise_in_trainer() && !setting.noise_in_ring()) {
    return InvalidArgument(
        Join("the audit plays the part of a client and attacks noise that "
             "clients add, not ",
             privacy::MechanismName(setting)));
  }
  if (setting.unit == privacy::Unit::kClient && experiment.steps != 1) {
    return InvalidArgument(
        Join("steps is ", experiment.steps, ", expected 1: clients are attacked in one sum each"));
  }
  if (experiment.privacy.target_quantile() > 0) {
    return InvalidArgument("the audit knows no adaptive clipping; set target_quantile = 0");
  }
  TUTTI_ASSIGN(const Played played, setting.unit == privacy::Unit::kClient
                                        ? PlayClients(experiment, coins, rng)
                                        : PlayExamples(experiment, setting, coins, rng));
  Report report;
  report.mechanism = privacy::MechanismName(setting);
  dp::CommonRelation relation;
  TUTTI_TRY(relation.Add(played.event));
  report.relation = dp::NameOf(relation.relation());
  const std::span<const dp::Event> events(&played.event, 1);
  TUTTI_ASSIGN(const dp::SpentBudget rdp, dp::SpentEpsilon(events, experiment.delta));
  TUTTI_ASSIGN(const dp::PldBudget pld, dp::SpentEpsilonByPld(events, experiment.delta));
  report.epsilon_rdp = rdp.epsilon;
  report.epsilon_claimed = std::min(pld.epsilon, rdp.epsilon);
  report.accountant = pld.epsilon < rdp.epsilon ? "pld" : "rdp";
  report.one_run = BestOneRun(played.outcomes, experiment.delta, experiment.failure);
  report.epsilon_lower_gaussian =
      GaussianEpsilon(played.outcomes, experiment.delta, experiment.failure);
  return report;
}

}  // namespace tutti::audit
