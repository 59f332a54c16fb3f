#include "tests/unit/round/lines.h"

#include "tests/catch.h"

namespace tutti::round {

TEST_CASE("a client is waited for during the grace and no longer", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play(kJoin);
  stage.Do("detach d");
  REQUIRE(stage.Do("due") == Lines{"due in 1000 ms"});
  REQUIRE(stage.Do("wait 999").empty());
  REQUIRE(Has(stage.Do("wait 1"), "roster s1 of 3"));
}

TEST_CASE("a client that comes back within the grace is waited for again", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play(kJoin);
  stage.Do("detach d");
  stage.Do("wait 999");
  REQUIRE(Has(stage.Do("attach d"), "notify d: offer s1"));
  REQUIRE(stage.Do("due") == Lines{"due in 59001 ms"});
  REQUIRE(Has(stage.Do("join d"), "roster s1 of 4"));
}

TEST_CASE("an answer without a stream counts", "[round][clients]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Play("join a\njoin b\ndetach c");
  REQUIRE(CountOf(stage.Do("join c"), "roster s1 of 3") == 3);
}

TEST_CASE("a client that is still uploading is not gone", "[round][clients]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Play(kJoin);
  stage.Play(kShare);
  stage.Play("upload a\nupload b\nopen c\ndetach c");
  REQUIRE(stage.Do("wait 1500").empty());
  REQUIRE(Has(stage.Do("finish c"), "persist survivors s1 round 1 attempt 1: a b c"));
}

TEST_CASE("an upload that breaks off after the grace ends the waiting", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  for (const std::string verb : {"join ", "share "}) {
    for (const std::string client : {"a", "b", "c", "d"}) {
      stage.Do(verb + client);
    }
  }
  stage.Play(kUpload);
  stage.Play("open d\ndetach d\nwait 1500");
  REQUIRE(Has(stage.Do("break d"), "persist survivors s1 round 1 attempt 1: a b c"));
}

TEST_CASE("a revoked client is out of the pool and of the round at once", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play(kJoin);
  REQUIRE(Has(stage.Do("revoke d"), "roster s1 of 3"));
  REQUIRE(stage.core().Attached(Role::kTrainer) == 3);
  REQUIRE(Has(stage.Do("join d"), "PERMISSION_DENIED client d is revoked"));
  REQUIRE_FALSE(Has(stage.Do("attach d"), "welcome"));
  stage.Play(kShare);
  stage.Do("open a");
  const Lines lines = stage.Do("revoke a");
  REQUIRE(Has(lines, "drop upload"));
  REQUIRE(Has(lines, "PERMISSION_DENIED client a is revoked"));
  REQUIRE(Has(stage.Do("open a"), "PERMISSION_DENIED"));
}

TEST_CASE("a client that declined is not waited for, and may say so twice", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  REQUIRE(Has(stage.Do("decline d BUDGET_EXHAUSTED spent \x1b[31m"),
              "client d sits out: BUDGET_EXHAUSTED: spent \\x1b"));
  REQUIRE(Has(stage.Do("decline d BUDGET_EXHAUSTED spent"), "OK"));
  REQUIRE(Has(stage.Do("join d"), "FAILED_PRECONDITION LATE: client d left this round"));
  REQUIRE_FALSE(Has(stage.Do("attach d"), "offer"));
  REQUIRE(Has(stage.Play(kJoin), "roster s1 of 3"));
}

TEST_CASE("who broke a rule hears once that it is out, and why", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  const std::string closed = "notify d: closed s1 dropped: this client broke a rule of the round: ";
  const Lines lines = stage.Do("join d broken");
  REQUIRE(Has(lines, closed + "client d's join is not signed"));
  REQUIRE(Has(lines, "INVALID_ARGUMENT client d's join is not signed"));
  REQUIRE(Has(stage.Do("attach d"), closed));  // its stream may have been down
  stage.Play(kJoin);
  for (const std::string_view part : {kShare, kUpload, kCommit, kUnmask}) {
    stage.Play(part);
  }
  REQUIRE_FALSE(Has(stage.Do("published"), "notify d: closed"));
}

TEST_CASE("who broke a rule hears of it even after the attempt is over", "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 rounds=1");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  stage.Play("join d broken\ndetach d");
  stage.Do("stop j");
  REQUIRE(Has(stage.Do("attach d"), "closed s1 dropped: this client broke a rule of the round: "));
}

TEST_CASE("a client whose input is in the sum and that then declines stays in the sum",
          "[round][clients]") {
  Stage stage;
  stage.Do("job j cohort=4 min=3 level=curious");
  stage.Play("attach a\nattach b\nattach c\nattach d");
  for (const std::string verb : {"join ", "share ", "upload "}) {
    for (const std::string client : {"a", "b", "c", "d"}) {
      stage.Do(verb + client);
    }
  }
  stage.Do("decline d NO_SESSION restarted");
  const Lines lines = stage.Play(kUnmask);
  REQUIRE(Has(lines, "sum exact, survivors a b c d of a b c d, declined d"));
}

TEST_CASE("someone who was not invited is refused, whatever it says", "[round][clients]") {
  Stage stage;
  stage.Do("job j level=curious");
  stage.Play(kAttach);
  stage.Do("attach zoe");
  REQUIRE(Has(stage.Do("join zoe stranger"), "PERMISSION_DENIED client zoe was not invited"));
  REQUIRE(stage.core().refusals() == 1);
}

TEST_CASE("who missed the end of an attempt hears of it when it comes back", "[round][clients]") {
  Stage stage;
  stage.Do("job j level=curious rounds=1");
  stage.Play(kAttach);
  PlayRound(stage);
  stage.Do("detach a");
  stage.Do("published");
  REQUIRE(Has(stage.Do("attach a"), "closed s1 published, 3 survivors"));
}

TEST_CASE("the progress of a phase is told once for each change", "[round][clients]") {
  Stage stage;
  REQUIRE(CountOf(stage.Do("job j level=curious"), "progress") == 1);
  REQUIRE(Has(stage.Do("attach a"), "progress job j round 1 selecting 1/3"));
  REQUIRE_FALSE(Has(stage.Do("attach a"), "progress"));
  stage.Play("attach b\nattach c");
  REQUIRE(Has(stage.Do("join a"), "progress job j round 1 training 1/3"));
  REQUIRE_FALSE(Has(stage.Do("join a"), "progress"));
}

}  // namespace tutti::round
