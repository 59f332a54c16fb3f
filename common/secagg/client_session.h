// The client's side of one round as a pure machine: it checks everything the coordinator says
// before a key, share or vector leaves, answers each step once, and never answers two survivor
// sets. Keys live here and die here. Thread safety: confined to one thread. Source:
// docs/protocol.md (Bonawitz et al. 2017, Bell et al. 2020).
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "common/base/rng.h"
#include "common/crypto/certificate.h"
#include "common/secagg/config.h"
#include "common/secagg/messages.h"
#include "common/secagg/ring.h"

namespace tutti::secagg {

// Who this client is to its peers. At level curious both stay unused.
struct ClientIdentity {
  crypto::Ed25519Private signing_key;
  Bytes certificate;  // DER
};

// Errors start with a code word. A refused message of the coordinator ends the session: its keys
// are wiped and every later call says SESSION_ENDED (FailedPrecondition).
// - ROSTER_REJECTED, BOXES_REJECTED, SURVIVORS_REJECTED, CERTIFICATE_REJECTED: a check failed
//   (InvalidArgument)
// - CONFLICT: a second, different message for an answered step (FailedPrecondition)
// - OUT_OF_ORDER: a message for a step that is not due (FailedPrecondition)
// Mistakes of the caller in AddMasks and HeaderFor are refused without ending the session.
class ClientSession {
 public:
  // Makes this round's keys. `verifier` (may be null at level curious) must outlive the session.
  // InvalidArgument when the configuration is refused by CheckRoundConfig.
  static StatusOr<ClientSession> Start(const RoundConfig& config, const ClientIdentity& identity,
                                       crypto::PeerVerifier* verifier, SecureRng& rng);
  ClientSession(ClientSession&&) noexcept;
  ClientSession& operator=(ClientSession&&) noexcept;
  ~ClientSession();

  const RoundConfig& config() const;
  const Digest& config_hash() const;

  // Step 0. The same join every time it is asked.
  const Join& JoinMessage() const;

  // Step 1. Checks size, root, own entry, neighbour set (recomputed), signatures and enrolment,
  // distinct keys; then makes the share boxes. A second, different roster is refused
  // (FailedPrecondition); the same one again gives the same answer.
  StatusOr<Shares> OnRoster(const Roster& roster, SecureRng& rng);

  // Step 2. Opens the boxes; afterwards masks can be added and the header made.
  Status OnBoxes(const Boxes& boxes);
  // Neighbours in U1 whose masks are in the vector; 0 before OnBoxes.
  std::size_t MaskingPeers() const;
  // Adds all of this client's masks to `vector`, which is of the round's layout. Once per vector.
  Status AddMasks(RingVector& vector) const;
  // For the masked vector as it travels. Once per session: another vector is refused.
  StatusOr<MaskedHeader> HeaderFor(BytesView wire);

  // Step 3 (level malicious): checks the set and signs it. One set per session.
  StatusOr<Commit> OnSurvivors(const Survivors& survivors);
  // Step 4. At level malicious the certificate for the set already committed to; at level curious
  // the set itself. One answer per session; the same question again gives the same answer, another
  // one ends the session. Keys are wiped after.
  StatusOr<Unmask> OnCertificate(const CommitCertificate& certificate);
  StatusOr<Unmask> OnSurvivorsCurious(const Survivors& survivors);

  // The set this session answered or committed to, for the journal: SHA-256 over the bitmap, none
  // before.
  std::optional<Digest> AnsweredSet() const;

 private:
  struct State;
  explicit ClientSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::secagg
