#include "common/privacy/counts.h"

#include <cmath>

#include "common/crypto/random.h"
#include "common/dp/accountant.h"
#include "tests/unit/privacy/jobs.h"

namespace tutti::privacy {
namespace {

using testing::Task;

v1::TaskSpec FairTask(const char* noise) {
  v1::TaskSpec task = Task("example", noise);
  task.set_kind("train");
  task.mutable_model()->set_classes(2);
  v1::FairnessSpec& fairness = *task.mutable_fairness();
  fairness.set_attribute("sex");
  fairness.add_groups("female");
  fairness.add_groups("male");
  fairness.set_positive_class(1);
  task.mutable_privacy()->set_counts_noise_multiplier(4);
  return task;
}

secagg::RoundConfig Round() {
  secagg::RoundConfig round;
  round.min_survivors = 6;
  round.max_cohort = 10;
  round.corrupt_fraction = 0.1;
  return round;
}

CountTerms TermsFor(const v1::TaskSpec& task) {
  const auto terms = CountTermsOf(task, Round());
  INFO(terms.status());
  REQUIRE(terms.ok());
  REQUIRE(terms->has_value());
  return **terms;
}

double EpsilonOf(const dp::Event& event) {
  return dp::SpentEpsilon(std::span<const dp::Event>(&event, 1), 1e-5)->epsilon;
}

std::string Refusal(const v1::TaskSpec& task) {
  return std::string(MessageOf(CountTermsOf(task, Round()).status()));
}

TEST_CASE("counts cost what a Gaussian of their noise costs", "[privacy]") {
  const double gaussian = EpsilonOf(dp::SubsampledGaussian{1, 4, 1});
  for (const char* const noise : {"local", "distributed"}) {
    const CountTerms terms = TermsFor(FairTask(noise));
    const double epsilon = EpsilonOf(CountEvent(terms, Observer::kCoordinator, 6));
    REQUIRE(epsilon >= gaussian * (1 - 1e-9));
    REQUIRE(epsilon < gaussian * 1.01);
  }
  // Five honest shares of six are the noise; more of them come to more.
  const CountTerms shared = TermsFor(FairTask("distributed"));
  REQUIRE(shared.share_stddevs[0] == Approx(4 / std::sqrt(5.0)));
  REQUIRE(shared.NoiseIn(5) == Approx(4));
  REQUIRE(shared.NoiseIn(10) == Approx(4 * std::sqrt(2.0)));
  REQUIRE(TermsFor(FairTask("local")).NoiseIn(10) == Approx(4 * std::sqrt(10.0)));
  REQUIRE(EpsilonOf(CountEvent(shared, Observer::kModels, 10)) <
          EpsilonOf(CountEvent(shared, Observer::kCoordinator, 6)));
}

TEST_CASE("counts without the promised noise are refused", "[privacy]") {
  v1::TaskSpec task = FairTask("local");
  task.mutable_privacy()->set_counts_noise_multiplier(0);
  REQUIRE(Refusal(task).find("counts_noise_multiplier") != std::string::npos);
  task = FairTask("local");
  task.mutable_privacy()->set_unit("client");
  REQUIRE(Refusal(task).find("unit") != std::string::npos);
  for (const char* const noise : {"central", "tree"}) {
    REQUIRE(Refusal(FairTask(noise)).find("added by the clients") != std::string::npos);
  }
  task = FairTask("local");
  task.mutable_privacy()->set_counts_noise_multiplier(1e9);
  REQUIRE(Refusal(task).find("2^30") != std::string::npos);
  task.mutable_privacy()->set_unit("none");
  REQUIRE(TermsFor(task).share_stddevs.empty());
  REQUIRE_FALSE(CountTermsOf(Task("example", "local"), Round())->has_value());
}

TEST_CASE("sums of counts without noise are exact, and impossible ones are found", "[privacy]") {
  v1::TaskSpec task = FairTask("local");
  task.mutable_privacy()->set_unit("none");
  const CountTerms terms = TermsFor(task);
  crypto::SystemRng rng;
  std::vector<std::uint32_t> sum(8);
  for (std::uint64_t client = 0; client < 10; ++client) {
    const std::vector<std::uint64_t> counts = {client, 0, 7, 1000 * client, 1, 2, 3, 100'000'000};
    const auto sent = NoisyCounts(terms, Round(), counts, rng);
    REQUIRE(sent.ok());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (*sent)[i];
  }
  const auto opened = OpenCounts(terms, sum, 10);
  REQUIRE(*opened == std::vector<std::int64_t>{45, 0, 70, 45000, 10, 20, 30, 1'000'000'000});
  const std::vector<std::uint64_t> too_many(8, 200'000'000);
  REQUIRE(NoisyCounts(terms, Round(), too_many, rng).status().code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE_FALSE(NoisyCounts(terms, Round(), std::vector<std::uint64_t>(7), rng).ok());
  sum[3] = 0xffffffff;
  REQUIRE(OpenCounts(terms, sum, 10).status().code() == StatusCode::kDataLoss);
  REQUIRE_FALSE(OpenCounts(terms, std::vector<std::uint32_t>(9), 10).ok());
}

TEST_CASE("the noise of all clients together has the stddev that is stated", "[privacy]") {
  const CountTerms terms = TermsFor(FairTask("distributed"));
  crypto::SystemRng rng;
  const std::vector<std::uint64_t> nothing(8);
  double square = 0;
  constexpr int kRounds = 500;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::uint32_t> sum(8);
    for (int client = 0; client < 6; ++client) {
      const auto sent = NoisyCounts(terms, Round(), nothing, rng);
      REQUIRE(sent.ok());
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (*sent)[i];
    }
    const auto opened = OpenCounts(terms, sum, 6);
    REQUIRE(opened.ok());
    for (const std::int64_t count : *opened) square += static_cast<double>(count * count);
  }
  // 4,000 draws: the variance is known to 2.2 %, and 6 of its standard deviations are allowed.
  const double stated = std::pow(measure::NoiseStddevs(terms.layout, terms.NoiseIn(6))[0], 2);
  REQUIRE(std::abs(square / (8 * kRounds) / stated - 1) < 0.14);
}

}  // namespace
}  // namespace tutti::privacy
