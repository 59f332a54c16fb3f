#include "common/privacy/terms.h"

#include <cmath>

#include "common/dp/accountant.h"
#include "tests/unit/privacy/jobs.h"

namespace tutti::privacy {
namespace {

using testing::Fitted;
using testing::Task;
using testing::TermsFor;
using testing::Unfitted;

double EpsilonOf(const dp::Event& event, std::uint64_t steps) {
  const dp::Event all = dp::WithSteps(event, steps);
  return dp::SpentEpsilon(std::span<const dp::Event>(&all, 1), 1e-5)->epsilon;
}

TEST_CASE("shares are sized for the honest clients of the smallest sum", "[privacy]") {
  const Terms terms = TermsFor(Task("client", "distributed"));
  REQUIRE(terms.fewest_clients == 6);
  REQUIRE(terms.colluders == 1);
  REQUIRE(terms.share_stddev == Approx(1.5 / std::sqrt(5.0)));
  // Five honest shares together are the noise that was asked for, whoever else comes.
  const auto promised = std::get<dp::DistributedDiscreteGaussian>(
      EventOf(terms, Observer::kCoordinator, terms.fewest_clients));
  REQUIRE(promised.shares == 5);
  REQUIRE(promised.share_sigma * std::sqrt(5.0) * terms.step == Approx(1.5));
  REQUIRE(promised.l2_sensitivity * terms.step >= 1);
  REQUIRE(promised.l2_sensitivity * terms.step < 1.01);
  REQUIRE(terms.share_stddev >= 2 * terms.step);
}

TEST_CASE("more survivors, and seeing less, cost less", "[privacy]") {
  for (const char* const distribution : {"discrete_gaussian", "skellam"}) {
    v1::TaskSpec task = Task("client", "distributed");
    task.mutable_privacy()->set_distribution(distribution);
    const Terms terms = TermsFor(task);
    const double promised = EpsilonOf(EventOf(terms, Observer::kCoordinator, 6), 20);
    const double realised = EpsilonOf(EventOf(terms, Observer::kCoordinator, 10), 20);
    const double models = EpsilonOf(EventOf(terms, Observer::kModels, 6), 20);
    REQUIRE(realised < promised);
    REQUIRE(models < promised);
    // About that of a Gaussian of the whole noise: rounding costs little.
    const double gaussian = EpsilonOf(dp::SubsampledGaussian{1, 1.5, 1}, 20);
    REQUIRE(promised >= gaussian);
    REQUIRE(promised < gaussian * 1.05);  // Skellam is known at whole orders only
    REQUIRE(std::isinf(EpsilonOf(EventOf(terms, Observer::kCoordinator, 1), 1)));
  }
}

TEST_CASE("a central trainer's noise and sampling hold against the coordinator", "[privacy]") {
  const Terms terms = TermsFor(Task("example", "distributed"));
  REQUIRE(terms.sampling_rate == 0.02);
  const double promised = EpsilonOf(EventOf(terms, Observer::kCoordinator, 6), 500);
  const double central = EpsilonOf(dp::SubsampledGaussian{0.02, 1.5, 1}, 500);
  REQUIRE(promised >= central);
  REQUIRE(promised < central * 1.03);
}

TEST_CASE("a target is met by every planned round together, and not by less noise", "[privacy]") {
  for (const char* const unit : {"client", "example"}) {
    for (const char* const noise : {"local", "distributed", "central", "tree"}) {
      if (std::string(unit) == "example" && std::string(noise) == "local") continue;
      INFO(unit << " " << noise);
      v1::TaskSpec task = Task(unit, noise);
      task.mutable_privacy()->set_noise_multiplier(0);
      task.mutable_privacy()->set_target_epsilon(4);
      const Terms terms = TermsFor(task);
      const bool trusted = terms.setting.noise_by_coordinator();
      const Observer whom = trusted ? Observer::kModels : Observer::kCoordinator;
      const std::uint64_t steps = std::string(noise) == "tree" ? 1 : 20;
      const double epsilon = EpsilonOf(EventOf(terms, whom, 6), steps);
      REQUIRE(epsilon <= 4);
      REQUIRE(epsilon > 3.98);
      if (trusted) REQUIRE(std::isinf(EpsilonOf(EventOf(terms, Observer::kCoordinator, 6), 1)));
    }
  }
}

TEST_CASE("a tree is charged for all its rounds at once", "[privacy]") {
  v1::TaskSpec task = Task("client", "tree");
  task.mutable_privacy()->set_planned_rounds(2);
  const Terms terms = TermsFor(task);
  const auto tree = std::get<dp::TreeAggregation>(EventOf(terms, Observer::kModels, 6));
  REQUIRE(tree.leaves == 20);
  REQUIRE(tree.steps == 1);
  // Twice in a node doubles what the client moves it by.
  REQUIRE(tree.noise_multiplier == Approx(1.5 / 2).epsilon(0.02));
}

TEST_CASE("counting norms moves the vector further, and is charged", "[privacy]") {
  v1::TaskSpec task = Task("client", "distributed");
  const Terms fixed = TermsFor(task);
  task.mutable_privacy()->set_target_quantile(0.5);
  const Terms adaptive = TermsFor(task);
  REQUIRE(adaptive.count_stddev == 10.0 / 20);
  REQUIRE(adaptive.count_weight == Approx(3));
  REQUIRE(adaptive.shape.values == 1001);
  REQUIRE(adaptive.l2_sensitivity * adaptive.step ==
          Approx(fixed.l2_sensitivity * fixed.step * std::sqrt(1 + 1.5 * 1.5)).epsilon(1e-3));
  REQUIRE(EpsilonOf(EventOf(adaptive, Observer::kCoordinator, 6), 1) >
          EpsilonOf(EventOf(fixed, Observer::kCoordinator, 6), 1));
}

TEST_CASE("what the coordinator's floats may move is charged where it adds the noise",
          "[privacy]") {
  for (const char* const unit : {"client", "example"}) {
    const Terms shares = TermsFor(Task(unit, "distributed"));
    const Terms central = TermsFor(Task(unit, "central"));
    REQUIRE(central.l2_sensitivity * central.step > shares.l2_sensitivity * shares.step);
    REQUIRE(central.l2_sensitivity * central.step < 1.02);
  }
}

TEST_CASE("unsafe settings are refused with the way out", "[privacy]") {
  const auto refusal = [](const v1::TaskSpec& task, const secagg::RoundConfig& round) {
    const Status status = FitRing(task, round).status();
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    return std::string(MessageOf(status));
  };
  secagg::RoundConfig all_false = Unfitted();
  all_false.corrupt_fraction = 0.6;
  REQUIRE(refusal(Task("client", "distributed"), all_false).find("raise cohort.min_clients") !=
          std::string::npos);
  v1::TaskSpec steps = Task("example", "distributed");
  steps.mutable_training()->set_local_steps(2);
  REQUIRE(refusal(steps, Unfitted()).find("local_steps = 1") != std::string::npos);
  v1::TaskSpec unsampled = Task("example", "distributed");
  unsampled.mutable_privacy()->set_sampling_rate(0);
  REQUIRE(refusal(unsampled, Unfitted()).find("privacy.sampling_rate") != std::string::npos);
  v1::TaskSpec silent = Task("client", "local");
  silent.mutable_privacy()->set_noise_multiplier(0);
  REQUIRE(refusal(silent, Unfitted()).find("target_epsilon") != std::string::npos);
  v1::TaskSpec coarse = Task("client", "distributed");
  coarse.mutable_secure_aggregation()->set_value_bits(4);
  secagg::RoundConfig few_bits = Unfitted();
  few_bits.value_bits = 4;
  REQUIRE(refusal(coarse, few_bits).find("value_bits") != std::string::npos);
}

TEST_CASE("a device refuses a grid so coarse that its share of the noise is lost", "[privacy]") {
  const v1::TaskSpec task = Task("client", "distributed");
  secagg::RoundConfig round = Fitted(task);
  round.value_clip *= 1e6;  // what a coordinator might try
  const Status status = TermsOf(task, round).status();
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  REQUIRE(MessageOf(status).find("steps of the grid") != std::string::npos);
  round = Fitted(task);
  ++round.values;
  REQUIRE_FALSE(TermsOf(task, round).ok());
}

TEST_CASE("a grid so fine that Skellam noise cannot be drawn is refused before a round",
          "[privacy]") {
  v1::TaskSpec task = Task("client", "distributed");
  task.mutable_privacy()->set_distribution("skellam");
  task.mutable_privacy()->set_noise_multiplier(400);
  REQUIRE(TermsOf(task, Fitted(task)).ok());
  secagg::RoundConfig round = Fitted(task);
  round.value_bits = 30;
  task.mutable_secure_aggregation()->set_value_bits(30);
  const Status status = TermsOf(task, round).status();
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  const std::string text(MessageOf(status));
  INFO(text);
  REQUIRE(text.find("Skellam noise is drawn up to 262144; lower secure_aggregation.value_bits") !=
          std::string::npos);
  task.mutable_privacy()->set_distribution("discrete_gaussian");
  REQUIRE(TermsOf(task, round).ok());
}

TEST_CASE("all groups' colluders may be in one group", "[privacy]") {
  secagg::RoundConfig round = Unfitted();
  round.groups = 3;
  round.max_cohort = 10;
  const v1::TaskSpec task = Task("client", "distributed");
  const secagg::RoundConfig fitted = *FitRing(task, round);
  REQUIRE(TermsOf(task, fitted)->colluders == 3);
}

}  // namespace
}  // namespace tutti::privacy
