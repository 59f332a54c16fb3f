// From a round's mean to the next checkpoint, for each server optimiser.
#include "server/job/next_model.h"

#include <cmath>

#include "common/crypto/random.h"
#include "common/measure/metadata.h"
#include "common/model/safetensors.h"
#include "common/strategy/mixture.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {
namespace {

PreparedJob Job(const std::function<void(v1::JobConfig&)>& change) {
  v1::JobConfig config = SmallJob(1);
  change(config);
  auto prepared = PrepareJob(config);
  INFO(prepared.status());
  REQUIRE(prepared.ok());
  return *std::move(prepared);
}

void WithoutPrivacy(v1::JobConfig& config) {
  config.mutable_privacy()->set_unit("none");
  config.mutable_privacy()->set_noise_multiplier(0);
}

std::vector<float> Weights(const PreparedJob& job, const Bytes& checkpoint) {
  return *model::ReadSafetensors(checkpoint, job.checkpoint);
}

std::vector<GroupResult> One(std::vector<float> mean) { return {{{std::move(mean), 3}, 0}}; }

TEST_CASE("fedavg adds the mean, and its momentum the step before", "[server]") {
  const PreparedJob job =
      Job([](v1::JobConfig& config) { config.mutable_server()->set_momentum(0.5); });
  const Bytes first = *FirstCheckpoint(job, {});
  const std::vector<float> mean(job.layout.values, 0.25F);
  RoundMemory step{.round = 1, .clients = 3};
  const auto second = MakeNextModel(job, first, step, One(mean));
  REQUIRE(second.ok());
  REQUIRE(second->optimiser_state.empty());
  step.before = first;
  const auto third = MakeNextModel(job, second->checkpoint, step, One(mean));
  REQUIRE(third.ok());
  const std::vector<float> start = Weights(job, first), end = Weights(job, third->checkpoint);
  for (std::size_t i = 0; i < start.size(); ++i) {
    REQUIRE(end[i] == Approx(start[i] + 0.25F + 0.25F + 0.125F));
  }
}

TEST_CASE("adaptive optimisers go on with the state that belongs to the model", "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    v1::ServerOptimiserSpec& server = *config.mutable_server();
    server.set_optimiser("fedadam");
    server.set_learning_rate(0.1);
    server.set_momentum(0.9);
    server.set_second_moment_decay(0.99);
    server.set_adaptivity(0.01);
  });
  REQUIRE(HasOptimiserState(job.config));
  const Bytes first = *FirstCheckpoint(job, {});
  const std::vector<float> update(job.layout.values, 0.5F);
  RoundMemory step{.round = 1, .clients = 3};
  const auto second = MakeNextModel(job, first, step, One(update));
  REQUIRE(second.ok());
  REQUIRE_FALSE(second->optimiser_state.empty());
  // It is this model's state and no other's.
  REQUIRE_FALSE(StateOf(second->checkpoint, second->optimiser_state).empty());
  REQUIRE(StateOf(first, second->optimiser_state).empty());
  Bytes damaged = second->optimiser_state;
  damaged.back() ^= 1;
  REQUIRE(StateOf(second->checkpoint, damaged).empty());

  step.round = 2;
  const auto anew = MakeNextModel(job, second->checkpoint, step, One(update));
  step.optimiser_state = second->optimiser_state;
  const auto third = MakeNextModel(job, second->checkpoint, step, One(update));
  REQUIRE(third.ok());
  const double square = 0.99 * (0.99 * 1e-4 + 0.01 * 0.25) + 0.01 * 0.25;
  const double mean = 0.9 * 0.05 + 0.05;
  const double moved = Weights(job, third->checkpoint)[0] - Weights(job, second->checkpoint)[0];
  REQUIRE(moved == Approx(0.1 * mean / (std::sqrt(square) + 0.01)).epsilon(1e-4));
  REQUIRE(anew->checkpoint != third->checkpoint);
}

TEST_CASE("the control variate moves by the share of clients that were there", "[server]") {
  const PreparedJob job =
      Job([](v1::JobConfig& config) { config.mutable_training()->set_correction("scaffold"); });
  const std::uint64_t values = job.layout.values;
  REQUIRE(job.checkpoint.values == 2 * values);
  REQUIRE(job.task.values() == values);
  REQUIRE(job.settings.config.values == 2 * values);
  const Bytes first = *FirstCheckpoint(job, {});
  REQUIRE(Weights(job, first).back() == 0);
  const RoundMemory step{.round = 1, .clients = 3, .population = 12};
  std::vector<float> mean(values, 0.5F);
  mean.resize(2 * values, 1.0F);
  const auto next = MakeNextModel(job, first, step, One(mean));
  REQUIRE(next.ok());
  REQUIRE(Weights(job, next->checkpoint).front() == Weights(job, first).front() + 0.5F);
  REQUIRE(Weights(job, next->checkpoint).back() == 0.25F);
  mean.pop_back();
  REQUIRE(MakeNextModel(job, first, step, One(mean)).status().code() ==
          StatusCode::kInvalidArgument);
}

