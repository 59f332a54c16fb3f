#include "common/secagg/client_session.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/secagg/client_state.h"

namespace tutti::secagg {

ClientSession::ClientSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientSession::ClientSession(ClientSession&&) noexcept = default;
ClientSession& ClientSession::operator=(ClientSession&&) noexcept = default;
ClientSession::~ClientSession() = default;

StatusOr<ClientSession> ClientSession::Start(const RoundConfig& config,
                                             const ClientIdentity& identity,
                                             crypto::PeerVerifier* verifier, SecureRng& rng) {
  TUTTI_TRY(CheckRoundConfig(config));
  auto state = std::make_unique<State>();
  state->config = config;
  state->config_hash = ConfigHash(config);
  if (state->IsMalicious()) {
    if (verifier == nullptr) {
      return InvalidArgument("level malicious needs a verifier of peers' certificates, found none");
    }
    StatusOr<Signer> self = VerifySigner(*verifier, identity.certificate);
    if (!self.ok()) {
      return Annotate(self.status(), "own certificate");
    }
    if (crypto::Ed25519PublicOf(identity.signing_key) != self->key) {
      return InvalidArgument("own certificate is not of the signing key; enrol this client again");
    }
    state->verifier = verifier;
    state->self = *std::move(self);
    state->signing_key = identity.signing_key;
    state->join.certificate = identity.certificate;
  }
  state->box_key = crypto::NewX25519Key(rng);
  state->mask_key = crypto::NewX25519Key(rng);
  rng.Fill(state->seed.mutable_view());
  Join& join = state->join;
  rng.Fill(join.nonce);
  join.box_key = crypto::PublicOf(state->box_key);
  join.mask_key = crypto::PublicOf(state->mask_key);
  join.seed_commitment = SeedCommitment(state->config_hash, state->seed);
  if (state->IsMalicious()) {
    join.signature = crypto::Sign(state->signing_key, JoinStatement(state->config_hash, join));
  }
  return ClientSession(std::move(state));
}

const RoundConfig& ClientSession::config() const { return state_->config; }
const Digest& ClientSession::config_hash() const { return state_->config_hash; }
const Join& ClientSession::JoinMessage() const { return state_->join; }
std::optional<Digest> ClientSession::AnsweredSet() const { return state_->survivor_set; }

Neighbour* ClientSession::State::FindNeighbour(Index peer) {
  const auto found =
      std::lower_bound(neighbours.begin(), neighbours.end(), peer,
                       [](const Neighbour& n, Index wanted) { return n.index < wanted; });
  return found != neighbours.end() && found->index == peer ? &*found : nullptr;
}

std::vector<Index> ClientSession::State::MaskedPeers() const {
  std::vector<Index> peers;
  for (const Neighbour& neighbour : neighbours) {
    if (neighbour.in_u1) {
      peers.push_back(neighbour.index);
    }
  }
  return peers;
}

Status ClientSession::State::Refuse(StatusCode status, std::string_view code,
                                    std::string_view why) {
  const std::string text = tutti::Join(code, ": ", why);
  if (ended.empty()) {
    ended = text;
  }
  WipeKeys();
  answer.reset();
  commit.reset();
  shares.reset();
  header.reset();
  return {status, text};
}

Status ClientSession::State::Reject(std::string_view code, const Status& cause) {
  return Refuse(StatusCode::kInvalidArgument, code, MessageOf(cause));
}

Status ClientSession::State::OutOfOrder(std::string_view why) {
  return Refuse(StatusCode::kFailedPrecondition, "OUT_OF_ORDER", why);
}

Status ClientSession::State::Conflict(std::string_view why) {
  return Refuse(StatusCode::kFailedPrecondition, "CONFLICT", why);
}

Status ClientSession::State::Alive() const {
  if (ended.empty()) {
    return OkStatus();
  }
  return FailedPrecondition(
      tutti::Join("SESSION_ENDED: this session answers nothing after ", ended));
}

void ClientSession::State::WipeKeys() {
  signing_key.Clear();
  box_key.Clear();
  mask_key.Clear();
  seed.Clear();
  self_mask_seed.Clear();
  neighbours.clear();  // their secrets are wiped as they die
  masks.clear();
}

}  // namespace tutti::secagg
