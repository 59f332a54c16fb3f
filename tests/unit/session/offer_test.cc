#include "tests/unit/session/table.h"

namespace tutti::session {

TEST_CASE("an offer is put to the owner before anything else happens", "[session][offer]") {
  Table table;
  const Effects effects = table.Tell(table.offer);
  REQUIRE(effects.size() == 1);
  REQUIRE(Find<Decide>(effects)->config == table.config);
  REQUIRE(table.me().step() == Step::kDeciding);
  REQUIRE(table.me().session() == table.offer.session);
}

TEST_CASE("an offer whose parts do not fit together is declined and nothing starts",
          "[session][offer]") {
  std::vector<std::pair<std::string, protocol::Offer>> wrong;
  const Table good;
  for (const char* what : {"session", "task", "config", "trailing"}) {
    protocol::Offer offer = good.offer;
    const std::string part = what;
    if (part == "session") {
      offer.session[0] ^= 1U;
    } else if (part == "task") {
      offer.task.push_back('!');
    } else if (part == "config") {
      offer.config.resize(offer.config.size() / 2);
    } else {
      offer.config.push_back(0);
    }
    wrong.emplace_back(part, offer);
  }
  secagg::RoundConfig unsafe = good.config;
  unsafe.min_survivors = 0;
  wrong.emplace_back("unsafe", OfferOf(unsafe));
  secagg::RoundConfig overflow = good.config;
  overflow.value_bits = 31;
  wrong.emplace_back("overflow", OfferOf(overflow));
  secagg::RoundConfig weights = good.config;
  weights.weight_bits = 30;  // each field is within its range, their sum is not
  wrong.emplace_back("weights", OfferOf(weights));
  for (const auto& [what, offer] : wrong) {
    INFO(what);
    Table table;
    RequireDeclined(table.Tell(offer), "OFFER_REJECTED");
    REQUIRE(table.me().step() == Step::kIdle);
  }
}

TEST_CASE("a bad offer does not end the running session", "[session][offer]") {
  Table table;
  table.PlayUntil(Step::kJoined);
  protocol::Offer bad = OfferOf(NewConfig(secagg::ThreatLevel::kMalicious, 4, 1));
  bad.task.push_back('!');
  RequireDeclined(table.Tell(bad), "OFFER_REJECTED");
  REQUIRE(table.me().step() == Step::kJoined);
  REQUIRE(table.me().session() == table.offer.session);
}

TEST_CASE("rounds and attempts the journal knows are not answered again", "[session][offer]") {
  using secagg::ThreatLevel;
  struct Case {
    std::uint64_t round, attempt;
    bool fresh;
  };
  for (const Case& c : {Case{3, 1, false}, Case{3, 2, false}, Case{2, 9, false}, Case{3, 3, true},
                        Case{4, 1, true}}) {
    Table table(ThreatLevel::kCurious, {{"other", 9, 9}, {"digits", 3, 2}});
    INFO("round " << c.round << " attempt " << c.attempt);
    const Effects effects =
        table.Tell(OfferOf(NewConfig(ThreatLevel::kCurious, c.round, c.attempt)));
    if (c.fresh) {
      REQUIRE(Find<Decide>(effects) != nullptr);
    } else {
      RequireDeclined(effects, "REPLAYED");
    }
  }
}

TEST_CASE("what this session answers is not answered again without a restart either",
          "[session][offer]") {
  Table table;
  table.PlayUntil(Step::kCommitted);
  secagg::RoundConfig again = table.config;
  again.server_nonce[5] ^= 1U;
  RequireDeclined(table.Tell(OfferOf(again)), "REPLAYED");
  REQUIRE(table.me().step() == Step::kCommitted);
}

TEST_CASE("a newer offer ends the running session and stops its training", "[session][offer]") {
  Table table;
  table.Tell(table.offer);
  table.me().Advance(Allowed{table.offer.session});
  const protocol::Offer next = OfferOf(NewConfig(secagg::ThreatLevel::kMalicious, 3, 2));
  const Effects effects = table.Tell(next);
  REQUIRE(Find<StopTraining>(effects)->session == table.offer.session);
  REQUIRE(Find<Finished>(effects)->session == table.offer.session);
  REQUIRE(Find<Decide>(effects)->offer == next);
  REQUIRE(table.me().session() == next.session);
  REQUIRE(table.me()
              .Advance(Trained{table.offer.session})
              .empty());  // of the old session: nobody's any more
}

TEST_CASE("the owner's no is told with its code and the session is over", "[session][offer]") {
  Table table;
  table.me().SetBudget({3.5, 4.0, 1e-5, {}});
  table.Tell(table.offer);
  const Effects effects =
      table.me().Advance(Refused{table.offer.session, "BUDGET_EXHAUSTED", "3.5 of 4.0 spent"});
  RequireDeclined(effects, "BUDGET_EXHAUSTED");
  REQUIRE(FindSent<protocol::DeclineRequest>(effects)->budget.epsilon_spent == Approx(3.5));
  REQUIRE(Find<Finished>(effects) != nullptr);
  REQUIRE(table.me().step() == Step::kIdle);
}

TEST_CASE("a yes of another session or in another step changes nothing", "[session][offer]") {
  Table table;
  REQUIRE(table.me().Advance(Allowed{table.offer.session}).empty());
  table.Tell(table.offer);
  REQUIRE(table.me().Advance(Allowed{protocol::SessionHash{}}).empty());
  REQUIRE(table.me().Advance(Trained{table.offer.session}).empty());
  REQUIRE(table.me().Advance(Charged{table.offer.session}).empty());
  REQUIRE(table.me().step() == Step::kDeciding);
}

TEST_CASE("evaluation offers pass through whatever the session does", "[session][offer]") {
  Table table;
  table.PlayUntil(Step::kJoined);
  const protocol::EvaluationOffer offer{"digits", 2, {}, {}, 64};
  REQUIRE(Find<Evaluate>(table.Tell(offer))->offer == offer);
  REQUIRE(table.Tell(protocol::Welcome{"1.0", "a"}).empty());
}

}  // namespace tutti::session
