#include "tests/unit/round/lines.h"

#include "tests/catch.h"

namespace tutti::round {

TEST_CASE("a round starts as soon as the reporting goal is there", "[round][selection]") {
  Stage stage;
  stage.Do("job j cohort=3 over=200");
  REQUIRE_FALSE(Has(stage.Play("attach a\nattach b"), "offer"));
  REQUIRE(CountOf(stage.Do("attach c"), "offer s1") == 3);
}

TEST_CASE("over-selection invites more than the goal, the goal closes the joins",
          "[round][selection]") {
  Stage stage;
  stage.Play("attach a\nattach b\nattach c\nattach d\nattach e\nattach f");
  const Lines lines = stage.Do("job j cohort=3 over=150");
  REQUIRE(CountOf(lines, "offer s1") == 5);  // 4.5 rounded up
  std::vector<std::string> invited;
  for (const char c : std::string("abcdef")) {
    if (Has(lines, std::string("notify ") + c + ": offer")) {
      invited.emplace_back(1, c);
    }
  }
  stage.Do("join " + invited[0]);
  stage.Do("join " + invited[1]);
  const Lines closed = stage.Do("join " + invited[4]);
  REQUIRE(CountOf(closed, ": roster s1 of 3") == 3);
  REQUIRE(CountOf(closed, ": closed s1 dropped: the cohort is complete without this client") == 2);
  REQUIRE(Has(stage.Do("join " + invited[2]), "FAILED_PRECONDITION"));
}

TEST_CASE("at the end of selection a smaller cohort is enough", "[round][selection]") {
  Stage stage;
  stage.Do("job j cohort=5 min=3");
  stage.Play(kAttach);
  REQUIRE(stage.Do("due") == Lines{"due in 10000 ms"});
  REQUIRE_FALSE(Has(stage.Do("wait 9999"), "offer"));
  REQUIRE(CountOf(stage.Do("wait 1"), "offer s1") == 3);
}

TEST_CASE("a job waits for clients as long as it takes", "[round][selection]") {
  Stage stage;
  stage.Do("job j");
  stage.Do("attach a");
  for (int i = 0; i < 50; ++i) {
    REQUIRE(Has(stage.Do("wait 10000"), "job j waits for clients: 1 attached, at least 3 needed"));
  }
  REQUIRE(stage.core().phase() == Phase::kSelecting);
  REQUIRE(CountOf(stage.Play("attach b\nattach c"), "offer s1") == 3);
}

TEST_CASE("a client that left before the round began is not invited", "[round][selection]") {
  Stage stage;
  stage.Do("job j");
  stage.Play("attach a\nattach b\ndetach b\nattach c");
  REQUIRE(stage.core().phase() == Phase::kSelecting);
  REQUIRE(stage.core().Attached(Role::kTrainer) == 2);
}

TEST_CASE("the offer says how much time is left to train", "[round][selection]") {
  Stage stage;
  stage.Do("job j");
  stage.Play(kAttach);
  stage.Do("wait 15000");
  REQUIRE(Has(stage.Do("attach a"), "offer s1 of job j round 1 attempt 1, 45000 ms to train"));
}

}  // namespace tutti::round
