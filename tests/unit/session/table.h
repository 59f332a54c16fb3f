// One session under test among its peers, against a real server session: what client/session's
// tests speak to. Thread safety: confined to one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/session/session.h"
#include "common/secagg/server_session.h"
#include "tests/sim/test_identity.h"

#include "tests/catch.h"

namespace tutti::session {

using Effects = std::vector<Effect>;

template <typename E>
const E* Find(const Effects& effects) {
  for (const Effect& effect : effects) {
    if (const E* found = std::get_if<E>(&effect)) {
      return found;
    }
  }
  return nullptr;
}

// The request of kind R that is sent, if any.
template <typename R>
const R* FindSent(const Effects& effects) {
  for (const Effect& effect : effects) {
    if (const Send* send = std::get_if<Send>(&effect)) {
      if (const R* request = std::get_if<R>(&send->request)) {
        return request;
      }
    }
  }
  return nullptr;
}

inline secagg::RoundConfig NewConfig(secagg::ThreatLevel level, std::uint64_t round,
                                     std::uint64_t attempt) {
  secagg::RoundConfig config;
  config.level = level;
  config.job = "digits";
  config.round = round;
  config.attempt = attempt;
  config.values = 4;
  config.max_cohort = 8;
  config.task_hash = crypto::Sha256(AsBytes("task"));
  config.model_hash = crypto::Sha256(AsBytes("model"));
  config.server_nonce[0] = static_cast<std::uint8_t>(16 * round + attempt);
  return config;
}

inline protocol::Offer OfferOf(const secagg::RoundConfig& config) {
  return {secagg::ConfigHash(config), secagg::Encode(config), ToBytes(AsBytes("task")), 64,
          Milliseconds{1000}};
}

class Table {
 public:
  explicit Table(secagg::ThreatLevel level = secagg::ThreatLevel::kMalicious,
                 std::vector<LastAnswered> journal = {})
      : config(NewConfig(level, 3, 1)), offer(OfferOf(config)) {
    for (const char* name : {"a", "b", "c"}) {
      identities.push_back(testing::NewIdentity(name, rng));
      sessions.push_back(
          std::make_unique<Session>(identities.back(), verifier, rng,
                                    sessions.empty() ? journal : std::vector<LastAnswered>{}));
    }
    server.emplace(secagg::ServerSession::Open(config, &verifier).value());
  }

  Session& me() { return *sessions[0]; }
  Effects Tell(std::size_t who, protocol::Notice notice) {
    return sessions[who]->Advance(NoticeArrived{notice});
  }
  Effects Tell(protocol::Notice notice) { return Tell(0, std::move(notice)); }

  // Each of these brings everyone one step further and gives what the session under test did.
  Effects Offer() {
    return All([&](std::size_t i) { return Tell(i, offer); });
  }
  Effects Train() {
    return All([&](std::size_t i) {
      sessions[i]->Advance(Allowed{offer.session});
      Effects effects = sessions[i]->Advance(Trained{offer.session});
      REQUIRE(server->AddJoin(Name(i), FindSent<protocol::JoinRequest>(effects)->join).ok());
      return effects;
    });
  }
  protocol::RosterNotice RosterFor(std::size_t i) {
    return {offer.session, server->RosterFor(Name(i)).value()};
  }
  Effects Roster() {
    REQUIRE(server->CloseJoins().ok());
    return All([&](std::size_t i) {
      Effects effects = Tell(i, RosterFor(i));
      REQUIRE(server->AddShares(Name(i), FindSent<protocol::ShareRequest>(effects)->shares).ok());
      return effects;
    });
  }
  protocol::BoxesNotice BoxesFor(std::size_t i) {
    return {offer.session, server->BoxesFor(Name(i)).value()};
  }
  Effects Boxes() {
    REQUIRE(server->CloseShares().ok());
    return All([&](std::size_t i) { return Tell(i, BoxesFor(i)); });
  }
  Effects Upload() {
    Effects mine = All([&](std::size_t i) {
      Effects effects = sessions[i]->Advance(Charged{offer.session});
      const auto upload = sessions[i]->PrepareUpload(secagg::RingVector(config.layout()));
      REQUIRE(server->AddMasked(Name(i), upload.value().header.header).ok());
      sessions[i]->Advance(Uploaded{offer.session});
      return effects;
    });
    REQUIRE(server->CloseMasked().ok());
    return mine;
  }
  protocol::SurvivorsNotice SurvivorSet() {
    return {offer.session, server->SurvivorsMessage().value()};
  }
  Effects Survivors() {
    return All([&](std::size_t i) {
      Effects effects = Tell(i, SurvivorSet());
      if (const auto* commit = FindSent<protocol::CommitRequest>(effects)) {
        REQUIRE(server->AddCommit(Name(i), commit->commit).ok());
      }
      return effects;
    });
  }
  protocol::CertificateNotice CertificateFor(std::size_t i) {
    return {offer.session, server->CertificateFor(Name(i)).value()};
  }
  Effects Certificate() {
    REQUIRE(server->CloseCommits().ok());
    return All([&](std::size_t i) { return Tell(i, CertificateFor(i)); });
  }
  void PlayUntil(Step step) {
    const std::vector<std::pair<Step, Effects (Table::*)()>> ways{
        {Step::kDeciding, &Table::Offer},      {Step::kJoined, &Table::Train},
        {Step::kShared, &Table::Roster},       {Step::kCharging, &Table::Boxes},
        {Step::kUploaded, &Table::Upload},     {Step::kCommitted, &Table::Survivors},
        {Step::kUnmasked, &Table::Certificate}};
    for (const auto& [reached, way] : ways) {
      (this->*way)();
      if (reached == step) {
        break;
      }
    }
    REQUIRE(me().step() == step);
  }

  crypto::AesCtrStream rng = testing::SeededRng(11, "table");
  testing::TestVerifier verifier;
  secagg::RoundConfig config;
  protocol::Offer offer;
  std::vector<secagg::ClientIdentity> identities;
  std::vector<std::unique_ptr<Session>> sessions;
  std::optional<secagg::ServerSession> server;

 private:
  static ClientId Name(std::size_t i) {
    return ClientId(std::string(1, static_cast<char>('a' + i)));
  }
  template <typename F>
  Effects All(F each) {
    Effects mine = each(0);
    for (std::size_t i = 1; i < sessions.size(); ++i) {
      each(i);
    }
    return mine;
  }
};

// One refused request and its end, and nothing that reveals anything.
inline void RequireDeclined(const Effects& effects, std::string_view code) {
  const auto* decline = FindSent<protocol::DeclineRequest>(effects);
  REQUIRE(decline != nullptr);
  REQUIRE(decline->code == code);
  for (const Effect& effect : effects) {
    const Send* send = std::get_if<Send>(&effect);
    REQUIRE((send == nullptr || std::holds_alternative<protocol::DeclineRequest>(send->request)));
    REQUIRE_FALSE(std::holds_alternative<Upload>(effect));
    REQUIRE_FALSE(std::holds_alternative<Charge>(effect));
  }
}

}  // namespace tutti::session
