#include "server/aggregate/fairness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>

#include "common/measure/tilts.h"
#include "tests/catch.h"

namespace tutti::aggregate {
namespace {

v1::TaskSpec TaskOf(const std::string& rule, std::size_t groups = 2,
                    const std::string& criterion = "equalised_odds") {
  v1::TaskSpec task;
  v1::FairnessSpec& fairness = *task.mutable_fairness();
  fairness.set_attribute("group");
  for (std::size_t g = 0; g < groups; ++g) fairness.add_groups("g" + std::to_string(g));
  fairness.set_rule(rule);
  fairness.set_criterion(criterion);
  fairness.set_strength(1);
  fairness.set_tolerance(0.02);
  return task;
}

struct Example {
  std::array<double, 3> x;  // the last one is 1
  std::size_t group;
  int label;
};

// Groups that differ in size, in their features and in how often the label is positive.
std::vector<Example> Population(std::size_t count, std::size_t groups) {
  std::mt19937_64 rng(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  std::vector<Example> examples;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t group = uniform(rng) < 0.6 ? 0 : 1 + i % (groups - 1);
    const double shift = (groups == 2 ? 0.8 : 0.3) * static_cast<double>(group);
    const std::array<double, 3> x{normal(rng) - shift, normal(rng) + 0.5 * shift, 1};
    const int label = x[0] + 0.3 * x[1] + normal(rng) > 0 ? 1 : 0;
    examples.push_back({x, group, label});
  }
  return examples;
}

using Weights = std::array<double, 3>;

double Probability(const Weights& w, const Example& e) {
  return 1 / (1 + std::exp(-(w[0] * e.x[0] + w[1] * e.x[1] + w[2] * e.x[2])));
}

// Probabilities counted in millionths: rates that are smooth in the weights.
std::vector<std::int64_t> SoftOutcomes(const Weights& w, const std::vector<Example>& examples,
                                       std::size_t groups) {
  std::vector<std::int64_t> outcomes(4 * groups);
  for (const Example& e : examples) {
    const auto positive = static_cast<std::int64_t>(std::llround(1e6 * Probability(w, e)));
    const std::size_t cell = 4 * e.group + 2 * static_cast<std::size_t>(e.label);
    outcomes[cell] += 1000000 - positive;
    outcomes[cell + 1] += positive;
  }
  return outcomes;
}

// The rule's objective written down from its definition.
double Penalty(const Weights& w, const std::vector<Example>& examples, std::size_t groups,
               const std::string& criterion, double strength) {
  double sum = 0;
  for (const int set : {0, 1}) {
    if (set == 0 && criterion != "equalised_odds") continue;
    std::vector<double> positive(groups), size(groups);
    for (const Example& e : examples) {
      if (criterion != "demographic_parity" && e.label != set) continue;
      positive[e.group] += Probability(w, e);
      size[e.group] += 1;
    }
    if (groups == 2) {
      sum += std::pow(positive[0] / size[0] - positive[1] / size[1], 2);
      continue;
    }
    double all = 0, all_size = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      all += positive[g];
      all_size += size[g];
    }
    for (std::size_t g = 0; g < groups; ++g) {
      sum += std::pow(positive[g] / size[g] - all / all_size, 2);
    }
  }
  return strength / 2 * sum;
}

// Mean over the examples of the gradient of tilt * p.
Weights TiltGradient(const Weights& w, const std::vector<Example>& examples,
                     const std::vector<double>& tilts) {
  Weights gradient{};
  for (const Example& e : examples) {
    const double p = Probability(w, e);
    const double tilt = tilts[2 * e.group + static_cast<std::size_t>(e.label)];
    for (std::size_t i = 0; i < 3; ++i) {
      gradient[i] += tilt * p * (1 - p) * e.x[i] / static_cast<double>(examples.size());
    }
  }
  return gradient;
}

TEST_CASE("the penalty's tilts add up to its gradient", "[aggregate][fairness]") {
  const Weights w{0.7, -0.4, 0.2};
  for (const std::size_t groups : {std::size_t{2}, std::size_t{3}, std::size_t{5}}) {
    const std::vector<Example> examples = Population(600, groups);
    for (const char* criterion : {"demographic_parity", "equal_opportunity", "equalised_odds"}) {
      v1::TaskSpec task = TaskOf("penalty", groups, criterion);
      task.mutable_fairness()->set_strength(1.7);
      const auto step = NextFairness(task, 1, SoftOutcomes(w, examples, groups), 0, {});
      REQUIRE(step.ok());
      REQUIRE(step->dual.empty());
      const Weights gradient = TiltGradient(w, examples, step->tilts);
      INFO(groups << " groups, " << criterion);
      for (std::size_t i = 0; i < 3; ++i) {
        Weights low = w, high = w;
        low[i] -= 1e-5;
        high[i] += 1e-5;
        const double numeric = (Penalty(high, examples, groups, criterion, 1.7) -
                                Penalty(low, examples, groups, criterion, 1.7)) /
                               2e-5;
        // Probabilities were rounded to millionths.
        REQUIRE(gradient[i] == Approx(numeric).epsilon(1e-4).margin(1e-6));
      }
    }
  }
}

// Full gradient descent on loss and tilts, with a step of the rule after every ten.
struct Played {
  double first_gap = 0, last_gap = 0;
};
Played Play(const v1::TaskSpec& task, const std::string& criterion, std::size_t groups) {
  const std::vector<Example> examples = Population(600, groups);
  const auto gap = [&](const Weights& w) {
    // Largest gap of any pair, from the penalty's definition for one pair at a time.
    return std::sqrt(2 * Penalty(w, examples, groups, criterion, 1));
  };
  Weights w{};
  FairnessStep step{measure::InitialTilts(task.fairness()), {}};
  Played played;
  for (std::uint64_t round = 1; round <= 400; ++round) {
    for (int inner = 0; inner < 10; ++inner) {
      Weights gradient = TiltGradient(w, examples, step.tilts);
      for (const Example& e : examples) {
        const double error = Probability(w, e) - e.label;
        for (std::size_t i = 0; i < 3; ++i) gradient[i] += error * e.x[i] / 600;
      }
      for (std::size_t i = 0; i < 3; ++i) w[i] -= 0.5 * gradient[i];
    }
    if (round == 1) played.first_gap = gap(w);
    auto next = NextFairness(task, round, SoftOutcomes(w, examples, groups), 0, step.dual);
    REQUIRE(next.ok());
    step = *std::move(next);
  }
  played.last_gap = gap(w);
  return played;
}

TEST_CASE("dual ascent brings a gap down to its tolerance and no further",
          "[aggregate][fairness]") {
  v1::TaskSpec task = TaskOf("constraint", 2, "demographic_parity");
  task.mutable_fairness()->set_strength(0.5);
  for (const double tolerance : {0.02, 0.1}) {
    task.mutable_fairness()->set_tolerance(tolerance);
    const Played played = Play(task, "demographic_parity", 2);
    REQUIRE(played.first_gap > 0.14);
    REQUIRE(played.last_gap == Approx(tolerance).margin(0.005));
  }
}

TEST_CASE("a stronger penalty leaves a smaller gap", "[aggregate][fairness]") {
  double last = 1;
  for (const double strength : {0.0, 0.5, 2.0, 5.0}) {
    v1::TaskSpec task = TaskOf("penalty");
    task.mutable_fairness()->set_strength(strength);
    const double gap = Play(task, "equalised_odds", 2).last_gap;
    REQUIRE(gap < last);
    last = gap;
  }
  REQUIRE(last < 0.1);
}

TEST_CASE("reweighing makes label and group independent", "[aggregate][fairness]") {
  const std::vector<std::int64_t> outcomes{30, 10, 25, 35, 60, 20, 5, 15, 40, 20, 10, 30};
  const auto step = NextFairness(TaskOf("reweigh", 3), 1, outcomes, 0, {});
  REQUIRE(step.ok());
  REQUIRE(step->dual.empty());
  double total = 0, by_label[2] = {0, 0}, by_group[3] = {0, 0, 0}, weighted[6] = {};
  for (std::size_t cell = 0; cell < 6; ++cell) {
    const auto size = static_cast<double>(outcomes[2 * cell] + outcomes[2 * cell + 1]);
    weighted[cell] = size * step->tilts[cell];
    total += size;
    by_group[cell / 2] += size;
    by_label[cell % 2] += size;
  }
  for (std::size_t cell = 0; cell < 6; ++cell) {
    REQUIRE(weighted[cell] == Approx(by_group[cell / 2] * by_label[cell % 2] / total));
  }
}

TEST_CASE("cells that are empty or drowned in noise are left alone", "[aggregate][fairness]") {
  // The positive label of the second group is missing.
  const std::vector<std::int64_t> empty{50, 50, 20, 80, 80, 20, 0, 0};
  const auto penalty = NextFairness(TaskOf("penalty"), 1, empty, 0, {});
  REQUIRE(penalty->tilts[1] == 0);
  REQUIRE(penalty->tilts[3] == 0);
  REQUIRE(penalty->tilts[0] > 0);
  REQUIRE(penalty->tilts[2] < 0);
  REQUIRE(NextFairness(TaskOf("reweigh"), 1, empty, 0, {})->tilts[3] == 1);

  // 30 examples are lost in noise of 10 on each of two counts, 100 are not.
  const std::vector<std::int64_t> small{50, 50, 20, 80, 80, 20, 20, 10};
  const auto noisy = NextFairness(TaskOf("penalty"), 1, small, 10, {});
  REQUIRE(noisy->tilts[3] == 0);
  REQUIRE(noisy->tilts[1] == 0);  // nothing is left to compare with
  REQUIRE(noisy->tilts[0] > 0);
  REQUIRE(NextFairness(TaskOf("penalty"), 1, small, 0, {})->tilts[3] < 0);

  // Noise may make counts negative.
  const std::vector<std::int64_t> negative{-5, 3, 9, -20, -1, -1, 4, -9};
  for (const char* rule : {"penalty", "constraint", "reweigh"}) {
    const auto step = NextFairness(TaskOf(rule), 1, negative, 5, {});
    REQUIRE(step.ok());
    REQUIRE(step->tilts == measure::InitialTilts(TaskOf(rule).fairness()));
  }
}

TEST_CASE("whatever the counts, tilts stay within what devices take", "[aggregate][fairness]") {
  std::mt19937_64 rng(11);
  for (const char* rule : {"penalty", "constraint", "reweigh"}) {
    for (const std::size_t groups : {std::size_t{2}, std::size_t{4}}) {
      v1::TaskSpec task = TaskOf(rule, groups);
      task.mutable_fairness()->set_strength(1e6);
      std::vector<double> dual;
      for (std::uint64_t round = 1; round <= 200; ++round) {
        std::vector<std::int64_t> outcomes(4 * groups);
        for (std::int64_t& count : outcomes) {
          count = static_cast<std::int64_t>(rng() >> (rng() % 64)) / 64;
        }
        const auto step = NextFairness(task, round, outcomes, 0, dual);
        REQUIRE(step.ok());
        const Status fits = measure::CheckTilts(task.fairness(), step->tilts);
        INFO(MessageOf(fits));
        REQUIRE(fits.ok());
        dual = step->dual;
      }
    }
  }
}

TEST_CASE("tilts that are too large shrink together and keep their balance",
          "[aggregate][fairness]") {
  v1::TaskSpec task = TaskOf("penalty", 2, "demographic_parity");
  const std::vector<std::int64_t> outcomes{500, 100, 100, 200, 60, 20, 10, 10};
  const std::vector<double> plain = NextFairness(task, 1, outcomes, 0, {})->tilts;
  task.mutable_fairness()->set_strength(1000);
  const std::vector<double> bounded = NextFairness(task, 1, outcomes, 0, {})->tilts;
  REQUIRE(std::abs(bounded[2]) == Approx(measure::kMaxTilt));
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(bounded[i] / bounded[2] == Approx(plain[i] / plain[2]));
  }
}

