#include "tests/unit/session/table.h"

namespace tutti::session {
namespace {

std::ptrdiff_t PlaceOf(const Effects& effects, bool (*wanted)(const Effect&)) {
  return std::find_if(effects.begin(), effects.end(), wanted) - effects.begin();
}
bool IsRecord(const Effect& effect) { return std::holds_alternative<RecordAnswer>(effect); }
bool IsSend(const Effect& effect) { return std::holds_alternative<Send>(effect); }

}  // namespace

TEST_CASE("a whole round at level malicious asks, charges, records and answers in that order",
          "[session]") {
  Table table;
  REQUIRE(Find<Decide>(table.Offer()) != nullptr);
  REQUIRE(FindSent<protocol::JoinRequest>(table.Train()) != nullptr);
  REQUIRE(FindSent<protocol::ShareRequest>(table.Roster()) != nullptr);
  REQUIRE(Find<Charge>(table.Boxes())->config == table.config);
  REQUIRE(Find<Upload>(table.Upload()) != nullptr);
  const Effects survivors = table.Survivors();
  REQUIRE(FindSent<protocol::CommitRequest>(survivors) != nullptr);
  REQUIRE(PlaceOf(survivors, IsRecord) < PlaceOf(survivors, IsSend));
  const RecordAnswer* record = Find<RecordAnswer>(survivors);
  REQUIRE(record->job == "digits");
  REQUIRE(record->round == 3);
  REQUIRE(record->survivor_set != Digest{});
  table.me().SetBudget({1.25, 4.0, 1e-5, {}});
  const Effects certificate = table.Certificate();
  REQUIRE(FindSent<protocol::UnmaskRequest>(certificate)->budget.epsilon_spent == Approx(1.25));
  REQUIRE(table.me().step() == Step::kUnmasked);
  const Effects closed = table.Tell(
      protocol::Closed{table.offer.session, protocol::Outcome::kPublished, "", 3, {}, {}});
  REQUIRE(Find<Finished>(closed)->outcome == protocol::Outcome::kPublished);
  REQUIRE(Find<Finished>(closed)->survivors == 3);
  REQUIRE(table.me().step() == Step::kIdle);
}

TEST_CASE("at level curious the survivor set is recorded and answered with the shares",
          "[session]") {
  Table table(secagg::ThreatLevel::kCurious);
  table.PlayUntil(Step::kUploaded);
  const Effects effects = table.Survivors();
  REQUIRE(PlaceOf(effects, IsRecord) < PlaceOf(effects, IsSend));
  REQUIRE(FindSent<protocol::UnmaskRequest>(effects) != nullptr);
  REQUIRE(table.me().step() == Step::kUnmasked);
}

TEST_CASE("nothing is prepared for upload before the ledger was debited", "[session]") {
  Table table;
  table.PlayUntil(Step::kCharging);
  const secagg::RingVector vector(table.config.layout());
  REQUIRE(table.me().PrepareUpload(vector).status().code() == StatusCode::kFailedPrecondition);
  RequireDeclined(
      table.me().Advance(ChargeRefused{table.offer.session, "BUDGET_EXHAUSTED", "nothing left"}),
      "BUDGET_EXHAUSTED");
  REQUIRE(table.me().PrepareUpload(vector).status().code() == StatusCode::kFailedPrecondition);
}

TEST_CASE("preparing the same vector again gives the same bytes, another one is refused",
          "[session]") {
  Table table;
  table.PlayUntil(Step::kCharging);
  table.me().Advance(Charged{table.offer.session});
  const secagg::RingVector encoded(table.config.layout());
  const auto first = table.me().PrepareUpload(encoded);
  REQUIRE(first.ok());
  const auto second = table.me().PrepareUpload(encoded);
  REQUIRE(second->header == first->header);
  REQUIRE(*second->vector == *first->vector);
  REQUIRE(*first->vector != secagg::ToWire(encoded));  // it is masked
  secagg::RingLayout shorter = table.config.layout();
  --shorter.values;
  REQUIRE(table.me().PrepareUpload(secagg::RingVector(shorter)).status().code() ==
          StatusCode::kInvalidArgument);
  secagg::RingVector other = encoded;
  other.extras()[0] = 1;
  REQUIRE_FALSE(table.me().PrepareUpload(other).ok());
}

TEST_CASE("the survivor set may come before the upload's own answer", "[session]") {
  Table table;
  table.PlayUntil(Step::kCharging);
  table.me().Advance(Charged{table.offer.session});
  REQUIRE(table.me().PrepareUpload(secagg::RingVector(table.config.layout())).ok());
  REQUIRE(table.me().step() == Step::kUploading);
  const protocol::SurvivorsNotice everyone{table.offer.session, {{0x07}}};
  REQUIRE(FindSent<protocol::CommitRequest>(table.Tell(everyone)) != nullptr);
  REQUIRE(table.me().Advance(Uploaded{table.offer.session}).empty());
  REQUIRE(table.me().step() == Step::kCommitted);
}

TEST_CASE("a roster that was tampered with ends the session before a share leaves",
          "[session][roster]") {
  for (const int way : {0, 1, 2}) {
    Table table;
    table.PlayUntil(Step::kJoined);
    REQUIRE(table.server->CloseJoins().ok());
    protocol::RosterNotice notice = table.RosterFor(0);
    if (way == 0) {
      notice.roster.root[0] ^= 1U;
    } else if (way == 1) {
      notice.roster.entries[1].join.mask_key[0] ^= 1U;
    } else {
      notice.roster.size = 2;
    }
    INFO("way " << way);
    const Effects effects = table.Tell(notice);
    REQUIRE(FindSent<protocol::DeclineRequest>(effects) != nullptr);
    REQUIRE(FindSent<protocol::ShareRequest>(effects) == nullptr);
    REQUIRE(Find<Finished>(effects) != nullptr);
    REQUIRE(table.me().step() == Step::kIdle);
    REQUIRE(table.Tell(notice).empty());  // declined once is enough
  }
}

TEST_CASE("a survivor set that calls this client dead or is too small is not answered",
          "[session][survivors]") {
  for (const std::uint8_t bitmap :
       {std::uint8_t{0x06}, std::uint8_t{0x03}, std::uint8_t{0x0f}, std::uint8_t{0x00}}) {
    for (const auto level : {secagg::ThreatLevel::kCurious, secagg::ThreatLevel::kMalicious}) {
      Table table(level);
      table.PlayUntil(Step::kUploaded);
      INFO("bitmap " << static_cast<int>(bitmap));
      const Effects effects =
          table.Tell(protocol::SurvivorsNotice{table.offer.session, {{bitmap}}});
      REQUIRE(FindSent<protocol::DeclineRequest>(effects) != nullptr);
      REQUIRE(FindSent<protocol::CommitRequest>(effects) == nullptr);
      REQUIRE(FindSent<protocol::UnmaskRequest>(effects) == nullptr);
      REQUIRE(Find<RecordAnswer>(effects) == nullptr);
    }
  }
}

TEST_CASE("a certificate with too few or forged commits is not answered",
          "[session][certificate]") {
  for (const bool forged : {false, true}) {
    Table table;
    table.PlayUntil(Step::kCommitted);
    REQUIRE(table.server->CloseCommits().ok());
    protocol::CertificateNotice notice = table.CertificateFor(0);
    if (forged) {
      notice.certificate.commits[0].signature[7] ^= 1U;
    } else {
      notice.certificate.commits.pop_back();
    }
    const Effects effects = table.Tell(notice);
    REQUIRE(FindSent<protocol::UnmaskRequest>(effects) == nullptr);
    REQUIRE(FindSent<protocol::DeclineRequest>(effects) != nullptr);
    REQUIRE(table.me().step() == Step::kIdle);
  }
}

TEST_CASE("a notice for another step ends the session and nothing leaves", "[session]") {
  for (const Step step : {Step::kDeciding, Step::kJoined, Step::kShared, Step::kCharging}) {
    Table fresh;
    const protocol::SessionHash session = fresh.offer.session;
    std::vector<protocol::Notice> notices{protocol::SurvivorsNotice{session, {{7}}},
                                          protocol::CertificateNotice{session, {}}};
    if (step == Step::kDeciding) {
      notices.emplace_back(protocol::RosterNotice{session, {}});
    }
    if (step == Step::kDeciding || step == Step::kJoined) {
      notices.emplace_back(protocol::BoxesNotice{session, {}});
    }
    for (std::size_t i = 0; i < notices.size(); ++i) {
      INFO(StepName(step) << ", notice " << i);
      Table table;
      table.PlayUntil(step);
      RequireDeclined(table.Tell(notices[i]), "OUT_OF_ORDER");
      REQUIRE(table.me().step() == Step::kIdle);
      REQUIRE(table.me().Advance(Charged{session}).empty());
    }
  }
}

TEST_CASE("a certificate before the vector has left is out of order", "[session]") {
  Table table;
  table.PlayUntil(Step::kUploaded);
  RequireDeclined(table.Tell(protocol::CertificateNotice{table.offer.session, {}}), "OUT_OF_ORDER");
}

TEST_CASE("failed training is a dropout with its reason", "[session]") {
  Table table;
  table.Tell(table.offer);
  table.me().Advance(Allowed{table.offer.session});
  const Effects effects = table.me().Advance(
      TrainingFailed{table.offer.session, "TRAINER_FAILED", std::string(2000, 'x')});
  RequireDeclined(effects, "TRAINER_FAILED");
  REQUIRE(FindSent<protocol::DeclineRequest>(effects)->reason.size() == 512);
  REQUIRE(Find<StopTraining>(effects) == nullptr);
}

TEST_CASE("a certificate of someone else's key cannot join", "[session]") {
  Table table;
  secagg::ClientIdentity mixed{table.identities[0].signing_key, table.identities[1].certificate};
  Session session(mixed, table.verifier, table.rng, {});
  session.Advance(NoticeArrived{table.offer});
  session.Advance(Allowed{table.offer.session});
  RequireDeclined(session.Advance(Trained{table.offer.session}), "CONFIG_REJECTED");
}

TEST_CASE("every step has a name", "[session]") {
  REQUIRE(StepName(Step::kIdle) == "idle");
  REQUIRE(StepName(Step::kUnmasked) == "unmasked");
  REQUIRE(StepName(Step::kCharging) == "charging");
}

}  // namespace tutti::session
