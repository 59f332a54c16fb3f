// One audit: a mechanism, what is promised of it, what is wrong with it on purpose, and what an
// attack proves. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "tests/bench/audit/bound.h"
#include "tutti/v1/task.pb.h"

namespace tutti::audit {

// Faults an audit has to find. They live here: no program that ships can be told to have one. The
// promise is always computed as if there were none.
enum class Sabotage {
  kNone,
  kNoNoise,
  kQuarterNoise,    // a quarter of the promised standard deviation
  kNoClipping,      // gradients or updates enter as long as they are
  kAlwaysSampled,   // every example is in every step
  kFixedBatches,    // 1 / rate batches by turns, the same ones each time
  kForgottenShare,  // one client of the sum adds no noise
};
StatusOr<Sabotage> SabotageOf(std::string_view name);
std::string_view NameOf(Sabotage sabotage);  // "none", "no-noise", "quarter-noise", ...

struct Experiment {
  // unit, noise, distribution, clip_norm, noise_multiplier, and with unit "example" sampling_rate.
  v1::PrivacySpec privacy;
  std::string model = "logistic";          // see SubjectOf; of the canaries with unit "example"
  std::optional<v1::ModelSpec> job_model;  // instead
  double learning_rate = 1e-3;
  std::uint32_t canaries = 1000;
  std::uint32_t base = 200;     // examples that are always in the data
  std::uint64_t steps = 1;      // attacked, each one's update by itself; 1 with unit "client"
  std::uint32_t runs = 1;       // with new coins each; together one attack
  std::uint32_t clients = 4;    // in a sum
  std::uint32_t colluders = 1;  // of them
  double delta = 1e-5;
  double failure = 0.05;  // probability that a bound is above the truth, for each bound
  Sabotage sabotage = Sabotage::kNone;
  std::function<void(const std::string&)> progress = {};
};

struct Report {
  std::string mechanism;
  std::string relation;
  double epsilon_claimed = 0;  // the smaller of the two accountants'
  std::string accountant;      // "pld" or "rdp"
  double epsilon_rdp = 0;      // what a device's ledger charges
  OneRunBound one_run;
  double epsilon_lower_gaussian = 0;
};

// `coins` decides who is in the data, `rng` batches, rounding and noise. InvalidArgument: the
// settings do not fit together, or the mechanism has no place for the sabotage.
StatusOr<Report> Run(const Experiment& experiment, SecureRng& coins, SecureRng& rng);

}  // namespace tutti::audit
