// Exponentiated gradient ascent on the clients' mixture, kept in pieces on the devices, against the
// same on the simplex written plainly; and the minimax point of two populations.
#include "common/strategy/mixture.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "common/strategy/sum_vector.h"
#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task(double rate) {
  v1::TaskSpec task;
  task.set_values(1);
  task.mutable_training()->set_learning_rate(0.1);
  task.mutable_training()->set_agnostic_rate(rate);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(1);
  return task;
}

// Devices with their memories, and the coordinator's part of the metadata.
struct World {
  MixtureGrowth growth;
  std::vector<std::vector<float>> kept;
  std::uint64_t round = 0;

  // The weights devices `who` send with these losses, divided by their sum; all of them keep.
  std::vector<double> Play(double rate, const std::vector<std::size_t>& who,
                           const std::vector<double>& losses) {
    const MixtureRound now{++round, growth};
    std::vector<double> weights;
    double sum = 0;
    for (const std::size_t device : who) {
      const double log_weight = LogWeight(now, kept[device], rate, losses[device]);
      kept[device] = KeptWeight(now, log_weight);
      weights.push_back(std::exp(log_weight));
      sum += weights.back();
    }
    growth = NextGrowth(growth, sum / static_cast<double>(who.size()));
    for (double& weight : weights) weight /= sum;
    return weights;
  }
};

TEST_CASE("devices' weights are those of exponentiated gradient ascent on the simplex",
          "[mixture]") {
  World world{.growth = {}, .kept = std::vector<std::vector<float>>(4), .round = 0};
  std::vector<double> lambda(4, 0.25);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> losses;
    for (std::size_t i = 0; i < 4; ++i) {
      losses.push_back(2 + std::sin(0.1 * round + static_cast<double>(i)));
    }
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += lambda[i] *= std::exp(0.1 * losses[i]);
    for (double& share : lambda) share /= sum;
    const std::vector<double> found = world.Play(0.1, {0, 1, 2, 3}, losses);
    for (std::size_t i = 0; i < 4; ++i) REQUIRE(found[i] == Approx(lambda[i]).epsilon(1e-4));
  }
  // The mean weight stays about 1, whatever the losses sum up to.
  REQUIRE(std::abs(world.growth.last) < 1.5);
  REQUIRE(world.growth.sum > 35);
}

TEST_CASE("a device that was absent comes back with the weight it had among the others",
          "[mixture]") {
  World world{.growth = {}, .kept = std::vector<std::vector<float>>(3), .round = 0};
  const std::vector<double> alike{1, 1, 1};
  world.Play(1, {0, 1, 2}, {1, 1, 1.5});
  for (int round = 0; round < 100; ++round) world.Play(1, {0, 1}, alike);
  const std::vector<double> back = world.Play(1, {0, 1, 2}, alike);
  // Two thirds of e^0.5 against the mean growth: its rounds away cost or gain it nothing much.
  REQUIRE(back[2] / back[0] == Approx(std::exp(0.5)).epsilon(0.25));
  // A device that was never there starts at the mean, not behind 100 rounds of growth.
  world.kept.emplace_back();
  const std::vector<double> fresh = world.Play(1, {0, 1, 3}, {1, 1, 1, 1});
  REQUIRE(fresh[2] > 0.2);
  REQUIRE(fresh[2] < 0.5);
}

TEST_CASE("weights are held within their bounds", "[mixture]") {
  const double most = std::log(kMostMixtureWeight), least = std::log(kLeastMixtureWeight);
  REQUIRE(LogWeight({1, {}}, {}, 100, 1000) == Approx(most));
  REQUIRE(LogWeight({1, {}}, {}, 1, std::numeric_limits<double>::infinity()) == Approx(most));
  REQUIRE(std::isnan(LogWeight({1, {}}, {}, 1, std::numeric_limits<double>::quiet_NaN())));
  REQUIRE(LogWeight({9, {.sum = 500, .last = 50}}, {}, 1, 0) == Approx(least));
  // What an earlier job of the same name left, or what is no memory, counts as none.
  const std::vector<float> later = KeptWeight({7, {}}, 3.0);
  REQUIRE(LogWeight({2, {}}, later, 1, 0.5) == Approx(0.5));
  REQUIRE(LogWeight({9, {}}, std::vector<float>{1, 2}, 1, 0.5) == Approx(0.5));
  const std::vector<float> broken(4, std::numeric_limits<float>::quiet_NaN());
  REQUIRE(LogWeight({9, {}}, broken, 1, 0.5) == Approx(0.5));
}

