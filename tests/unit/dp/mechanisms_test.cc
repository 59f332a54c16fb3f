#include "common/dp/mechanisms.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/dp/accountant.h"
#include "common/dp/pld.h"
#include "tests/catch.h"

namespace tutti::dp {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

void RequireRefused(const Event& event, const std::string& words) {
  INFO(words);
  const Status status = CheckEvent(event);
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  REQUIRE(TextOf(status).find(words) != std::string::npos);
  REQUIRE(TextOf(status).find("'" + NameOf(event) + "'") != std::string::npos);
  REQUIRE(SpentEpsilon(std::vector<Event>{event}, 1e-5).status() == status);
  REQUIRE(SpentEpsilonByPld(std::vector<Event>{event}, 1e-5).status() == status);
}

TEST_CASE("events with impossible numbers are refused by mechanism, field and range", "[dp]") {
  RequireRefused(SubsampledGaussian{0, 1, 1}, "sampling rate 0, expected a number above 0 and");
  RequireRefused(SubsampledGaussian{0.1, -1, 1}, "noise multiplier -1");
  RequireRefused(GaussianWithoutReplacement{0, 1, 1, 1}, "population 0");
  RequireRefused(GaussianWithoutReplacement{10, 11, 1, 1},
                 "sample 11, expected a whole number from 1 to 10");
  RequireRefused(GaussianWithoutReplacement{10, 5, kNan, 1}, "noise multiplier nan");
  RequireRefused(SubsampledLaplace{1.1, 1, 1}, "sampling rate 1.1");
  RequireRefused(SubsampledLaplace{0.1, kInf, 1}, "noise multiplier inf");
  RequireRefused(DiscreteGaussian{kNan, 1, 1, 1}, "sigma nan");
  RequireRefused(DiscreteGaussian{1, 1.5, 1, 1}, "sensitivity 1.5, expected a whole number");
  RequireRefused(DiscreteGaussian{1, 0, 5, 1}, "sensitivity 0");
  RequireRefused(DiscreteGaussian{1, 1, 0, 1}, "values 0");
  RequireRefused(DiscreteLaplace{0, 1, 1}, "decay 0");
  RequireRefused(DiscreteLaplace{1, 0, 1}, "sensitivity 0");
  RequireRefused(Skellam{-1, 1, 1, 1, 1}, "variance -1");
  RequireRefused(Skellam{1, 0, 1, 1, 1}, "l1 sensitivity 0");
  RequireRefused(Skellam{1, 1, kInf, 1, 1}, "l2 sensitivity inf");
  RequireRefused(DistributedDiscreteGaussian{-2, 1, 1, 1, 1, 1, 1}, "share sigma -2");
  RequireRefused(DistributedDiscreteGaussian{2, 0, 1, 1, 1, 1, 1}, "shares 0");
  RequireRefused(DistributedDiscreteGaussian{2, 1, 1, 1, 0, 1, 1}, "values 0");
  RequireRefused(DistributedDiscreteGaussian{2, 1, 1, 1, 1, 2, 1}, "sampling rate 2");
  RequireRefused(TreeAggregation{1, 0, 1}, "leaves 0");
  REQUIRE(CheckEvent(DiscreteGaussian{1, 1.5, 2, 1}).ok());
}

TEST_CASE("steps are read and set whatever the mechanism", "[dp]") {
  REQUIRE(StepsOf(SubsampledLaplace{0.1, 1, 17}) == 17);
  REQUIRE(WithSteps(SubsampledLaplace{0.1, 1, 17}, 3) == Event(SubsampledLaplace{0.1, 1, 3}));
}

TEST_CASE("each event states its neighbouring relations", "[dp]") {
  REQUIRE(HoldsFor(SubsampledGaussian{}, Relation::kAddOrRemoveOne));
  REQUIRE(HoldsFor(SubsampledGaussian{}, Relation::kZeroOutOne));
  REQUIRE_FALSE(HoldsFor(SubsampledGaussian{}, Relation::kReplaceOne));
  REQUIRE(HoldsFor(GaussianWithoutReplacement{}, Relation::kReplaceOne));
  REQUIRE_FALSE(HoldsFor(GaussianWithoutReplacement{}, Relation::kAddOrRemoveOne));
  REQUIRE_FALSE(HoldsFor(TreeAggregation{}, Relation::kAddOrRemoveOne));
  REQUIRE(HoldsFor(TreeAggregation{}, Relation::kZeroOutOne));
}

TEST_CASE("relations that exclude each other are refused by name and change nothing", "[dp]") {
  Accountant accountant;
  REQUIRE(accountant.Add(SubsampledGaussian{0.01, 1, 100}).ok());
  const double before = accountant.Spent(1e-5)->epsilon;
  const Event other = GaussianWithoutReplacement{1000, 10, 1, 5};
  const Status status = accountant.Add(other);
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  for (const char* word : {"'gaussian-without-replacement'", "'gaussian'", "replace-one",
                           "add-or-remove-one or zero-out-one"}) {
    REQUIRE(TextOf(status).find(word) != std::string::npos);
  }
  REQUIRE(accountant.Spent(1e-5)->epsilon == before);
  REQUIRE(accountant.SpentWith(other, 1e-5).status() == status);
  REQUIRE(accountant.MaxSteps(other, {10, 1e-5}).status() == status);
  const std::vector<Event> both = {SubsampledGaussian{0.01, 1, 1}, other};
  REQUIRE(SpentEpsilonByPld(both, 1e-5).status() == status);
  // What was not done is no obstacle.
  REQUIRE(accountant.Add(WithSteps(other, 0)).ok());
}

TEST_CASE("a tree and sampled steps have zeroing out in common", "[dp]") {
  Accountant accountant;
  REQUIRE(accountant.Add(SubsampledGaussian{0.01, 1, 100}).ok());
  REQUIRE(accountant.relation() == Relation::kAddOrRemoveOne);
  REQUIRE(accountant.Add(TreeAggregation{10, 100, 1}).ok());
  REQUIRE(accountant.relation() == Relation::kZeroOutOne);
  REQUIRE_FALSE(accountant.Add(GaussianWithoutReplacement{1000, 10, 1, 5}).ok());
  Accountant unknown;
  REQUIRE(unknown.Add(UnknownRelease{}).ok());
  REQUIRE(unknown.Add(GaussianWithoutReplacement{1000, 10, 1, 5}).ok());
  REQUIRE(unknown.relation() == Relation::kReplaceOne);
  REQUIRE(std::isinf(unknown.Spent(1e-5)->epsilon));
}

}  // namespace
}  // namespace tutti::dp
