// One round with one real client, played by a coordinator that lies. Everybody else in the cohort
// is its accomplice: sessions of common/secagg with certificates of the client's own CA, so that up
// to the lie everything is as in an honest round, and the lie can be signed wherever an accomplice
// may sign. Thread safety: confined to one thread.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/crypto/random.h"
#include "common/platform/clock.h"
#include "common/secagg/client_session.h"
#include "common/secagg/server_session.h"
#include "server/job/job_settings.h"
#include "server/pki.h"
#include "tests/e2e/evil/service.h"

namespace tutti::evil {

// What the coordinator says, in its order.
enum class Step { kOffer, kRoster, kBoxes, kSurvivors, kCertificate, kAfter };

// What the victim is offered.
struct Draft {
  secagg::RoundConfig config;
  v1::TaskSpec task;
  std::string task_bytes;     // instead of `task`, when not empty
  Bytes checkpoint;           // what is served
  std::uint64_t model_bytes;  // what is announced
  bool names_task = true;     // the configuration holds the hash of the task that is sent
  bool names_model = true;    // and of the checkpoint that is served
  std::uint32_t accomplices = 5;
  std::uint32_t silent = 0;  // of the accomplices: join and never share
  bool split = false;        // the accomplices are shown another model
};

class Scene;
struct Attack {
  std::string_view name;
  Step step = Step::kOffer;  // of the first message the victim has to refuse
  void (*draft)(Draft&) = nullptr;
  void (*change)(Scene&, v1::Notice&) = nullptr;  // of that step's message
};
std::span<const Attack> OfferAttacks();
std::span<const Attack> RosterAttacks();
std::span<const Attack> OpeningAttacks();  // boxes, survivors, certificate
std::span<const Attack> OrderAttacks();
std::span<const Attack> WireAttacks();
const Attack* FindAttack(std::string_view name);

// What an honest round said to the victim, for replays.
struct Archive {
  std::uint64_t round = 0;
  std::map<std::string, secagg::Join> joins;
  protocol::BoxesNotice boxes;
  protocol::CertificateNotice certificate;
};

// What lasts longer than a round.
class Cast {
 public:
  Cast(server::Pki pki, server::PreparedJob job, Service& service);

  // An accomplice of this number; made when it is first asked for.
  const secagg::ClientIdentity& Accomplice(std::size_t number);
  // A device of this name under the CA, or under one nobody trusts.
  secagg::ClientIdentity Enrol(const std::string& name, const std::string& role);
  secagg::ClientIdentity EnrolKey(const crypto::Ed25519Private& key, const std::string& name,
                                  const std::string& role);
  secagg::ClientIdentity Outsider(const std::string& name);
  Draft NewDraft();

  crypto::SystemRng rng;
  platform::RealClock clock;
  Service& service;
  const server::PreparedJob job;
  crypto::CachingVerifier verifier;
  std::map<std::string, Archive> archive;  // by victim

 private:
  server::Pki pki_;
  std::uint64_t round_ = 10;  // there are earlier ones to go back to
  std::vector<secagg::ClientIdentity> accomplices_;
};

class Scene {
 public:
  Scene(Cast& cast, std::string victim, const Attack& attack);

  // Plays until the victim has refused, answered, left, or says nothing. What came of it:
  // {"victim", "attack", "before": [kinds of its messages before the lie], "after": [...],
  //  "code", "reason" (of its decline), "detached", "stray": [what it sent of earlier rounds]}.
  nlohmann::json Play();

  // ---- for attacks
  Cast& cast() { return cast_; }
  const Draft& draft() const { return draft_; }
  const protocol::SessionHash& session() const { return session_; }  // as the victim names it
  secagg::Index own() const { return own_; }
  const Archive* earlier() const;
  secagg::RoundConfig OtherConfig() const;  // of the other model
  // The roster the victim would get if these were the joins.
  secagg::Roster Forge(const std::function<void(std::vector<secagg::Join>&)>& change) const;
  secagg::Join Signed(secagg::Join join, secagg::Index signer) const;
  const secagg::ClientIdentity& IdentityOf(secagg::Index index) const;
  const secagg::Roster& roster() const { return roster_; }
  const protocol::BoxesNotice& boxes() const { return boxes_; }
  const protocol::SurvivorsNotice& survivors() const { return survivors_; }
  const protocol::CertificateNotice& certificate() const { return certificate_; }
  Digest SecaggSession() const;
  std::uint32_t threshold() const { return server_->threshold(); }

 private:
  struct Member {
    std::string name;
    std::size_t number = 0;
    secagg::ClientSession session;
    bool silent = false;
  };
  v1::Notice OfferNotice();
  bool OpenRound();
  bool JoinAll(const protocol::JoinRequest& join);
  bool ShareAll(const protocol::ShareRequest& shares);
  bool MaskAll(const protocol::UploadHeader& header);
  bool CommitAll(const protocol::CommitRequest& commit);
  bool Fail(const Status& why);
  bool Tell(Step step, v1::Notice notice);
  std::optional<Message> Hear(std::string_view wanted);
  template <typename Request>
  std::optional<Request> Ask(Step step, const protocol::Notice& notice, std::string_view answer);
  void PlayOn();
  void Keep();

  Cast& cast_;
  const std::string victim_;
  const Attack& attack_;
  Draft draft_;
  protocol::SessionHash session_{};
  std::optional<secagg::ServerSession> server_;
  std::vector<Member> members_;
  std::vector<secagg::Join> joins_;  // by index
  std::vector<std::string> names_;   // by index
  secagg::Index own_ = 0;
  secagg::Roster roster_;
  protocol::BoxesNotice boxes_;
  protocol::SurvivorsNotice survivors_;
  protocol::CertificateNotice certificate_;
  std::optional<v1::Notice> honest_;  // what stood in the lie's place
  bool lied_ = false;
  nlohmann::json report_;
};

// `notice` as a value, changed, and back.
template <typename Domain>
void Rewrite(v1::Notice& notice, const std::function<void(Domain&)>& change);
void Put(v1::Notice& notice, const protocol::Notice& value);

}  // namespace tutti::evil

#include "common/wire/conversation.h"

namespace tutti::evil {

inline void Put(v1::Notice& notice, const protocol::Notice& value) {
  notice.Clear();
  wire::ToProto(value, &notice);
}

template <typename Domain>
void Rewrite(v1::Notice& notice, const std::function<void(Domain&)>& change) {
  auto value = std::get<Domain>(wire::FromProto(notice).value());
  change(value);
  Put(notice, value);
}

}  // namespace tutti::evil