// The sum of three clients that count 1, 2 and 3 in every lane.
secagg::RingVector SumOfCounts(const PreparedJob& job, const secagg::RoundConfig& round) {
  secagg::RingVector sum(round.layout());
  sum.extras()[0] = 3;
  for (std::uint32_t& lane : sum.extras().subspan(1)) lane = 6;
  REQUIRE(job.counts->layout.lanes() + 1 == sum.extras().size());
  return sum;
}

TEST_CASE("sums of counts are in the next checkpoint, with what they are sums of", "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    config.mutable_fairness()->set_attribute("sex");
    config.mutable_fairness()->add_groups("a");
    config.mutable_fairness()->add_groups("b");
    config.mutable_privacy()->set_counts_noise_multiplier(2);
  });
  secagg::RoundConfig round = job.settings.config;
  round.round = 1;
  crypto::SystemRng rng;
  secagg::RingVector sum = SumOfCounts(job, round);
  auto opened = OpenSum(job, round, sum, 3, {}, {rng, nullptr});
  REQUIRE(opened.ok());
  const auto next = MakeNextModel(job, *FirstCheckpoint(job, {}), {.round = 1, .clients = 3},
                                  {*std::move(opened)});
  REQUIRE(next.ok());
  const auto counts = measure::CountsOf(job.counts->layout, next->checkpoint);
  REQUIRE(counts.ok());
  REQUIRE((*counts)->counts == std::vector<std::int64_t>(8, 6));
  REQUIRE((*counts)->clients == 3);
  REQUIRE((*counts)->noise_multiplier == Approx(2 * std::sqrt(3.0)));
  // Noise of stddev 2 a client cannot make this of three counts.
  sum.extras()[5] = static_cast<std::uint32_t>(-60);
  REQUIRE(OpenSum(job, round, sum, 3, {}, {rng, nullptr}).status().code() == StatusCode::kDataLoss);
}

TEST_CASE("answers that clients count are a verdict on the model the round began with",
          "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    WithoutPrivacy(config);
    config.mutable_evaluation()->set_by("clients");
    config.mutable_evaluation()->set_every(1);
    config.mutable_evaluation()->set_patience(3);
    v1::TrainingSpec& training = *config.mutable_training();
    training.set_schedule("plateau");
    training.set_plateau_rounds(1);
    training.set_plateau_factor(0.5);
  });
  REQUIRE(job.settings.clients_evaluate);
  REQUIRE(job.counts->layout.lanes() == 3 + 20);
  Bytes checkpoint = *FirstCheckpoint(job, {});
  const auto step = [&](std::uint64_t round, std::vector<std::int64_t> counts) {
    std::vector<GroupResult> results = One(std::vector<float>(job.layout.values, 0.25F));
    results[0].counts = std::move(counts);
    results[0].counts.resize(job.counts->layout.lanes());
    results[0].counts[3 + 4] = 1;   // a client from 20 to 25 %
    results[0].counts[3 + 15] = 2;  // and two from 75 to 80 %
    auto next = MakeNextModel(job, checkpoint, {.round = round, .clients = 3}, std::move(results));
    INFO(next.status());
    REQUIRE(next.ok());
    checkpoint = next->checkpoint;
    return next->verdict;
  };
  const auto first = step(1, {200, 50, 20000});
  REQUIRE(first);
  REQUIRE(first->round == 0);
  REQUIRE(first->examples == 200);
  REQUIRE(first->loss == Approx(1));
  REQUIRE(first->accuracy == Approx(0.25));
  REQUIRE(first->worst_client);
  REQUIRE(first->worst_client->low == Approx(0.2));
  REQUIRE(first->worst_client->high == Approx(0.25));
  REQUIRE(CheckpointTermsOf(job, checkpoint)->rate_factor == 1);
  REQUIRE(step(2, {200, 100, 25000})->round == 1);  // no better: the rate is halved
  REQUIRE(CheckpointTermsOf(job, checkpoint)->rate_factor == 0.5);
  REQUIRE_FALSE(step(3, {0, 0, 0}));  // nobody had examples: nothing is known, nothing changes
  REQUIRE(CheckpointTermsOf(job, checkpoint)->rate_factor == 0.5);
  REQUIRE(step(4, {200, 100, 10000})->round == 3);
  REQUIRE(CheckpointTermsOf(job, checkpoint)->rate_factor == 0.5);
}