TEST_CASE("the growth survives the checkpoint, and text that is none is refused", "[mixture]") {
  model::Metadata metadata;
  REQUIRE(MixtureGrowthOf(metadata).value() == MixtureGrowth{});
  const MixtureGrowth growth{.sum = 1234.5678901234567, .last = -0.1};
  SetMixtureGrowth(growth, metadata);
  REQUIRE(MixtureGrowthOf(metadata).value() == growth);
  for (const std::string text : {"", "x", "1 ", "inf", "nan", "1e999"}) {
    metadata["mixture_growth"] = text;
    const auto found = MixtureGrowthOf(metadata);
    REQUIRE(found.status().code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(found.status()).find("expected a finite number") != std::string::npos);
  }
}

TEST_CASE("the sum's mean is the mean of the updates under the mixture", "[mixture]") {
  const v1::TaskSpec task = Task(1);
  REQUIRE(CheckStrategy(task).ok());
  REQUIRE(KeptBy(task) == Kept::kMixture);
  REQUIRE(SumShapeOf(task) == SumShape{1, 0, 1});
  const std::vector<float> first{0.25F}, second{-0.5F};
  const auto a = MakeSumVector(task, {.update = first, .steps = 1, .log_weight = std::log(3.0)});
  const auto b = MakeSumVector(task, {.update = second, .steps = 1, .log_weight = 0});
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  const std::vector<float> mean{((*a)[0] + (*b)[0]) / 2, ((*a)[1] + (*b)[1]) / 2};
  const auto opened = OpenSumVector(task, mean);
  REQUIRE(opened.ok());
  REQUIRE(opened->update[0] == Approx((3 * 0.25 - 0.5) / 4).epsilon(1e-5));
  REQUIRE(opened->mean_weight == Approx(2).epsilon(1e-5));
  REQUIRE(OpenSumVector(task, {0.1F, 0}).status().code() == StatusCode::kDataLoss);
  // A loss that is no number gives no weight.
  const double none = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(MakeSumVector(task, {.update = first, .steps = 1, .log_weight = none}).status().code() ==
          StatusCode::kFailedPrecondition);
}

// Two populations with f_1 = (x - 0)^2 and f_2 = 2 (x - 3)^2 + 1: the larger of the two is least
// where they are equal, x^2 - 12 x + 19 = 0, at 6 - sqrt(17) = 1.8769.
double Loss(std::size_t population, double x) {
  return population == 0 ? x * x : 2 * (x - 3) * (x - 3) + 1;
}
double Slope(std::size_t population, double x) { return population == 0 ? 2 * x : 4 * (x - 3); }

double Trained(const v1::TaskSpec& task, std::size_t of_first, std::size_t of_second, int rounds) {
  const std::size_t clients = of_first + of_second;
  World world{.growth = {}, .kept = std::vector<std::vector<float>>(clients), .round = 0};
  float x = 0;
  const double rate = task.training().learning_rate();
  for (int round = 1; round <= rounds; ++round) {
    std::vector<double> mean(2);
    const MixtureRound now{static_cast<std::uint64_t>(round), world.growth};
    for (std::size_t i = 0; i < clients; ++i) {
      const std::size_t population = i < of_first ? 0 : 1;
      const std::vector<float> update{static_cast<float>(-rate * Slope(population, x))};
      LocalResult local{.update = update, .steps = 1, .initial_loss = Loss(population, x)};
      local.log_weight =
          LogWeight(now, world.kept[i], task.training().agnostic_rate(), local.initial_loss);
      const auto vector = MakeSumVector(task, local);
      REQUIRE(vector.ok());
      for (std::size_t k = 0; k < 2; ++k) mean[k] += (*vector)[k] / static_cast<double>(clients);
      world.kept[i] = KeptWeight(now, local.log_weight);
    }
    const auto opened = OpenSumVector(task, {mean.begin(), mean.end()});
    REQUIRE(opened.ok());
    world.growth = NextGrowth(world.growth, opened->mean_weight);
    x += opened->update[0];
  }
  return static_cast<double>(x);
}

