#include "common/base/text.h"

#include <limits>

#include "common/base/status.h"
#include "tests/catch.h"

namespace tutti {

TEST_CASE("a peer's text cannot forge a log line or colour a terminal", "[base]") {
  REQUIRE(Escaped("a\nb\x1b[31m") == "a\\x0ab\\x1b[31m");
  REQUIRE(Escaped(std::string(300, 'x')).size() == 203);
  REQUIRE(Escaped("\xc3\xa9") == "\\xc3\\xa9");
}

TEST_CASE("the nearest name is found and far words give none", "[base]") {
  const std::vector<std::string> names{"rounds", "cohort", "learning_rate"};
  REQUIRE(NearestName("round", names) == "rounds");
  REQUIRE(NearestName("lerning_rate", names) == "learning_rate");
  REQUIRE(NearestName("zzzzzzzzzz", names).empty());
}

TEST_CASE("printed privacy losses round up", "[base]") {
  REQUIRE(RoundedUp(1.001, 2) == "1.01");
  REQUIRE(RoundedUp(3.9, 1) == "3.9");
  REQUIRE(RoundedUp(3.90000001, 2) == "3.91");
  REQUIRE(RoundedUp(0, 2) == "0.00");
  REQUIRE(RoundedUp(std::numeric_limits<double>::infinity(), 2) == "inf");
}

TEST_CASE("names that could leave a folder are not safe", "[base]") {
  REQUIRE(IsSafeName("client-1"));
  REQUIRE(IsSafeName("a.b_c-9"));
  REQUIRE_FALSE(IsSafeName(""));
  REQUIRE_FALSE(IsSafeName("../x"));
  REQUIRE_FALSE(IsSafeName(".hidden"));
  REQUIRE_FALSE(IsSafeName("A"));
  REQUIRE_FALSE(IsSafeName(std::string("a\0b", 3)));
  REQUIRE_FALSE(IsSafeName(std::string(65, 'a')));
}

TEST_CASE("an annotated error keeps its code", "[base]") {
  const Status status = Annotate(NotFound("no such file"), "reading policy");
  REQUIRE(status.code() == StatusCode::kNotFound);
  REQUIRE(TextOf(status) == "reading policy: no such file");
  REQUIRE(Annotate(OkStatus(), "x").ok());
}

}  // namespace tutti
