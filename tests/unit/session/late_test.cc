// Trainings whose update may be late (training.max_staleness) outlive their sessions.
#include "tests/unit/session/table.h"

namespace tutti::session {
namespace {

constexpr auto kLevel = secagg::ThreatLevel::kMalicious;

// Round 3 is in training when it is closed.
Effects CloseWhileTraining(Table& table, std::uint64_t max_staleness) {
  table.Tell(table.offer);
  table.me().Advance(Allowed{table.offer.session, max_staleness});
  return table.Tell(protocol::Closed{.session = table.offer.session,
                                     .outcome = protocol::Outcome::kPublished,
                                     .reason = "enough others joined",
                                     .survivors = 3,
                                     .sum_hash = {},
                                     .retry = {}});
}

}  // namespace

TEST_CASE("a closed round stops a training that can be of no later use", "[session][late]") {
  Table table;
  const Effects effects = CloseWhileTraining(table, 0);
  REQUIRE(Find<StopTraining>(effects)->session == table.offer.session);
  REQUIRE(Find<Finished>(effects) != nullptr);
}

TEST_CASE("a training whose update may be late goes on when its round is closed",
          "[session][late]") {
  Table table;
  const Effects effects = CloseWhileTraining(table, 2);
  REQUIRE(Find<StopTraining>(effects) == nullptr);
  REQUIRE(Find<Finished>(effects)->session == table.offer.session);
  REQUIRE(table.me().step() == Step::kIdle);
  // Its end is nobody's news, and nothing is sent of a round that is over.
  REQUIRE(table.me().Advance(Trained{table.offer.session}).empty());
  // After it there is nothing to stop.
  REQUIRE(Find<StopTraining>(table.Tell(OfferOf(NewConfig(kLevel, 99, 1)))) == nullptr);
}

TEST_CASE("a late training that fails is no one's failure", "[session][late]") {
  Table table;
  CloseWhileTraining(table, 2);
  REQUIRE(table.me().Advance(TrainingFailed{table.offer.session, "TRAINER_FAILED", "x"}).empty());
}

TEST_CASE("an offer that a late update is good for lets the training go on", "[session][late]") {
  for (const std::uint64_t round : {3U, 4U, 5U}) {
    Table table;
    CloseWhileTraining(table, 2);
    const protocol::Offer next = OfferOf(NewConfig(kLevel, round, 2));
    const Effects effects = table.Tell(next);
    REQUIRE(Find<StopTraining>(effects) == nullptr);
    REQUIRE(Find<Decide>(effects)->offer == next);
    // The newest session is answered with whatever its shell makes ready.
    REQUIRE(table.me().Advance(Trained{table.offer.session}).empty());
    table.me().Advance(Allowed{next.session, 2});
    REQUIRE(FindSent<protocol::JoinRequest>(table.me().Advance(Trained{next.session}))->session ==
            next.session);
  }
}

TEST_CASE("an offer ends a late training that came too late for it", "[session][late]") {
  Table table;
  CloseWhileTraining(table, 2);
  const Effects effects = table.Tell(OfferOf(NewConfig(kLevel, 6, 1)));
  REQUIRE(Find<StopTraining>(effects)->session == table.offer.session);
  REQUIRE(Find<Decide>(effects) != nullptr);
}

TEST_CASE("an offer of an earlier round or of another task ends a late training",
          "[session][late]") {
  secagg::RoundConfig other = NewConfig(kLevel, 4, 1);
  other.task_hash = crypto::Sha256(AsBytes("other"));
  protocol::Offer of_other = OfferOf(other);
  of_other.task = ToBytes(AsBytes("other"));
  for (const protocol::Offer& offer : {of_other, OfferOf(NewConfig(kLevel, 2, 1))}) {
    Table table;
    CloseWhileTraining(table, 2);
    REQUIRE(Find<StopTraining>(table.Tell(offer))->session == table.offer.session);
  }
}

TEST_CASE("an offer in the midst of a training replaces the session and not the training",
          "[session][late]") {
  Table table;
  table.Tell(table.offer);
  table.me().Advance(Allowed{table.offer.session, 1});
  const protocol::Offer next = OfferOf(NewConfig(kLevel, 4, 1));
  Effects effects = table.Tell(next);
  REQUIRE(Find<Finished>(effects)->session == table.offer.session);
  REQUIRE(Find<StopTraining>(effects) == nullptr);
  // Too late for the one after: it ends with that offer.
  effects = table.Tell(OfferOf(NewConfig(kLevel, 5, 1)));
  REQUIRE(Find<StopTraining>(effects)->session == table.offer.session);
}

TEST_CASE("an offer that is refused leaves a late training alone", "[session][late]") {
  Table table;
  CloseWhileTraining(table, 2);
  protocol::Offer broken = OfferOf(NewConfig(kLevel, 4, 1));
  broken.session[0] ^= 1U;
  const Effects effects = table.Tell(broken);
  RequireDeclined(effects, "OFFER_REJECTED");
  REQUIRE(Find<StopTraining>(effects) == nullptr);
}

TEST_CASE("only one training goes on late", "[session][late]") {
  Table table;
  CloseWhileTraining(table, 9);
  const protocol::Offer next = OfferOf(NewConfig(kLevel, 4, 1));
  table.Tell(next);
  table.me().Advance(Allowed{next.session, 9});
  const Effects effects = table.Tell(protocol::Closed{.session = next.session,
                                                      .outcome = protocol::Outcome::kFailed,
                                                      .reason = "",
                                                      .survivors = 0,
                                                      .sum_hash = {},
                                                      .retry = {}});
  REQUIRE(Find<StopTraining>(effects)->session == table.offer.session);
  REQUIRE(table.me().Advance(Trained{next.session}).empty());
}

}  // namespace tutti::session