TEST_CASE("the rule's strength grows over the ramp", "[aggregate][fairness]") {
  const std::vector<std::int64_t> outcomes{50, 50, 20, 80, 80, 20, 30, 20};
  for (const char* rule : {"penalty", "reweigh"}) {
    v1::TaskSpec task = TaskOf(rule);
    const std::vector<double> whole = NextFairness(task, 1, outcomes, 0, {})->tilts;
    const std::vector<double> idle = measure::InitialTilts(task.fairness());
    task.mutable_fairness()->set_ramp_rounds(10);
    for (const std::uint64_t round : std::array<std::uint64_t, 4>{1, 5, 10, 50}) {
      const std::vector<double> tilts = NextFairness(task, round, outcomes, 0, {})->tilts;
      const double share = std::min(1.0, static_cast<double>(round) / 10);
      for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(tilts[i] - idle[i] == Approx(share * (whole[i] - idle[i])).margin(1e-12));
      }
    }
  }
}

TEST_CASE("with noise the outcomes of several rounds are averaged", "[aggregate][fairness]") {
  const std::vector<double> truth{400, 100, 100, 400, 300, 200, 200, 300};
  const v1::TaskSpec task = TaskOf("penalty");
  std::vector<std::int64_t> exact(truth.begin(), truth.end());
  const double wanted = NextFairness(task, 1, exact, 0, {})->tilts[0];
  std::mt19937_64 rng(5);
  std::normal_distribution<double> normal(0, 40);
  double once = 0, smoothed = 0;
  std::vector<double> dual;
  for (std::uint64_t round = 1; round <= 200; ++round) {
    std::vector<std::int64_t> outcomes;
    for (const double count : truth) outcomes.push_back(std::llround(count + normal(rng)));
    const auto step = NextFairness(task, round, outcomes, 40, dual);
    REQUIRE(step.ok());
    dual = step->dual;
    if (round <= 20) continue;
    once += std::pow(NextFairness(task, round, outcomes, 0, {})->tilts[0] - wanted, 2);
    smoothed += std::pow(step->tilts[0] - wanted, 2);
  }
  // The variance of the running average is a seventh.
  REQUIRE(smoothed < 0.25 * once);
  REQUIRE(smoothed > 0.05 * once);
}