// The same without devices, sums and bounds: descent on x, ascent on the simplex.
double Reference(double rate, double ascent, std::size_t of_first, std::size_t of_second,
                 int rounds) {
  double x = 0;
  double lambda = static_cast<double>(of_first) / static_cast<double>(of_first + of_second);
  for (int round = 0; round < rounds; ++round) {
    const double first = lambda * std::exp(ascent * Loss(0, x));
    const double second = (1 - lambda) * std::exp(ascent * Loss(1, x));
    lambda = first / (first + second);
    x -= rate * (lambda * Slope(0, x) + (1 - lambda) * Slope(1, x));
  }
  return x;
}

TEST_CASE("the model reaches the minimax point of two populations", "[mixture]") {
  const double minimax = 6 - std::sqrt(17.0);
  v1::TaskSpec task = Task(0.05);
  task.mutable_training()->set_learning_rate(0.05);
  for (const auto& [first, second] : {std::pair{5, 5}, std::pair{9, 1}, std::pair{1, 9}}) {
    const auto a = static_cast<std::size_t>(first), b = static_cast<std::size_t>(second);
    INFO(first << " and " << second << " clients");
    REQUIRE(Reference(0.05, 0.05, a, b, 3000) == Approx(minimax).epsilon(1e-6));
    REQUIRE(Trained(task, a, b, 3000) == Approx(minimax).epsilon(1e-3));
    // On the way there too: the devices do what the reference does.
    REQUIRE(Trained(task, a, b, 25) == Approx(Reference(0.05, 0.05, a, b, 25)).margin(1e-3));
  }
  // Plain averaging goes where the many want it.
  task.mutable_training()->set_agnostic_rate(1e-12);
  REQUIRE(Trained(task, 9, 1, 3000) == Approx((9 * 2 * 0.0 + 4 * 3.0) / (9 * 2 + 4)).epsilon(1e-3));
}

TEST_CASE("what does not fit an agnostic job is refused with the key to change", "[mixture]") {
  const auto why = [](const std::function<void(v1::TaskSpec&)>& change) {
    v1::TaskSpec task = Task(0.1);
    change(task);
    const Status status = CheckStrategy(task);
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    const std::string text = TextOf(status);
    REQUIRE(text.find("training.agnostic_rate: ") != std::string::npos);
    return text;
  };
  const auto says = [](const std::string& text, const std::string& part) {
    INFO(text);
    REQUIRE(text.find(part) != std::string::npos);
  };
  says(why([](auto& t) { t.mutable_privacy()->set_unit("example"); }), "privacy.unit = \"none\"");
  says(why([](auto& t) { t.mutable_secure_aggregation()->set_value_bits(12); }), "value_bits");
  says(why([](auto& t) { t.mutable_robust()->set_max_update_norm(1); }), "max_update_norm");
  says(why([](auto& t) { t.mutable_robust()->set_groups(2); }), "groups = 1");
  says(why([](auto& t) { t.mutable_training()->set_fairness_power(1); }), "fairness_power");
  says(why([](auto& t) { t.mutable_training()->set_correction("scaffold"); }), "\"scaffold\"");
  says(why([](auto& t) {
         t.mutable_training()->set_correction("ditto");
         t.mutable_training()->set_proximal(0.1);
       }),
       "\"ditto\"");
  says(why([](auto& t) { t.mutable_training()->set_max_staleness(1); }), "max_staleness");
  says(why([](auto& t) { t.mutable_model()->add_personal("0.bias"); }), "model.personal");
  says(why([](auto& t) { t.mutable_secure_aggregation()->set_weighting("examples"); }),
       "weighting = \"uniform\"");
}

}  // namespace
}  // namespace tutti::strategy
