#include "tests/e2e/evil/scene.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "common/secagg/merkle.h"

namespace tutti::evil {
namespace {

constexpr double kPatience = 120;  // seconds

}  // namespace

const Attack* FindAttack(std::string_view name) {
  for (const auto attacks :
       {OfferAttacks(), RosterAttacks(), OpeningAttacks(), OrderAttacks(), WireAttacks()}) {
    const auto found = std::find_if(attacks.begin(), attacks.end(),
                                    [&](const Attack& attack) { return attack.name == name; });
    if (found != attacks.end()) return &*found;
  }
  return nullptr;
}

Cast::Cast(server::Pki pki, server::PreparedJob prepared, Service& own_service)
    : service(own_service),
      job(std::move(prepared)),
      verifier(pki.authority.ca_pem, clock),
      pki_(std::move(pki)) {}

secagg::ClientIdentity Cast::Enrol(const std::string& name, const std::string& role) {
  return EnrolKey(crypto::NewKeyPair(rng).key, name, role);
}

secagg::ClientIdentity Cast::EnrolKey(const crypto::Ed25519Private& key, const std::string& name,
                                      const std::string& role) {
  const crypto::IssueSettings settings{
      .name = name, .role = role, .server_names = {}, .now = clock.Wall(), .days = 5};
  const std::string pem = crypto::IssueForKey(pki_.authority.ca_key, pki_.authority.ca_pem,
                                              crypto::Ed25519PublicOf(key), settings)
                              .value();
  return {.signing_key = key, .certificate = crypto::CertificateDer(pem).value()};
}

secagg::ClientIdentity Cast::Outsider(const std::string& name) {
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  const std::string ca_pem =
      crypto::NewCaCertificatePem(ca, "nobody's CA", clock.Wall(), 5).value();
  const crypto::KeyPair pair = crypto::NewKeyPair(rng);
  const crypto::IssueSettings settings{
      .name = name, .role = "trainer", .server_names = {}, .now = clock.Wall(), .days = 5};
  const std::string pem = crypto::IssueForKey(ca.key, ca_pem, pair.public_key, settings).value();
  return {.signing_key = pair.key, .certificate = crypto::CertificateDer(pem).value()};
}

const secagg::ClientIdentity& Cast::Accomplice(std::size_t number) {
  while (accomplices_.size() <= number) {
    accomplices_.push_back(Enrol(Join("accomplice-", accomplices_.size()), "trainer"));
  }
  return accomplices_[number];
}

Draft Cast::NewDraft() {
  Draft draft;
  draft.config = job.settings.config;
  draft.config.job = job.settings.name.value();
  draft.config.round = ++round_;
  draft.config.attempt = 1;
  rng.Fill(draft.config.server_nonce);
  draft.task.ParseFromArray(job.settings.task.data(), static_cast<int>(job.settings.task.size()));
  draft.checkpoint = server::FirstCheckpoint(job, {}).value();
  draft.model_bytes = draft.checkpoint.size();
  return draft;
}

Scene::Scene(Cast& cast, std::string victim, const Attack& attack)
    : cast_(cast), victim_(std::move(victim)), attack_(attack), draft_(cast.NewDraft()) {
  report_ = {{"victim", victim_},
             {"attack", attack.name},
             {"before", nlohmann::json::array()},
             {"after", nlohmann::json::array()},
             {"stray", nlohmann::json::array()},
             {"code", ""},
             {"reason", ""},
             {"detached", false}};
}

const Archive* Scene::earlier() const {
  const auto found = cast_.archive.find(victim_);
  return found == cast_.archive.end() ? nullptr : &found->second;
}

// A lie can need something this round has not; then the report says so and the test fails.
bool Scene::Fail(const Status& why) {
  report_["error"] = TextOf(why);
  return false;
}

v1::Notice Scene::OfferNotice() {
  if (attack_.draft != nullptr) attack_.draft(draft_);
  if (draft_.task_bytes.empty()) draft_.task_bytes = draft_.task.SerializeAsString();
  if (draft_.names_task) draft_.config.task_hash = crypto::Sha256(AsBytes(draft_.task_bytes));
  if (draft_.names_model) draft_.config.model_hash = crypto::Sha256(draft_.checkpoint);
  cast_.service.SetModel(draft_.checkpoint);
  session_ = secagg::ConfigHash(draft_.config);
  v1::Notice notice;
  Put(notice, protocol::Offer{.session = session_,
                              .config = secagg::Encode(draft_.config),
                              .task = ToBytes(AsBytes(draft_.task_bytes)),
                              .model_bytes = draft_.model_bytes,
                              .train_left = Milliseconds(100'000)});
  return notice;
}

secagg::RoundConfig Scene::OtherConfig() const {
  secagg::RoundConfig other = draft_.config;
  other.model_hash[0] ^= 1;
  return other;
}

bool Scene::OpenRound() {
  const secagg::RoundConfig config = draft_.split ? OtherConfig() : draft_.config;
  StatusOr<secagg::ServerSession> opened = secagg::ServerSession::Open(config, &cast_.verifier);
  if (!opened.ok()) return Fail(opened.status());
  server_.emplace(*std::move(opened));
  for (std::uint32_t i = 0; i < draft_.accomplices; ++i) {
    auto session =
        secagg::ClientSession::Start(config, cast_.Accomplice(i), &cast_.verifier, cast_.rng);
    if (!session.ok()) return Fail(session.status());
    const Status joined =
        server_->AddJoin(ClientId(Join("accomplice-", i)), session->JoinMessage());
    if (!joined.ok()) return Fail(joined);
    members_.push_back({.name = Join("accomplice-", i),
                        .number = i,
                        .session = *std::move(session),
                        .silent = i < draft_.silent});
  }
  return true;
}

bool Scene::JoinAll(const protocol::JoinRequest& join) {
  if (!OpenRound()) return false;
  std::map<std::string, secagg::Join> by_name;
  for (const Member& member : members_) by_name[member.name] = member.session.JoinMessage();
  by_name[victim_] = join.join;
  // Shown another model, the victim signs what an honest coordinator would not take.
  const Status joined = server_->AddJoin(ClientId(victim_), join.join);
  if (!joined.ok() && !draft_.split) return Fail(joined);
  if (const Status closed = server_->CloseJoins(); !closed.ok()) return Fail(closed);
  if (joined.ok()) {
    for (const ClientId& client : server_->Members()) names_.push_back(client.value());
  } else {
    for (const auto& [name, unused] : by_name) names_.push_back(name);
  }
  for (const std::string& name : names_) joins_.push_back(by_name.at(name));
  own_ =
      static_cast<secagg::Index>(std::find(names_.begin(), names_.end(), victim_) - names_.begin());
  roster_ = Forge([](std::vector<secagg::Join>&) {});
  return true;
}

const secagg::ClientIdentity& Scene::IdentityOf(secagg::Index index) const {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& member) {
    return member.name == names_.at(index);
  });
  return cast_.Accomplice(found->number);
}

secagg::Join Scene::Signed(secagg::Join join, secagg::Index signer) const {
  const secagg::ClientIdentity& identity = IdentityOf(signer);
  join.certificate = identity.certificate;
  join.signature = crypto::Sign(identity.signing_key, secagg::JoinStatement(session_, join));
  return join;
}

Digest Scene::SecaggSession() const {
  return secagg::SessionId(session_, roster_.root, roster_.size);
}

secagg::Roster Scene::Forge(const std::function<void(std::vector<secagg::Join>&)>& change) const {
  std::vector<secagg::Join> joins = joins_;
  change(joins);
  std::vector<Digest> leaves;
  for (secagg::Index i = 0; i < joins.size(); ++i) leaves.push_back(secagg::JoinLeaf(i, joins[i]));
  const secagg::MerkleTree tree(std::move(leaves));
  const auto size = static_cast<std::uint32_t>(joins.size());
  const secagg::RoundConfig& config = draft_.config;
  const secagg::GraphParameters graph =
      secagg::ChooseGraph(size, config.level, config.corrupt_fraction, config.dropout_fraction,
                          config.privacy_bits, config.liveness_bits)
          .value();
  secagg::Roster roster{
      .size = size, .root = tree.root(), .own_index = own_, .entries = {}, .proof = {}};
  std::vector<secagg::Index> known{own_};
  for (const secagg::Index i : secagg::NeighboursInGraph(
           size, graph.neighbours, secagg::SessionId(session_, tree.root(), size), own_)) {
    roster.entries.push_back({.index = i, .join = joins[i]});
    known.push_back(i);
  }
  std::sort(known.begin(), known.end());
  if (config.level == secagg::ThreatLevel::kMalicious) {
    roster.proof = tree.ProofOf(std::move(known));
  }
  return roster;
}

bool Scene::ShareAll(const protocol::ShareRequest& shares) {
  if (const Status added = server_->AddShares(ClientId(victim_), shares.shares);
      !added.ok() && !draft_.split) {
    return Fail(added);
  }
  for (Member& member : members_) {
    if (member.silent) continue;
    const ClientId name(member.name);
    auto answer = member.session.OnRoster(server_->RosterFor(name).value(), cast_.rng);
    if (!answer.ok()) return Fail(answer.status());
    if (const Status added = server_->AddShares(name, *answer); !added.ok()) return Fail(added);
  }
  if (const Status closed = server_->CloseShares(); !closed.ok()) return Fail(closed);
  auto boxes = server_->BoxesFor(ClientId(victim_));
  if (!boxes.ok()) return Fail(boxes.status());
  boxes_ = {session_, *std::move(boxes)};
  return true;
}

bool Scene::MaskAll(const protocol::UploadHeader& header) {
  if (const Status added = server_->AddMasked(ClientId(victim_), header.header); !added.ok()) {
    return Fail(added);
  }
  for (Member& member : members_) {
    if (member.silent) continue;
    const ClientId name(member.name);
    const Status opened = member.session.OnBoxes(server_->BoxesFor(name).value());
    if (!opened.ok()) return Fail(opened);
    const secagg::RingVector nothing(member.session.config().layout());
    const auto masked = member.session.HeaderFor(secagg::ToWire(nothing));
    if (!masked.ok()) return Fail(masked.status());
    if (const Status added = server_->AddMasked(name, *masked); !added.ok()) return Fail(added);
  }
  if (const Status closed = server_->CloseMasked(); !closed.ok()) return Fail(closed);
  survivors_ = {session_, server_->SurvivorsMessage().value()};
  return true;
}

bool Scene::CommitAll(const protocol::CommitRequest& commit) {
  if (const Status added = server_->AddCommit(ClientId(victim_), commit.commit); !added.ok()) {
    return Fail(added);
  }
  for (Member& member : members_) {
    if (member.silent) continue;
    const auto signed_set = member.session.OnSurvivors(survivors_.survivors);
    if (!signed_set.ok()) return Fail(signed_set.status());
    const Status added = server_->AddCommit(ClientId(member.name), *signed_set);
    if (!added.ok()) return Fail(added);
  }
  if (const Status closed = server_->CloseCommits(); !closed.ok()) return Fail(closed);
  certificate_ = {session_, server_->CertificateFor(ClientId(victim_)).value()};
  return true;
}

bool Scene::Tell(Step step, v1::Notice notice) {
  if (step == attack_.step) {
    lied_ = true;
    if (attack_.change != nullptr) {
      honest_ = notice;
      attack_.change(*this, notice);
      // The victim names a round by what it was offered.
      if (notice.has_offer()) {
        session_ = secagg::EncodedConfigHash(AsBytes(notice.offer().config()));
      }
    }
  }
  cast_.service.Send(victim_, std::move(notice));
  return true;
}

// The session a message of the victim is of, if it is of one.
std::optional<protocol::SessionHash> SessionOf(const Message& message) {
  if (message.header) return message.header->session;
  if (!message.request) return std::nullopt;
  return std::visit(
      [](const auto& request) -> std::optional<protocol::SessionHash> {
        if constexpr (std::is_same_v<std::decay_t<decltype(request)>, protocol::EvaluationReport>) {
          return std::nullopt;
        } else {
          return request.session;
        }
      },
      *message.request);
}

// The victim's next message that is `wanted`; nullopt when the scene is over.
std::optional<Message> Scene::Hear(std::string_view wanted) {
  while (true) {
    std::optional<Message> message = cast_.service.Next(victim_, kPatience);
    if (!message) {
      report_["error"] = "the victim says nothing";
      return std::nullopt;
    }
    if (const auto session = SessionOf(*message); session && *session != session_) {
      report_["stray"].push_back(message->kind);
      continue;
    }
    if (message->kind == "attach") continue;
    if (message->kind == "detach") {
      report_["detached"] = true;
      while (message && message->kind != "attach") {
        message = cast_.service.Next(victim_, kPatience);
      }
      return std::nullopt;
    }
    report_[lied_ ? "after" : "before"].push_back(message->kind);
    if (message->kind == "decline") {
      const auto& decline = std::get<protocol::DeclineRequest>(*message->request);
      report_["code"] = decline.code;
      report_["reason"] = decline.reason;
      return std::nullopt;
    }
    if (message->kind == "fetch") continue;
    if (lied_ || message->kind != wanted) return std::nullopt;
    return message;
  }
}

template <typename Request>
std::optional<Request> Scene::Ask(Step step, const protocol::Notice& notice,
                                  std::string_view answer) {
  v1::Notice message;
  Put(message, notice);
  Tell(step, std::move(message));
  const auto heard = Hear(answer);
  if (!heard) return std::nullopt;
  if constexpr (std::is_same_v<Request, protocol::UploadHeader>) {
    return heard->header;
  } else {
    return std::get<Request>(*heard->request);
  }
}

void Scene::PlayOn() {
  Tell(Step::kOffer, OfferNotice());
  const auto join = Hear("join");
  if (!join || !JoinAll(std::get<protocol::JoinRequest>(*join->request))) return;
  const auto shares = Ask<protocol::ShareRequest>(
      Step::kRoster, protocol::RosterNotice{session_, roster_}, "share");
  if (!shares || !ShareAll(*shares)) return;
  const auto header = Ask<protocol::UploadHeader>(Step::kBoxes, boxes_, "upload");
  if (!header || !MaskAll(*header)) return;
  const bool malicious = draft_.config.level == secagg::ThreatLevel::kMalicious;
  if (malicious) {
    const auto commit = Ask<protocol::CommitRequest>(Step::kSurvivors, survivors_, "commit");
    if (!commit || !CommitAll(*commit)) return;
    if (!Ask<protocol::UnmaskRequest>(Step::kCertificate, certificate_, "unmask")) return;
  } else if (!Ask<protocol::UnmaskRequest>(Step::kSurvivors, survivors_, "unmask")) {
    return;
  }
  Keep();
  if (attack_.step == Step::kAfter && attack_.change != nullptr) {
    v1::Notice nothing;
    Tell(Step::kAfter, nothing);
    Hear("");
  }
}

void Scene::Keep() {
  Archive& kept = cast_.archive[victim_];
  kept = {.round = draft_.config.round, .joins = {}, .boxes = boxes_, .certificate = certificate_};
  for (std::size_t i = 0; i < names_.size(); ++i) kept.joins[names_[i]] = joins_[i];
}

nlohmann::json Scene::Play() {
  if (cast_.service.AwaitStream(victim_, kPatience)) {
    PlayOn();
  } else {
    report_["error"] = "the victim does not attach";
  }
  // Whoever refused must not be talked round: what an honest coordinator would have said gets no
  // answer any more. What it gets all the same is of this round and stands among the next one's
  // strays.
  const bool in_the_round = attack_.step != Step::kOffer && attack_.step != Step::kAfter;
  if (honest_ && in_the_round && report_["detached"] == false) {
    cast_.service.Send(victim_, *honest_);
  }
  return report_;
}

}  // namespace tutti::evil
