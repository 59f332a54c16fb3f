#include "client/data/group_codes.h"

#include <string>

#include "tests/catch.h"

namespace tutti::data {
namespace {

Dataset People() {
  Dataset data;
  data.examples = 5;
  data.groups = {{.column = "age", .names = {"old", "young"}, .codes = {0, 0, 1, 1, 0}},
                 {.column = "sex", .names = {"f", "m", "x"}, .codes = {0, 1, 2, 1, 0}}};
  return data;
}

v1::FairnessSpec Asks(const std::string& column, const std::vector<std::string>& groups) {
  v1::FairnessSpec fairness;
  fairness.set_attribute(column);
  for (const std::string& group : groups) fairness.add_groups(group);
  return fairness;
}

TEST_CASE("examples get the place of their word among the job's groups", "[data]") {
  using Codes = std::vector<std::uint32_t>;
  REQUIRE(*GroupCodes(People(), Asks("sex", {"m", "f"})) == Codes{1, 0, 2, 0, 1});
  REQUIRE(*GroupCodes(People(), Asks("sex", {"x", "m", "f"})) == Codes{2, 1, 0, 1, 2});
  REQUIRE(*GroupCodes(People(), Asks("age", {"young", "old"})) == Codes{1, 1, 0, 0, 1});
}

TEST_CASE("words that nobody here has are no error, and change nothing for the others", "[data]") {
  using Codes = std::vector<std::uint32_t>;
  REQUIRE(*GroupCodes(People(), Asks("sex", {"other", "m"})) == Codes{2, 1, 2, 1, 2});
  REQUIRE(*GroupCodes(People(), Asks("sex", {"p", "q"})) == Codes{2, 2, 2, 2, 2});
}

TEST_CASE("a column the owner does not list is refused without a word of the data", "[data]") {
  const Status status = GroupCodes(People(), Asks("income", {"low", "high"})).status();
  REQUIRE(status.code() == StatusCode::kFailedPrecondition);
  REQUIRE(std::string(MessageOf(status)) ==
          "the job compares groups of the column \"income\", which this device's data.sensitive "
          "does not list; list it there to take part");
}

}  // namespace
}  // namespace tutti::data
