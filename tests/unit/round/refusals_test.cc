#include "tests/unit/round/lines.h"

#include "tests/catch.h"

namespace tutti::round {

TEST_CASE("a job whose clients all refuse fails at once, with clients, bounds and what to do",
          "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=3 min=2 survivors=2 level=curious failures=1000");
  stage.Play(kAttach);
  REQUIRE_FALSE(Has(stage.Do("decline a BUDGET_EXHAUSTED max_epsilon_total is 4"), "failed"));
  const Lines lines = stage.Do("decline b POLICY min_cohort is 5");
  REQUIRE(Has(lines, "record failure s1"));
  REQUIRE(Has(lines,
              "job j is failed: no round is possible: 2 of 3 clients refuse the job and at least 2 "
              "have to take part; refused by a (BUDGET_EXHAUSTED: max_epsilon_total is 4), b "
              "(POLICY: min_cohort is 5); have their owners change policy.toml"));
  REQUIRE(stage.core().phase() == Phase::kIdle);
  REQUIRE_FALSE(stage.core().NextDeadline().has_value());
}

TEST_CASE("a trouble that may pass is tried again", "[round][refusals]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  REQUIRE_FALSE(Has(stage.Do("decline a TRAINER_FAILED out of memory"), "job j is failed"));
  REQUIRE(CountOf(stage.Do("wait 2000"), "offer s2") == 3);
}

TEST_CASE("who refused is not invited again and not waited for", "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Do("decline d POLICY no");
  PlayRound(stage);
  const Lines lines = stage.Do("published");
  REQUIRE(CountOf(lines, "offer s2") == 3);
  REQUIRE_FALSE(Has(lines, "notify d: offer"));
  REQUIRE(Has(lines, "training 0/3"));
}

TEST_CASE("who comes back is asked again, for its owner may have changed the rules",
          "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Do("decline d POLICY no");
  PlayRound(stage);
  stage.Play("detach d\nattach d");
  REQUIRE(CountOf(stage.Do("published"), "offer s2") == 4);
}

TEST_CASE("a member that is away may come back: the job fails only after a selection without it",
          "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play("detach c\ndecline d POLICY no");
  REQUIRE(Has(stage.Do("wait 1000"), "record failure s1"));
  REQUIRE(stage.core().RunningJob() == JobId("j"));
  stage.Do("wait 11999");
  REQUIRE(stage.core().RunningJob() == JobId("j"));
  REQUIRE(Has(stage.Do("wait 1"), "job j is failed: no round is possible: 1 of 3 clients"));
}

TEST_CASE("a job left without willing clients between two rounds fails when selection ends",
          "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Do("decline d POLICY no");
  PlayRound(stage);
  stage.Do("revoke c");
  stage.Do("published");
  REQUIRE(stage.core().phase() == Phase::kSelecting);
  REQUIRE(Has(stage.Do("wait 10000"), "job j is failed: no round is possible: 1 of 3 clients"));
}

TEST_CASE("with too few attached a job waits, whoever refused", "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Do("decline d POLICY no");
  PlayRound(stage);
  stage.Play("detach b\ndetach c");
  stage.Do("published");
  REQUIRE(Has(stage.Do("wait 10000"),
              "job j waits for clients: 2 attached, at least 3 needed, 1 refused"));
}

TEST_CASE("a resumed job and the next one ask everybody again", "[round][refusals]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Do("job next level=curious");
  const Lines failed = stage.Do("decline a POLICY no");
  REQUIRE(InOrder(failed, "job j is failed", "job next is running"));
  REQUIRE(CountOf(failed, "offer s2 of job next") == 3);
  stage.Do("stop next");
  REQUIRE(CountOf(stage.Do("resume j"), "offer s3 of job j") == 3);
}

TEST_CASE("a long list of refusals is cut short", "[round][refusals]") {
  Stage stage;
  stage.Do("job j cohort=16 min=3");
  for (char c = 'a'; c <= 'p'; ++c) {
    stage.Do(std::string("attach ") + c);
  }
  Lines lines;
  for (char c = 'a'; c <= 'n'; ++c) {
    lines = stage.Do(std::string("decline ") + c + " POLICY no");
  }
  REQUIRE(Has(lines, "14 of 16 clients refuse"));
  REQUIRE(Has(lines,
              "refused by a (POLICY: no), b (POLICY: no), c (POLICY: no), d, e, f, g, h, i, "
              "j, 4 more; "));
}

}  // namespace tutti::round