TEST_CASE("sizes and numbers that do not fit the task are refused", "[aggregate][fairness]") {
  const std::vector<std::int64_t> outcomes(8, 10);
  const auto code = [&](const v1::TaskSpec& task, std::span<const std::int64_t> counts,
                        double noise, const std::vector<double>& dual) {
    return NextFairness(task, 1, counts, noise, dual).status().code();
  };
  const v1::TaskSpec task = TaskOf("constraint");
  REQUIRE(code(task, outcomes, 0, {}) == StatusCode::kOk);
  REQUIRE(code(task, outcomes, 0, {0, 0, 0, 0}) == StatusCode::kOk);
  REQUIRE(code(task, std::span(outcomes).first(7), 0, {}) == StatusCode::kInvalidArgument);
  REQUIRE(code(task, outcomes, -1, {}) == StatusCode::kInvalidArgument);
  REQUIRE(code(task, outcomes, NAN, {}) == StatusCode::kInvalidArgument);
  REQUIRE(code(task, outcomes, 0, {0, 0, 0}) == StatusCode::kInvalidArgument);
  REQUIRE(code(task, outcomes, 0, {0, 0, NAN, 0}) == StatusCode::kInvalidArgument);
  REQUIRE(code(task, outcomes, 1, {0, 0, 0, 0}) == StatusCode::kInvalidArgument);
  const auto none = NextFairness(TaskOf("none"), 1, outcomes, 0, {});
  REQUIRE(none.ok());
  REQUIRE(none->tilts.empty());
}

}  // namespace
}  // namespace tutti::aggregate
