#include "server/aggregate/combine.h"

#include <limits>
#include <vector>

#include "tests/catch.h"

namespace tutti::aggregate {
namespace {

using Values = std::vector<float>;

constexpr CombinationRule kMeanRule{};
constexpr CombinationRule kMedianRule{Combination::kMedian, 0};

CombinationRule Trimmed(double trim) { return {Combination::kTrimmedMean, trim}; }

// One group a value, all of weight 1.
std::vector<GroupMean> Groups(const Values& values) {
  std::vector<GroupMean> groups;
  for (const float value : values) {
    groups.push_back({{value}, 1});
  }
  return groups;
}

}  // namespace

TEST_CASE("the mean of groups weighs them by their weight", "[aggregate]") {
  REQUIRE(*Combine({{{1.0F, 4.0F}, 3}, {{5.0F, 0.0F}, 1}}, kMeanRule) == Values{2.0F, 3.0F});
}

TEST_CASE("one group is its own combination under every rule", "[aggregate]") {
  for (const CombinationRule& rule : {kMeanRule, kMedianRule, Trimmed(0.2)}) {
    REQUIRE(*Combine({{{0.1F, -3.0F}, 7}}, rule) == Values{0.1F, -3.0F});
  }
}

TEST_CASE("the median takes each value by itself, whatever the weights", "[aggregate]") {
  REQUIRE(*Combine({{{1.0F, 9.0F}, 100}, {{2.0F, 7.0F}, 1}, {{3.0F, 8.0F}, 1}}, kMedianRule) ==
          Values{2.0F, 8.0F});
  REQUIRE(*Combine(Groups({4.0F, 1.0F, 3.0F, 100.0F}), kMedianRule) == Values{3.5F});
}

TEST_CASE("the trimmed mean leaves out its share at each end, rounded up", "[aggregate]") {
  REQUIRE(*Combine(Groups({1.0F, 2.0F, 3.0F, 4.0F, 1000.0F}), Trimmed(0.2)) == Values{3.0F});
  REQUIRE(*Combine(Groups({-1000.0F, 2.0F, 4.0F, 6.0F}), Trimmed(0.2)) == Values{3.0F});
  REQUIRE(LeftOutAtEachEnd(Trimmed(0.2), 5) == 1);
  REQUIRE(LeftOutAtEachEnd(Trimmed(0.2), 6) == 2);
  REQUIRE(LeftOutAtEachEnd(Trimmed(0.49), 3) == 1);  // one has to stay
  REQUIRE(LeftOutAtEachEnd(kMedianRule, 4) == 1);
  REQUIRE(LeftOutAtEachEnd(kMeanRule, 9) == 0);
}

TEST_CASE("bad groups move the robust rules no further than the good ones reach", "[aggregate]") {
  for (const float bad : {1e30F, -1e30F}) {
    const Values values{1.0F, 2.0F, 3.0F, bad, bad};
    for (const CombinationRule& rule : {kMedianRule, Trimmed(0.4)}) {
      const float combined = Combine(Groups(values), rule)->front();
      REQUIRE(combined >= 1.0F);
      REQUIRE(combined <= 3.0F);
    }
    const float mean = Combine(Groups(values), kMeanRule)->front();
    REQUIRE((mean < -1e29F || mean > 1e29F));
  }
}

TEST_CASE("what cannot be combined is refused", "[aggregate]") {
  REQUIRE(Combine({}, kMeanRule).status().code() == StatusCode::kInvalidArgument);
  REQUIRE_FALSE(Combine({{{1.0F}, 1}, {{1.0F, 2.0F}, 1}}, kMeanRule).ok());
  REQUIRE_FALSE(Combine({{{1.0F}, 0}, {{1.0F}, 1}}, kMeanRule).ok());
  for (const double trim : {0.0, 0.5, -0.1, std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE_FALSE(Combine(Groups({1.0F, 2.0F, 3.0F}), Trimmed(trim)).ok());
  }
}

TEST_CASE("robust rules need three groups", "[aggregate]") {
  REQUIRE(GroupsNeeded(kMeanRule) == 1);
  REQUIRE(GroupsNeeded(kMedianRule) == 3);
  REQUIRE(GroupsNeeded(Trimmed(0.1)) == 3);
}

}  // namespace tutti::aggregate
