// ServerSession: opening, the roster and what all steps share.
#include "common/secagg/server_session.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/secagg/server_state.h"

namespace tutti::secagg {

ServerSession::ServerSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerSession::ServerSession(ServerSession&&) noexcept = default;
ServerSession& ServerSession::operator=(ServerSession&&) noexcept = default;
ServerSession::~ServerSession() = default;

StatusOr<ServerSession> ServerSession::Open(const RoundConfig& config,
                                            crypto::PeerVerifier* verifier) {
  TUTTI_TRY(CheckRoundConfig(config));
  if (config.level == ThreatLevel::kMalicious && verifier == nullptr) {
    return InvalidArgument("level malicious needs a verifier of clients' certificates, found none");
  }
  auto state = std::make_unique<State>();
  state->config = config;
  state->config_hash = ConfigHash(config);
  state->verifier = verifier;
  return ServerSession(std::move(state));
}

const RoundConfig& ServerSession::config() const { return state_->config; }
const Digest& ServerSession::config_hash() const { return state_->config_hash; }
ServerStep ServerSession::step() const { return state_->step; }
std::uint32_t ServerSession::cohort() const { return state_->Size(); }
std::uint32_t ServerSession::neighbours() const { return state_->graph.neighbours; }
std::uint32_t ServerSession::threshold() const { return state_->graph.threshold; }
std::size_t ServerSession::joined() const {
  return state_->members.empty() ? state_->joins.size() : state_->members.size();
}
std::size_t ServerSession::shared() const { return state_->shared; }
std::size_t ServerSession::masked() const { return state_->masked; }
std::size_t ServerSession::committed() const { return state_->committed; }
std::size_t ServerSession::unmasked() const { return state_->unmasked; }
std::size_t ServerSession::CommitsNeeded() const { return state_->CommitsNeeded(); }

std::string Named(const ClientId& client) {
  return tutti::Join("client ", Escaped(client.value(), 64));
}

std::size_t ServerSession::State::CommitsNeeded() const {
  return IsMalicious() ? secagg::CommitsNeeded(Size(), config.corrupt_fraction) : 0;
}

std::size_t ServerSession::State::SurvivorsNeeded() const {
  return std::max<std::size_t>(config.min_survivors, CommitsNeeded());
}

Status ServerSession::State::NotBefore(ServerStep first, std::string_view what) const {
  if (step < first) {
    return FailedPrecondition(tutti::Join("EARLY: ", what, " is not due yet in this round"));
  }
  return OkStatus();
}

Status ServerSession::State::Expect(ServerStep wanted, std::string_view what) const {
  TUTTI_TRY(NotBefore(wanted, what));
  if (step > wanted) {
    return FailedPrecondition(
        tutti::Join("LATE: ", what, " came after its step had closed; wait for the next round"));
  }
  return OkStatus();
}

StatusOr<Index> ServerSession::State::PlaceOf(const ClientId& client) const {
  const auto found = places.find(client);
  if (found == places.end()) {
    return NotFound(tutti::Join(Named(client), " is not in the roster of this round"));
  }
  return found->second;
}

std::uint8_t ServerSession::State::PointOf(const Member& owner, Index holder) const {
  const auto found = std::lower_bound(owner.neighbours.begin(), owner.neighbours.end(), holder);
  if (found == owner.neighbours.end() || *found != holder) {
    return 0;
  }
  return static_cast<std::uint8_t>(found - owner.neighbours.begin() + 1);
}

const ShareBox& ServerSession::State::BoxFromTo(const Member& owner, Index holder) const {
  return owner.shares->boxes[PointOf(owner, holder) - std::size_t{1}];
}

std::vector<Index> ServerSession::State::KnownTo(Index index) const {
  std::vector<Index> known = members[index].neighbours;
  known.insert(std::lower_bound(known.begin(), known.end(), index), index);
  return known;
}

std::vector<ClientId> ServerSession::Members() const {
  std::vector<ClientId> clients;
  for (const Member& member : state_->members) {
    clients.push_back(member.client);
  }
  return clients;
}

std::set<ClientId> ServerSession::Sharers() const {
  std::set<ClientId> clients;
  for (const Member& member : state_->members) {
    if (member.in_u1) {
      clients.insert(member.client);
    }
  }
  return clients;
}

std::set<ClientId> ServerSession::SurvivorSet() const {
  std::set<ClientId> clients;
  for (const Member& member : state_->members) {
    if (member.in_u2) {
      clients.insert(member.client);
    }
  }
  return clients;
}

}  // namespace tutti::secagg
