#include "tests/unit/round/lines.h"

#include "tests/catch.h"

namespace tutti::round {

TEST_CASE("training goes on with those who joined by its deadline", "[round][steps]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play(kJoin);
  REQUIRE(stage.Do("due") == Lines{"due in 60000 ms"});
  REQUIRE(stage.Do("wait 59999").empty());
  const Lines lines = stage.Do("wait 1");
  REQUIRE(CountOf(lines, "roster s1 of 3") == 3);
  REQUIRE(Has(lines, "notify d: closed s1 dropped: this client did not join in time"));
  REQUIRE(stage.Do("tick").empty());  // the same time again changes nothing
}

TEST_CASE("an answer after a deadline is late even before anyone looked at the clock",
          "[round][steps]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play("share a\nshare b");
  const Lines lines = stage.Do("wait 5000");
  REQUIRE(Has(lines, "record failure s1 after 5000 ms"));
  REQUIRE(Has(stage.Do("share c"), "FAILED_PRECONDITION LATE"));
}

TEST_CASE("an attempt fails as soon as too few can still join", "[round][steps]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  REQUIRE_FALSE(Has(stage.Do("decline a DATA too few examples"), "record failure"));
  REQUIRE(Has(stage.Do("decline b DATA too few examples"), "record failure s1"));
}

TEST_CASE("the survivor set is durable before anyone is asked about it", "[round][steps]") {
  Stage stage;
  stage.Do("job j");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play(kShare);
  const Lines lines = stage.Play(kUpload);
  REQUIRE(InOrder(lines, "accumulate", "reply"));
  REQUIRE(InOrder(lines, "persist survivors", "notify a: survivors"));
}

TEST_CASE("a vector still coming in when the step ends is dropped and its sender told",
          "[round][steps]") {
  Stage stage;
  stage.Do("job j cohort=4 survivors=3 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play(kJoin);
  stage.Do("join d");
  stage.Play(kShare);
  stage.Do("share d");
  stage.Play(kUpload);
  stage.Do("open d");
  const Lines lines = stage.Do("wait 20000");
  REQUIRE(InOrder(lines, "drop upload 12", "reply 12: FAILED_PRECONDITION LATE"));
  REQUIRE(Has(lines, "persist survivors s1 round 1 attempt 1: a b c"));
  REQUIRE(Has(lines, "notify d: closed s1 dropped"));
  REQUIRE(stage.Do("finish d") == Lines{"drop upload 12"});
  REQUIRE(stage.Do("break d") == Lines{"drop upload 12"});
}

TEST_CASE("too few commits fail the attempt and drop the sum", "[round][steps]") {
  Stage stage;
  stage.Do("job j");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play(kShare);
  stage.Play(kUpload);
  stage.Do("commit a");
  const Lines lines = stage.Do("wait 5000");
  REQUIRE(InOrder(lines, "record failure s1", "drop sum s1"));
  REQUIRE(CountOf(lines, "closed s1 failed") == 3);
}

TEST_CASE("slow survivors may still report for a moment after the sum can be opened",
          "[round][steps]") {
  Stage stage;
  stage.Do("job j cohort=5 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d\nattach e");
  for (const std::string verb : {"join ", "share ", "upload "}) {
    for (const std::string client : {"a", "b", "c", "d", "e"}) {
      stage.Do(verb + client);
    }
  }
  // At level curious two shares of each secret open the sum; an owner never holds its own.
  stage.Do("unmask a");
  stage.Do("unmask b");
  REQUIRE(stage.Do("due") == Lines{"due in 5000 ms"});
  stage.Do("unmask c");
  REQUIRE(stage.Do("due") == Lines{"due in 20 ms"});
  stage.Do("wait 10");
  stage.Do("unmask d");
  const Lines lines = stage.Do("wait 10");
  REQUIRE(Has(lines, "sum exact"));
  REQUIRE(Has(lines, "budgets of a b c d,"));
  REQUIRE(Has(stage.Do("unmask e"), "OK"));  // no longer needed, but not wrong
  REQUIRE(stage.core().phase() == Phase::kPublishing);
  REQUIRE(stage.Do("due") == Lines{"nothing is due"});
}

TEST_CASE("a request of an ended session is late and says when to come back", "[round][steps]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play("stop j\nresume j");
  REQUIRE(Has(stage.Do("join d unknown"), "LATE: session 00000000 is not running (any more)"));
  REQUIRE(Has(stage.Do("join d unknown"), "retry in 2000 ms"));
  stage.Do("stop j");
  REQUIRE(Has(stage.Do("join d unknown"), "retry in 1000 ms"));
}

}  // namespace tutti::round
