// What the round machine does with spoiled sums: who sits out, who is excluded, and what is kept.
#include "tests/unit/round/lines.h"

#include "tests/catch.h"

namespace tutti::round {
namespace {

// Everybody who was invited goes through the attempt up to its opened sums. `offers`: the effects
// that invited them.
void PlayAttempt(Stage& stage, const Lines& offers, const std::string& names) {
  std::string invited;
  for (const char name : names) {
    if (Has(offers, std::string("notify ") + name + ": offer")) {
      invited += name;
    }
  }
  for (const char* step : {"join ", "share ", "upload ", "unmask "}) {
    for (const char name : invited) {
      stage.Do(std::string(step) + name);
    }
  }
  stage.Do("wait 20");
}

Lines Attach(Stage& stage, const std::string& names) {
  Lines last;
  for (const char name : names) {
    last = stage.Do(std::string("attach ") + name);
  }
  return last;
}

constexpr const char* kSix = "abcdef";

// A job of two groups of three among six, whose first sums are opened.
Lines PlayFirstAttempt(Stage& stage, const std::string& settings) {
  stage.Do("job j level=curious groups=2 cohort=6 failures=100 rounds=100 " + settings);
  const Lines offers = Attach(stage, kSix);
  PlayAttempt(stage, offers, kSix);
  return offers;
}

}  // namespace

TEST_CASE("the survivors of a spoiled sum are suspects, recorded before anyone hears of it",
          "[round][suspects]") {
  Stage stage;
  PlayFirstAttempt(stage, "");
  const Lines lines = stage.Do("published s1");
  REQUIRE(CountOf(lines, "record suspicion: ") == 1);
  REQUIRE(CountOf(lines, "; spoiled sums: s1 of ") == 1);
  REQUIRE(InOrder(lines, "record suspicion: ", ": closed s1"));
  REQUIRE(InOrder(lines, "record suspicion: ", "published: 3 of 6 clients"));
}

TEST_CASE("rounds without a spoiled sum record nothing", "[round][suspects]") {
  Stage stage;
  PlayFirstAttempt(stage, "");
  REQUIRE_FALSE(Has(stage.Do("published"), "record suspicion"));
}

TEST_CASE("half of the suspects sit out the attempt after a spoiled sum", "[round][suspects]") {
  Stage stage;
  stage.Do("job j level=curious cohort=8 min=3 failures=100");
  PlayAttempt(stage, Attach(stage, "abcdefgh"), "abcdefgh");
  REQUIRE(Has(stage.Do("rejected s1"), "record suspicion: a 1, b 1, c 1, d 1, e 1, f 1, g 1, h 1"));
  const Lines offers = stage.Do("wait 2000");
  REQUIRE(CountOf(offers, ": offer s2") == 4);
  REQUIRE(Has(offers, "note: job j round 1 attempt 2: 4 suspects of spoiled sums sit out"));
}

TEST_CASE("no suspect sits out that the cohort cannot do without, and this is said",
          "[round][suspects]") {
  Stage stage;
  PlayFirstAttempt(stage, "failures=2");
  const Lines offers = stage.Do("published s1");
  REQUIRE(CountOf(offers, ": offer s") == 6);
  REQUIRE(Has(offers, "warning: job j round 2 attempt 1: 0 suspects of spoiled sums sit out, "));
  REQUIRE(Has(offers, " more should and take part because too few others are there"));
  PlayAttempt(stage, offers, kSix);
  stage.Do("rejected s3 s4");
  PlayAttempt(stage, stage.Do("wait 2000"), kSix);
  REQUIRE(Has(stage.Do("rejected s5 s6"), "had to take part because too few others are there"));
}

TEST_CASE("fewer suspects sit out when the smaller cohort may be why an attempt failed",
          "[round][suspects]") {
  Stage stage;
  stage.Do("job j level=curious cohort=8 min=3 failures=100");
  PlayAttempt(stage, Attach(stage, "abcdefgh"), "abcdefgh");
  stage.Do("rejected s1");
  REQUIRE(CountOf(stage.Do("wait 2000"), ": offer s2") == 4);
  stage.Do("wait 60000");  // nobody joins
  REQUIRE(CountOf(stage.Do("wait 2000"), ": offer s3") == 6);
  stage.Do("wait 60000");
  REQUIRE(CountOf(stage.Do("wait 2000"), ": offer s4") == 7);
}

namespace {

// a spoils its sum in every round until it is excluded; true: it was.
bool ExcludesA(Stage& stage, Lines offers, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    std::string spoiled;
    for (const std::string& line : offers) {
      if (const std::size_t at = line.find("notify a: offer s"); at != std::string::npos) {
        const std::size_t label = at + std::string("notify a: offer ").size();
        spoiled = line.substr(label, line.find(' ', label) - label);
      }
    }
    PlayAttempt(stage, offers, "abcdefghi");
    offers = stage.Do("published " + spoiled);
    if (CountOf(offers, "is excluded from all rounds") > 0) {
      REQUIRE(Has(offers, "warning: client a is excluded from all rounds: "));
      REQUIRE(Has(offers, "tutti clients readmit a"));
      REQUIRE(Has(offers, "a excluded"));
      return true;
    }
  }
  return false;
}

Lines StartNine(Stage& stage, const std::string& settings) {
  stage.Do("job j level=curious groups=3 cohort=9 failures=100 rounds=1000 " + settings);
  return Attach(stage, "abcdefghi");
}

}  // namespace

