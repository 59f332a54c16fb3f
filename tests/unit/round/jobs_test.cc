#include "tests/unit/round/lines.h"

#include "common/base/text.h"
#include "tests/catch.h"

namespace tutti::round {

TEST_CASE("a job with settings no round can have fails at once and says why", "[round]") {
  Stage stage;
  REQUIRE(Has(stage.Do("job j cohort=2 min=3"), "job j is failed: cohort_size is 2, expected 3"));
  REQUIRE(Has(stage.Do("job k cohort=17"), "job k is failed: cohort_size is 17"));
  REQUIRE(Has(stage.Do("job l rounds=0"), "job l is failed: job has 0 rounds"));
  REQUIRE(Has(stage.Do("job m over=90"), "over_selection is 0.9"));
  REQUIRE(Has(stage.Do("job n over=2000"), "over_selection is 20"));
  REQUIRE(Has(stage.Do("job o train=0"), "deadline is 0 ms"));
  REQUIRE(Has(stage.Do("job Bad!"), "not a safe name"));
  REQUIRE(stage.core().phase() == Phase::kIdle);
  REQUIRE_FALSE(stage.core().NextDeadline().has_value());
}

TEST_CASE("one job runs at a time, the others wait in the order of submission", "[round]") {
  Stage stage;
  stage.Play(
      "job first rounds=1 level=curious\njob second rounds=1 level=curious\njob third rounds=1");
  REQUIRE(stage.core().RunningJob() == JobId("first"));
  stage.Play(kAttach);
  PlayRound(stage);
  const Lines lines = stage.Do("published");
  REQUIRE(InOrder(lines, "job first is done", "job second is running"));
  REQUIRE(stage.core().RunningJob() == JobId("second"));
  PlayRound(stage);
  REQUIRE(Has(stage.Do("published"), "job third is running"));
}

TEST_CASE("a name is free again once its job is done or has failed", "[round]") {
  Stage stage;
  stage.Do("job j rounds=1 level=curious");
  REQUIRE(Has(stage.Do("job j"), "job j is running already"));
  REQUIRE(stage.core().refusals() == 1);
  stage.Play(kAttach);
  PlayRound(stage);
  stage.Do("published");
  REQUIRE(Has(stage.Do("job j rounds=1"), "job j is running"));
}

TEST_CASE("a submitted job goes on after the rounds the store knows", "[round]") {
  Stage stage;
  stage.Play(kAttach);
  REQUIRE(Has(stage.Do("job j rounds=9 done=4 attempt=6"), "offer s1 of job j round 5 attempt 7"));
}

TEST_CASE("a job that was done or stopped before a restart does not start", "[round]") {
  Stage stage;
  stage.Play(kAttach);
  REQUIRE(Has(stage.Do("job over rounds=2 done=2"), "job over is done"));
  REQUIRE(stage.Do("job known rounds=2 done=2 was=done").empty());
  REQUIRE(stage.Do("job held rounds=2 was=stopped").empty());
  REQUIRE(stage.core().phase() == Phase::kIdle);
  REQUIRE(Has(stage.Do("resume held"), "offer s1 of job held"));
  REQUIRE(Has(stage.Do("resume over"), "is done, so there is nothing to resume"));
  REQUIRE(Has(stage.Do("stop over"), "is done, so there is nothing to stop"));
  REQUIRE(Has(stage.Do("stop known"), "is done, so there is nothing to stop"));
}

TEST_CASE("a job that ended early stays done after a restart", "[round]") {
  Stage stage;
  stage.Play(kAttach);
  REQUIRE(stage.Do("job j rounds=2 done=1 was=done").empty());
  REQUIRE(Has(stage.Do("resume j"), "is done, so there is nothing to resume"));
}

TEST_CASE("stopping closes the attempt, drops its sum and its open uploads", "[round]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play(kShare);
  stage.Do("open a");
  const Lines lines = stage.Do("stop j");
  REQUIRE(InOrder(lines, "record failure s1", "notify a: closed s1 failed"));
  REQUIRE(Has(lines, "drop upload 7"));
  REQUIRE(Has(lines, "reply 7: FAILED_PRECONDITION LATE"));
  REQUIRE(Has(lines, "drop sum s1"));
  REQUIRE(Has(lines, "job j is stopped"));
  REQUIRE(stage.core().phase() == Phase::kIdle);
  REQUIRE(stage.Do("finish a") == Lines{"drop upload 7"});
}

TEST_CASE("a job stopped and resumed while it is published goes on with the next round",
          "[round]") {
  Stage stage;
  stage.Do("job j level=curious rounds=2");
  stage.Play(kAttach);
  PlayRound(stage);
  stage.Do("stop j");
  REQUIRE(stage.core().phase() == Phase::kPublishing);
  REQUIRE(Has(stage.Do("resume j"), "job j is running"));
  REQUIRE(Has(stage.Do("published"), "offer s2 of job j round 2 attempt 1"));
}

TEST_CASE("stopped while it is published, a job keeps the round and starts no other", "[round]") {
  Stage stage;
  stage.Do("job j level=curious rounds=2");
  stage.Play(kAttach);
  PlayRound(stage);
  stage.Do("stop j");
  REQUIRE(Has(stage.Do("published"), "closed s1 published"));
  REQUIRE(stage.core().phase() == Phase::kIdle);
  REQUIRE(Has(stage.Do("resume j"), "offer s2 of job j round 2 attempt 1"));
}

TEST_CASE("the store's answer counts once and only for the session being published", "[round]") {
  Stage stage;
  stage.Do("job j level=curious rounds=2");
  REQUIRE(Has(stage.Do("published"), "is not being published"));
  stage.Play(kAttach);
  PlayRound(stage);
  stage.Do("published");
  REQUIRE(stage.core().phase() == Phase::kTraining);
  REQUIRE(Has(stage.Do("published"), "is not being published"));
  REQUIRE(Has(stage.Do("publish-failed late"), "is not being published"));
  REQUIRE(stage.core().phase() == Phase::kTraining);
}

TEST_CASE("failures count in a row: a published round starts the count again", "[round]") {
  Stage stage;
  stage.Do("job j level=curious rounds=3 failures=2");
  stage.Play(kAttach);
  stage.Do("decline a TRAINER_FAILED no");
  stage.Do("wait 2000");
  PlayRound(stage);
  stage.Do("published");
  REQUIRE(Has(stage.Do("decline a TRAINER_FAILED no"), "record failure"));
  REQUIRE(stage.core().RunningJob() == JobId("j"));
  stage.Do("wait 2000");
  REQUIRE(
      Has(stage.Do("decline a TRAINER_FAILED no"), "job j is failed: 2 attempts failed in a row"));
}

TEST_CASE("an evaluation is asked for when it is due, of the newest model only",
          "[round][evaluation]") {
  Stage stage;
  stage.Do("job j level=curious rounds=3 evaluate=2");
  stage.Play(kAttach);
  stage.Do("attach judge evaluator");
  PlayRound(stage);
  REQUIRE_FALSE(Has(stage.Do("published"), "notify judge"));
  REQUIRE(Has(stage.Do("evaluate judge j 1 0.5"),
              "FAILED_PRECONDITION round 1 of job j asked for no evaluation"));
  PlayRound(stage);
  REQUIRE(Has(stage.Do("published"), "notify judge: evaluate job j round 2"));
  PlayRound(stage);
  REQUIRE(Has(stage.Do("published"),
              "notify judge: evaluate job j round 3"));  // the last one is always due
  REQUIRE(CountOf(stage.Do("attach other evaluator"), "evaluate job j round 3") == 1);
  REQUIRE(Has(stage.Do("evaluate judge j 2 0.5"), "record evaluation of job j round 2 by judge"));
  REQUIRE(Has(stage.Do("evaluate judge j 3 0.5"), "record evaluation of job j round 3 by judge"));
  REQUIRE_FALSE(Has(stage.Do("attach judge evaluator"), "evaluate job"));
  REQUIRE(Has(stage.Do("evaluate judge nothing 1 0.5"), "NOT_FOUND"));
}

TEST_CASE("a job ends early when evaluations bring no smaller loss", "[round][evaluation]") {
  Stage stage;
  stage.Do("job j level=curious rounds=9 evaluate=1 patience=2");
  stage.Play(kAttach);
  stage.Do("attach judge evaluator");
  for (const char* loss : {"1", "1.5"}) {
    PlayRound(stage);
    stage.Do("published");
    const std::string round = loss == std::string("1") ? "1" : "2";
    REQUIRE_FALSE(Has(stage.Do(Join("evaluate judge j ", round, " 0.5 ", loss)), "is done"));
  }
  PlayRound(stage);
  stage.Do("published");
  stage.Play(kJoin);  // round 4 is on its way when the evaluation of round 3 comes
  const Lines lines = stage.Do("evaluate judge j 3 0.5 1.1");
  REQUIRE(InOrder(lines, "record failure", "job j is done: ended early: 2 evaluations"));
  REQUIRE_FALSE(stage.core().RunningJob());
}

TEST_CASE("an evaluation that comes while a sum is published ends the job afterwards",
          "[round][evaluation]") {
  Stage stage;
  stage.Do("job j level=curious rounds=9 evaluate=1 patience=1");
  stage.Play(kAttach);
  stage.Do("attach judge evaluator");
  for (int round = 1; round <= 2; ++round) {
    PlayRound(stage);
    stage.Do("published");
  }
  stage.Do("evaluate judge j 1 0.5 1");
  PlayRound(stage);  // round 3 is with the store
  REQUIRE_FALSE(Has(stage.Do("evaluate judge j 2 0.5 2"), "is done"));
  REQUIRE(Has(stage.Do("published"), "job j is done: ended early"));
}

TEST_CASE("what the clients of a round counted judges the model it began with",
          "[round][evaluation]") {
  Stage stage;
  stage.Do("job j level=curious rounds=9 evaluate=1 by-clients=1 patience=2 increase=50");
  stage.Play(kAttach);
  REQUIRE_FALSE(Has(stage.Do("attach judge evaluator"), "evaluate job"));
  PlayRound(stage);
  REQUIRE_FALSE(Has(stage.Do("counted 0 0.1"), "evaluate job"));  // the first model is no round's
  REQUIRE(Has(stage.Do("evaluate judge j 1 0.5 0.1"), "asked for no evaluation"));
  PlayRound(stage);
  stage.Do("counted 1 1");
  PlayRound(stage);
  // Round 2's model is too bad: what round 3 made of it goes with it.
  const Lines back = stage.Do("counted 2 1.6");
  REQUIRE(Has(back, "put round 1 of job j in the place of 3: the loss of round 2"));
  REQUIRE(Has(back, "of job j round 4 attempt 1"));
  PlayRound(stage);
  stage.Do("counted 1 1.05");  // the same model again
  PlayRound(stage);
  REQUIRE(Has(stage.Do("counted 4 1.2"), "job j is done: ended early: 2 evaluations"));
}

TEST_CASE("a model that is much worse is dropped and the best one continued from",
          "[round][evaluation]") {
  Stage stage;
  stage.Do("job j level=curious rounds=9 evaluate=1 increase=50");
  stage.Play(kAttach);
  stage.Do("attach judge evaluator");
  for (int round = 1; round <= 3; ++round) {
    PlayRound(stage);
    stage.Do("published");
  }
  stage.Do("evaluate judge j 1 0.5 1");
  REQUIRE_FALSE(Has(stage.Do("evaluate judge j 2 0.5 1.5"), "in the place of"));
  const Lines lines = stage.Do("evaluate judge j 3 0.5 1.6");
  REQUIRE(InOrder(lines, "record failure", "put round 1 of job j in the place of 3: the loss of"));
  // Numbers go on: clients refuse one they answered before.
  REQUIRE(Has(lines, "of job j round 4 attempt 2"));
  PlayRound(stage);
  REQUIRE(Has(stage.Do("published"), "of job j round 5 attempt 1"));
  REQUIRE(Has(stage.Do("evaluate judge j 4 0.5 4"), "put round 1 of job j in the place of 4"));
}

TEST_CASE("an evaluator is never invited to train", "[round][evaluation]") {
  Stage stage;
  stage.Do("job j");
  stage.Play("attach a\nattach b\nattach judge evaluator");
  REQUIRE(stage.core().phase() == Phase::kSelecting);
  REQUIRE(stage.core().Attached(Role::kEvaluator) == 1);
  REQUIRE(stage.core().Attached(Role::kTrainer) == 2);
}

}  // namespace tutti::round
