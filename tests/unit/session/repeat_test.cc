#include "tests/unit/session/table.h"

namespace tutti::session {

TEST_CASE("the same offer again is answered with the same join", "[session][repeat]") {
  Table table;
  table.Tell(table.offer);
  REQUIRE(table.Tell(table.offer).empty());  // the owner is still asked
  table.me().Advance(Allowed{table.offer.session});
  REQUIRE(table.Tell(table.offer).empty());  // still training
  const protocol::JoinRequest join =
      *FindSent<protocol::JoinRequest>(table.me().Advance(Trained{table.offer.session}));
  protocol::Offer later = table.offer;
  later.train_left = Milliseconds{1};
  REQUIRE(*FindSent<protocol::JoinRequest>(table.Tell(later)) == join);
  later.task.push_back('!');
  RequireDeclined(table.Tell(later), "CONFLICT");
  REQUIRE(table.me().step() == Step::kIdle);
}

TEST_CASE("the same roster again is answered with the same shares, another one is refused",
          "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kJoined);
  const protocol::ShareRequest shares = *FindSent<protocol::ShareRequest>(table.Roster());
  protocol::RosterNotice roster = table.RosterFor(0);
  REQUIRE(*FindSent<protocol::ShareRequest>(table.Tell(roster)) == shares);
  roster.roster.root[0] ^= 1U;
  RequireDeclined(table.Tell(roster), "CONFLICT");
  REQUIRE(table.me().step() == Step::kIdle);
}

TEST_CASE("the same boxes again charge nothing twice", "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kCharging);
  protocol::BoxesNotice boxes = table.BoxesFor(0);
  REQUIRE(table.Tell(boxes).empty());
  table.me().Advance(Charged{table.offer.session});
  REQUIRE(table.me().Advance(Charged{table.offer.session}).empty());
  REQUIRE(table.Tell(boxes).empty());
  boxes.boxes.boxes.pop_back();
  RequireDeclined(table.Tell(boxes), "CONFLICT");
}

TEST_CASE("a second survivor set is never answered", "[session][repeat]") {
  for (const auto level : {secagg::ThreatLevel::kCurious, secagg::ThreatLevel::kMalicious}) {
    Table table(level);
    table.PlayUntil(Step::kUploaded);
    const Effects first = table.Survivors();
    const Effects again = table.Tell(table.SurvivorSet());
    REQUIRE(again.size() == 1);
    REQUIRE(std::get<Send>(again[0]).request == Find<Send>(first)->request);
    REQUIRE(Find<RecordAnswer>(again) == nullptr);
    RequireDeclined(table.Tell(protocol::SurvivorsNotice{table.offer.session, {{0x03}}}),
                    "CONFLICT");
    // Not even the first one is answered any more.
    REQUIRE(table.Tell(table.SurvivorSet()).empty());
  }
}

TEST_CASE("the same certificate again gives the same shares, another one none",
          "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kCommitted);
  const protocol::UnmaskRequest unmask = *FindSent<protocol::UnmaskRequest>(table.Certificate());
  protocol::CertificateNotice notice = table.CertificateFor(0);
  REQUIRE(*FindSent<protocol::UnmaskRequest>(table.Tell(notice)) == unmask);
  // The shares that left stand for one budget, whatever was spent since.
  table.me().SetBudget({3.5, 4.0, 1e-5, {}});
  REQUIRE(*FindSent<protocol::UnmaskRequest>(table.Tell(notice)) == unmask);
  notice.certificate.commits.pop_back();
  RequireDeclined(table.Tell(notice), "CONFLICT");
}

TEST_CASE("a session this device has no keys for is declined once", "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kJoined);
  REQUIRE(table.server->CloseJoins().ok());
  Session restarted(table.identities[0], table.verifier, table.rng, {});
  RequireDeclined(restarted.Advance(NoticeArrived{table.RosterFor(0)}), "NO_SESSION");
  REQUIRE(restarted.Advance(NoticeArrived{table.RosterFor(0)}).empty());
  const protocol::Closed closed{table.offer.session, protocol::Outcome::kFailed, "", 0, {}, {}};
  REQUIRE(restarted.Advance(NoticeArrived{closed}).empty());
}

TEST_CASE("a refusal by the coordinator ends the session", "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kShared);
  REQUIRE(
      table.me().Advance(Rejected{protocol::SessionHash{}, FailedPrecondition("LATE: x")}).empty());
  const Effects effects =
      table.me().Advance(Rejected{table.offer.session, AlreadyExists("CONFLICT: x")});
  REQUIRE(Find<Finished>(effects)->outcome == protocol::Outcome::kDropped);
  REQUIRE(table.me().step() == Step::kIdle);
}

TEST_CASE("shares that came too late wait for how the round ended", "[session][repeat]") {
  Table table;
  table.PlayUntil(Step::kUnmasked);
  REQUIRE(Find<Finished>(table.me().Advance(
              Rejected{table.offer.session, FailedPrecondition("LATE: x")})) == nullptr);
  REQUIRE(table.me().step() == Step::kUnmasked);
}

TEST_CASE("closing a session stops its training and ends it", "[session][repeat]") {
  Table table;
  table.Tell(table.offer);
  table.me().Advance(Allowed{table.offer.session});
  const Effects effects = table.Tell(protocol::Closed{
      table.offer.session, protocol::Outcome::kDropped, "too slow \x1b[1m", 0, {}, {}});
  REQUIRE(Find<StopTraining>(effects) != nullptr);
  REQUIRE(Find<Finished>(effects)->reason == "too slow \\x1b[1m");
  REQUIRE(table.me().Advance(Trained{table.offer.session}).empty());
}

}  // namespace tutti::session