TEST_CASE("a client proven to spoil sums is invited no more, until it is readmitted",
          "[round][suspects]") {
  Stage stage;
  REQUIRE(ExcludesA(stage, StartNine(stage, ""), 100));
  // Eight are left and nine are needed.
  REQUIRE(Has(stage.Do("wait 10000"), "8 attached, at least 9 needed, 1 excluded") ==
          false);  // nine are attached
  REQUIRE(Has(stage.Do("wait 10000"),
              "waits for clients: 9 attached, at least 9 needed, 1 excluded (tutti clients)"));
  const Lines readmitted = stage.Do("readmit a");
  REQUIRE(Has(readmitted, "record suspicion: nobody; spoiled sums: none"));
  REQUIRE(Has(readmitted, "notify a: offer"));
  REQUIRE(stage.Do("readmit a").empty());
}

TEST_CASE("exclusion outlives the process", "[round][suspects]") {
  Stage stage;
  REQUIRE(ExcludesA(stage, StartNine(stage, ""), 100));
  stage.Do("restart");
  stage.Do("job j level=curious groups=3 cohort=9");
  REQUIRE_FALSE(Has(Attach(stage, "abcdefghi"), "offer"));
  const Lines offers = stage.Do("attach x");
  REQUIRE(CountOf(offers, ": offer") == 9);
  REQUIRE_FALSE(Has(offers, "notify a: offer"));
}

TEST_CASE("a job may leave exclusion to its operator", "[round][suspects]") {
  Stage stage;
  REQUIRE_FALSE(ExcludesA(stage, StartNine(stage, "exclude=0"), 40));
}

TEST_CASE("the more are assumed to lie, the more evidence it takes", "[round][suspects]") {
  Stage stage;
  REQUIRE_FALSE(ExcludesA(stage, StartNine(stage, "corrupt=45"), 40));  // 4 of 9: 5 x 2 others
}

TEST_CASE("a revoked client's name carries nothing against whoever gets it", "[round][suspects]") {
  Stage stage;
  PlayFirstAttempt(stage, "");
  const Lines offers = stage.Do("published s1");
  for (const char name : std::string(kSix)) {
    const Lines lines = stage.Do(std::string("revoke ") + name);
    if (Has(lines, "record suspicion")) {
      REQUIRE(Has(lines, "record suspicion: nobody; spoiled sums: none"));
      return;
    }
  }
  FAIL("nobody was a suspect");
}

}  // namespace tutti::round
