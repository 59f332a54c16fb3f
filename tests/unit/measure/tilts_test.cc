#include "common/measure/tilts.h"

#include <cmath>
#include <string>

#include "tests/catch.h"

namespace tutti::measure {
namespace {

v1::FairnessSpec SpecOf(const std::string& rule) {
  v1::FairnessSpec fairness;
  fairness.set_attribute("sex");
  fairness.add_groups("female");
  fairness.add_groups("male");
  fairness.set_rule(rule);
  return fairness;
}

TEST_CASE("tilts start as what changes nothing", "[measure]") {
  REQUIRE(InitialTilts(SpecOf("none")).empty());
  REQUIRE(InitialTilts(SpecOf("reweigh")) == std::vector<double>{1, 1, 1, 1});
  REQUIRE(InitialTilts(SpecOf("penalty")) == std::vector<double>{0, 0, 0, 0});
  REQUIRE(InitialTilts(SpecOf("constraint")) == std::vector<double>{0, 0, 0, 0});
  REQUIRE(FairRuleOf(v1::FairnessSpec()) == FairRule::kNone);
}

TEST_CASE("devices refuse tilts that are too many, too large or not numbers", "[measure]") {
  for (const char* rule : {"reweigh", "penalty", "constraint"}) {
    REQUIRE(CheckTilts(SpecOf(rule), {}).ok());
    REQUIRE(CheckTilts(SpecOf(rule), InitialTilts(SpecOf(rule))).ok());
    const bool factor = std::string(rule) == "reweigh";
    for (const double bad : {factor ? 0.05 : -51.0, factor ? 11.0 : 51.0, std::nan(""),
                             static_cast<double>(INFINITY)}) {
      const Status status = CheckTilts(SpecOf(rule), std::vector<double>{1, 1, bad, 1});
      REQUIRE(status.code() == StatusCode::kInvalidArgument);
      REQUIRE(std::string(MessageOf(status)).find(rule) != std::string::npos);
    }
    REQUIRE_FALSE(CheckTilts(SpecOf(rule), std::vector<double>{1, 1, 1}).ok());
  }
  REQUIRE_FALSE(CheckTilts(SpecOf("none"), std::vector<double>{0, 0, 0, 0}).ok());
}

TEST_CASE("a criterion says whose rates are compared", "[measure]") {
  v1::FairnessSpec fairness = SpecOf("penalty");
  fairness.set_criterion("demographic_parity");
  REQUIRE(LabelSets(fairness) == std::vector<std::vector<int>>{{0, 1}});
  fairness.set_criterion("equal_opportunity");
  REQUIRE(LabelSets(fairness) == std::vector<std::vector<int>>{{1}});
  fairness.set_criterion("equalised_odds");
  REQUIRE(LabelSets(fairness) == std::vector<std::vector<int>>{{0}, {1}});
}

}  // namespace
}  // namespace tutti::measure
