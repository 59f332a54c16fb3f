// The coordinator's side of one round: collects and checks what clients send, forms the sets,
// rebuilds and VERIFIES secrets. It holds no time and no vector: server/round decides when a step
// closes, Accumulator holds the sum. Thread safety: confined to one thread. Source:
// docs/protocol.md.
//
// Order of calls: AddJoin* CloseJoins AddShares* CloseShares AddMasked* CloseMasked [AddCommit*
// CloseCommits] AddUnmask* Rebuild. A message for another step: FailedPrecondition ("LATE" or
// "EARLY"); a repeated identical message: OK; a different second one: AlreadyExists ("CONFLICT"); a
// message that breaks a rule: InvalidArgument naming the rule, the client and what was found.
// Nothing a message holds changes the state unless it is accepted.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/certificate.h"
#include "common/crypto/mask_stream.h"
#include "common/secagg/config.h"
#include "common/secagg/messages.h"

namespace tutti::secagg {

enum class ServerStep { kJoining, kSharing, kMasking, kCommitting, kUnmasking, kRebuilt };

// One mask left in the sum: subtract it when `in_sum_positive`, add it otherwise.
struct LeftoverMask {
  crypto::MaskSeed seed;
  bool in_sum_positive = true;
};

class ServerSession {
 public:
  // `verifier` (may be null at level curious) must outlive the session. InvalidArgument: see
  // CheckRoundConfig.
  static StatusOr<ServerSession> Open(const RoundConfig& config, crypto::PeerVerifier* verifier);
  ServerSession(ServerSession&&) noexcept;
  ServerSession& operator=(ServerSession&&) noexcept;
  ~ServerSession();

  const RoundConfig& config() const;
  const Digest& config_hash() const;
  ServerStep step() const;

  Status AddJoin(const ClientId& client, const Join& join);
  std::size_t joined() const;
  // Freezes the roster. FailedPrecondition when fewer than min_cohort joined.
  Status CloseJoins();
  std::uint32_t cohort() const;           // n
  std::uint32_t neighbours() const;       // k
  std::uint32_t threshold() const;        // t
  std::vector<ClientId> Members() const;  // by index
  StatusOr<Roster> RosterFor(const ClientId& client) const;

  Status AddShares(const ClientId& client, const Shares& shares);
  std::size_t shared() const;
  Status CloseShares();                // fixes U1; FailedPrecondition when too few can go on
  std::set<ClientId> Sharers() const;  // U1
  StatusOr<Boxes> BoxesFor(const ClientId& client) const;

  // Checks a header before its vector is received (does not count the client as a survivor yet).
  Status CheckHeader(const ClientId& client, const MaskedHeader& header) const;
  // The whole vector arrived, had the header's digest and is in the sum.
  Status AddMasked(const ClientId& client, const MaskedHeader& header);
  std::size_t masked() const;
  Status CloseMasked();  // fixes U2; FailedPrecondition when the sum may not be opened
  std::set<ClientId> SurvivorSet() const;  // U2
  StatusOr<Survivors> SurvivorsMessage() const;

  Status AddCommit(const ClientId& client, const Commit& commit);  // level malicious only
  std::size_t committed() const;
  std::size_t CommitsNeeded() const;
  Status CloseCommits();  // FailedPrecondition when there are too few
  StatusOr<CommitCertificate> CertificateFor(const ClientId& client) const;

  Status AddUnmask(const ClientId& client, const Unmask& unmask);
  std::size_t unmasked() const;
  bool CanRebuild() const;  // every needed secret has at least t shares
  // As soon as CanRebuild holds. Every mask left in the sum, each rebuilt secret checked against
  // its advertised key or commitment. Aborted naming the culprit when a secret cannot be rebuilt to
  // what its owner advertised.
  StatusOr<std::vector<LeftoverMask>> Rebuild();

 private:
  struct State;
  explicit ServerSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::secagg