TEST_CASE("centres are divided by their shares, and shares are those of the round", "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    WithoutPrivacy(config);
    config.mutable_model()->set_architecture("kmeans");
    config.mutable_model()->clear_input_shape();
    config.mutable_model()->add_input_shape(1);
    config.mutable_model()->set_classes(2);
    v1::TrainingSpec& training = *config.mutable_training();
    training.set_loss("distortion");
    training.set_learning_rate(1);
    training.set_local_steps(1);
    training.set_local_epochs(0);
  });
  const Bytes first = *FirstCheckpoint(job, {});
  const std::vector<float> start = Weights(job, first);
  Bytes checkpoint = first;
  for (std::uint64_t round = 1; round <= 2; ++round) {
    const auto next = MakeNextModel(job, checkpoint, {.round = round, .clients = 3},
                                    One({0.25F, -0.125F, 0.5F, 0.0F}));
    INFO(TextOf(next.status()));
    REQUIRE(next.ok());
    checkpoint = next->checkpoint;
  }
  const std::vector<float> end = Weights(job, checkpoint);
  REQUIRE(end[0] == Approx(start[0] + 2 * 0.5));
  REQUIRE(end[1] == start[1]);  // no example, so what is there is rounding
  REQUIRE(end[2] == 0.5F);      // not added up
  REQUIRE(end[3] == 0);
}

TEST_CASE("the common growth of an agnostic job's weights adds up in the checkpoint", "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    WithoutPrivacy(config);
    config.mutable_training()->set_agnostic_rate(0.5);
  });
  Bytes checkpoint = *FirstCheckpoint(job, {});
  const auto growth = [&] {
    return *strategy::MixtureGrowthOf(*model::SafetensorsMetadata(checkpoint));
  };
  REQUIRE(growth() == strategy::MixtureGrowth{});
  const std::vector<float> mean(job.layout.values, 0.25F);
  strategy::MixtureGrowth expected;
  for (const double weight : {1.5, 0.75}) {
    std::vector<GroupResult> results = One(mean);
    results[0].mean_weight = weight;
    const auto next = MakeNextModel(job, checkpoint, {.round = 1, .clients = 3}, results);
    REQUIRE(next.ok());
    checkpoint = next->checkpoint;
    expected = strategy::NextGrowth(expected, weight);
    REQUIRE(growth() == expected);
  }
  REQUIRE(expected.last == Approx(std::log(1.5) + std::log(0.75)));
  REQUIRE(expected.sum == Approx(2 * std::log(1.5) + std::log(0.75)));
}

TEST_CASE("a rule of fairness tilts the next round by the counts of this one", "[server]") {
  const PreparedJob job = Job([](v1::JobConfig& config) {
    config.mutable_privacy()->set_unit("none");
    config.mutable_privacy()->set_target_epsilon(0);
    config.mutable_privacy()->set_noise_multiplier(0);
    config.mutable_fairness()->set_attribute("sex");
    config.mutable_fairness()->add_groups("a");
    config.mutable_fairness()->add_groups("b");
    config.mutable_fairness()->set_rule("constraint");
    config.mutable_fairness()->set_criterion("demographic_parity");
    config.mutable_fairness()->set_strength(0.5);
    config.mutable_fairness()->set_tolerance(0.1);
    config.mutable_fairness()->set_positive_class(1);
  });
  const auto next_of = [&](BytesView checkpoint, std::uint64_t round) {
    std::vector<GroupResult> results = One(std::vector<float>(job.layout.values, 0.0F));
    results[0].counts = {20, 20, 20, 60, 30, 10, 30, 10};  // 2 in 3 and 1 in 4 are positive
    return MakeNextModel(job, checkpoint, {.round = round, .clients = 3}, std::move(results));
  };
  const Bytes first = *FirstCheckpoint(job, {});
  REQUIRE(measure::TiltsOf(job.task, first)->empty());
  const auto second = next_of(first, 1);
  REQUIRE(second.ok());
  // lambda = 0.5 (2/3 - 1/4 - 0.1); a group's share is 0.6 and 0.4.
  const double lambda = 0.5 * (2.0 / 3 - 0.25 - 0.1);
  const std::vector<double> tilts = *measure::TiltsOf(job.task, second->checkpoint);
  REQUIRE(tilts.size() == 4);
  REQUIRE(tilts[0] == Approx(lambda / 0.6));
  REQUIRE(tilts[3] == Approx(-lambda / 0.4));
  const auto third = next_of(second->checkpoint, 2);
  REQUIRE(third.ok());
  REQUIRE((*measure::TiltsOf(job.task, third->checkpoint))[0] == Approx(2 * lambda / 0.6));
}

}  // namespace
}  // namespace tutti::server
