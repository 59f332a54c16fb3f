// Audits of each mechanism as clients run it, with fixed seeds: nothing is found beyond the
// promise, and each fault of a mechanism that is broken on purpose is found. False alarms: each
// bound is above the truth with probability at most 1e-3, so an honest mechanism fails this
// program, with 7 honest audits of two bounds, with at most 0.014 on seeds nobody has tried.
#include "tests/bench/audit/experiment.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::audit {
namespace {

constexpr double kFailure = 1e-3;
// Small against failure / canaries, or what delta allows would explain every right guess.
constexpr double kDelta = 1e-7;

v1::PrivacySpec Privacy(const std::string& unit, const std::string& noise, double multiplier) {
  v1::PrivacySpec spec;
  spec.set_unit(unit);
  spec.set_noise(noise);
  spec.set_clip_norm(0.5);
  spec.set_noise_multiplier(multiplier);
  spec.set_delta(kDelta);
  if (unit == "example") spec.set_sampling_rate(1);
  return spec;
}

Report Audited(Experiment experiment, Sabotage sabotage = Sabotage::kNone) {
  experiment.sabotage = sabotage;
  experiment.failure = kFailure;
  experiment.delta = kDelta;
  SeededSecureRng coins(11);
  SeededSecureRng rng(12);
  const StatusOr<Report> report = Run(experiment, coins, rng);
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  UNSCOPED_INFO(NameOf(sabotage) << ": claimed " << report->epsilon_claimed << ", one run "
                                 << report->one_run.epsilon << ", Gaussian "
                                 << report->epsilon_lower_gaussian);
  return *report;
}

// Neither bound is above the promise, and the attack is worth its name: it finds this share of it.
void RequireKept(const Experiment& experiment, double share_found) {
  const Report report = Audited(experiment);
  REQUIRE(report.relation == "add-or-remove-one");
  REQUIRE(report.one_run.epsilon < report.epsilon_claimed);
  REQUIRE(report.epsilon_lower_gaussian < report.epsilon_claimed);
  REQUIRE(report.epsilon_lower_gaussian > share_found * report.epsilon_claimed);
}

// The bound that assumes nothing about the noise is above even what a ledger would say.
void RequireCaught(const Experiment& experiment, Sabotage sabotage) {
  const Report report = Audited(experiment, sabotage);
  REQUIRE(report.one_run.epsilon > report.epsilon_rdp);
}

// For faults that are too small for that bound: the one that believes in Gaussian noise is.
void RequireCaughtByFit(const Experiment& experiment, Sabotage sabotage) {
  const Report report = Audited(experiment, sabotage);
  REQUIRE(report.epsilon_lower_gaussian > report.epsilon_rdp);
}

// DP-SGD in the trainer, four sampled steps.
Experiment Sampled() {
  Experiment experiment;
  experiment.privacy = Privacy("example", "local", 1.2);
  experiment.privacy.set_sampling_rate(0.2);
  experiment.steps = 4;
  experiment.canaries = 2000;
  experiment.base = 100;
  return experiment;
}

TEST_CASE("DP-SGD keeps its promise", "[audit][statistical]") {
  RequireKept(Sampled(), 0.15);
  Experiment whole = Sampled();
  whole.steps = 1;
  whole.privacy.set_sampling_rate(1);
  RequireKept(whole, 0.6);
}

TEST_CASE("DP-SGD without noise, with a quarter of it, or without clipping is caught",
          "[audit][statistical]") {
  Experiment weak = Sampled();
  weak.privacy.set_noise_multiplier(2);
  RequireCaught(weak, Sabotage::kNoNoise);
  RequireCaught(weak, Sabotage::kQuarterNoise);
  RequireCaught(weak, Sabotage::kNoClipping);
}

TEST_CASE("DP-SGD that claims sampling it does not do is caught", "[audit][statistical]") {
  Experiment always = Sampled();
  always.privacy.set_sampling_rate(0.05);
  always.steps = 12;
  always.canaries = 1000;
  RequireCaught(always, Sabotage::kAlwaysSampled);
  Experiment turns = Sampled();
  turns.privacy.set_sampling_rate(0.02);
  turns.privacy.set_noise_multiplier(1);
  turns.steps = 50;  // each canary is in one of them, the attacker knows in which
  RequireCaughtByFit(turns, Sabotage::kFixedBatches);
}

Experiment SummedExamples() {
  Experiment experiment;
  experiment.privacy = Privacy("example", "distributed", 1);
  experiment.canaries = 2000;
  experiment.base = 100;
  experiment.clients = 3;  // one of them colludes, so two shares are counted on
  return experiment;
}

TEST_CASE("noise in the sum keeps its promise to examples", "[audit][statistical]") {
  RequireKept(SummedExamples(), 0.5);
  Experiment skellam = SummedExamples();
  skellam.privacy.set_distribution("skellam");
  RequireKept(skellam, 0.5);
}

TEST_CASE("noise in the sum that is missing, small or of unclipped gradients is caught",
          "[audit][statistical]") {
  Experiment weak = SummedExamples();
  weak.privacy.set_noise_multiplier(2);
  RequireCaught(weak, Sabotage::kNoNoise);
  RequireCaught(weak, Sabotage::kQuarterNoise);
  RequireCaught(weak, Sabotage::kNoClipping);
}

Experiment Clients(const std::string& noise, const std::string& distribution, double multiplier) {
  Experiment experiment;
  experiment.privacy = Privacy("client", noise, multiplier);
  experiment.privacy.set_distribution(distribution);
  experiment.canaries = 3000;
  experiment.clients = 3;
  return experiment;
}

TEST_CASE("noise in the sum keeps its promise to clients", "[audit][statistical]") {
  for (const char* const distribution : {"discrete_gaussian", "skellam"}) {
    RequireKept(Clients("distributed", distribution, 1), 0.5);
  }
  RequireKept(Clients("local", "discrete_gaussian", 1), 0.5);
}

TEST_CASE("client noise that is missing or small, and updates that are not clipped, are caught",
          "[audit][statistical]") {
  for (const char* const noise : {"local", "distributed"}) {
    const Experiment clients = Clients(noise, "discrete_gaussian", 2);
    RequireCaught(clients, Sabotage::kNoNoise);
    RequireCaught(clients, Sabotage::kQuarterNoise);
    RequireCaught(clients, Sabotage::kNoClipping);
  }
}

TEST_CASE("one client that forgets its share of the noise is caught", "[audit][statistical]") {
  // Half of the variance is missing. Local noise is all of a client's own.
  for (const char* const distribution : {"discrete_gaussian", "skellam"}) {
    RequireCaughtByFit(Clients("distributed", distribution, 0.5), Sabotage::kForgottenShare);
  }
  RequireCaughtByFit(SummedExamples(), Sabotage::kForgottenShare);
  RequireCaught(Clients("local", "discrete_gaussian", 2), Sabotage::kForgottenShare);
}

TEST_CASE("an audit that has no place for a fault says so", "[audit]") {
  SeededSecureRng rng(1);
  Experiment experiment = Sampled();
  experiment.sabotage = Sabotage::kForgottenShare;
  REQUIRE(Run(experiment, rng, rng).status().code() == StatusCode::kInvalidArgument);
  Experiment clients = Clients("local", "skellam", 1);
  clients.sabotage = Sabotage::kAlwaysSampled;
  REQUIRE(Run(clients, rng, rng).status().code() == StatusCode::kInvalidArgument);
  Experiment central = Sampled();
  central.privacy.set_noise("central");
  REQUIRE(Run(central, rng, rng).status().code() == StatusCode::kInvalidArgument);
  REQUIRE_FALSE(SabotageOf("unknown").ok());
  REQUIRE(*SabotageOf("fixed-batches") == Sabotage::kFixedBatches);
}

}  // namespace
}  // namespace tutti::audit
