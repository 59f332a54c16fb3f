// The client's core: one machine from an offer to the end of its round. It decides nothing about
// privacy itself: it asks for the owner's decision (effect Decide) and for the ledger's debit
// (effect Charge) and goes on only with their answer. Pure: no socket, file, thread, log or clock.
// Effects are carried out IN ORDER: record before send. Thread safety: confined to the client's
// session thread.
//
// Steps: offered -> (Decide) -> training -> joined -> shared -> (Charge) -> uploaded -> [committed]
// -> unmasked -> closed. A new offer of another session ends the current one (its keys are wiped;
// what was charged stays charged). A training whose update may be late goes on without its session;
// its result is for a later round's Train. The same notice again gives the same answer again; a
// different one for an answered step is refused and logged.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/crypto/certificate.h"
#include "common/protocol/messages.h"
#include "common/secagg/client_session.h"

namespace tutti::session {

enum class Step : std::uint8_t {
  kIdle,
  kDeciding,
  kTraining,
  kJoined,
  kShared,
  kCharging,
  kUploading,
  kUploaded,
  kCommitted,
  kUnmasked
};
std::string_view StepName(Step step);

// ---- events
struct NoticeArrived {
  protocol::Notice notice;
};
// The owner's policy and budget said yes / no to the offer.
struct Allowed {
  protocol::SessionHash session{};
  // Rounds for which the update still counts after this one; 0: a training whose round is over is
  // of no use.
  std::uint64_t max_staleness = 0;
};
struct Refused {
  protocol::SessionHash session{};
  std::string code;
  std::string reason;
};
// The update is ready (the shell holds it), encoded for the ring with the session's configuration.
struct Trained {
  protocol::SessionHash session{};
};
struct TrainingFailed {
  protocol::SessionHash session{};
  std::string code;
  std::string reason;
};
struct Charged {
  protocol::SessionHash session{};
};
struct ChargeRefused {
  protocol::SessionHash session{};
  std::string code;
  std::string reason;
};
struct Uploaded {
  protocol::SessionHash session{};
};
// A request or upload was finally refused by the coordinator (not: could not be delivered yet).
struct Rejected {
  protocol::SessionHash session{};
  Status status;
};
using Event = std::variant<NoticeArrived, Allowed, Refused, Trained, TrainingFailed, Charged,
                           ChargeRefused, Uploaded, Rejected>;

// ---- effects
// Check `config` and `task` against policy and ledger; answer Allowed or Refused.
struct Decide {
  protocol::Offer offer;
  secagg::RoundConfig config;
};
// Fetch the model, train, encode; answer Trained or TrainingFailed, even when the session is over.
// Where an update of an earlier round is at hand that still counts, that one is encoded instead.
// One training at a time: one that outlived its round is finished first.
struct Train {
  protocol::Offer offer;
  secagg::RoundConfig config;
};
struct StopTraining {
  protocol::SessionHash session{};
};
// Debit the ledger for what the vector reveals, fsynced; answer Charged or ChargeRefused.
struct Charge {
  protocol::SessionHash session{};
  secagg::RoundConfig config;
};
// Call PrepareUpload on the encoded lanes, then send; answer Uploaded or Rejected.
struct Upload {
  protocol::SessionHash session{};
};
// Durable before any later effect: this session answered this survivor set.
struct RecordAnswer {
  protocol::SessionHash session{};
  std::string job;
  std::uint64_t round = 0, attempt = 0;
  Digest survivor_set{};
};
struct Send {
  protocol::Request request;
};
struct Evaluate {
  protocol::EvaluationOffer offer;
};
// The round is over for this client; its update may be forgotten.
struct Finished {
  protocol::SessionHash session{};
  protocol::Outcome outcome = protocol::Outcome::kFailed;
  std::string reason;
  std::uint32_t survivors = 0;
};
struct Note {
  bool warning = false;
  std::string text;
};
using Effect = std::variant<Decide, Train, StopTraining, Charge, Upload, RecordAnswer, Send,
                            Evaluate, Finished, Note>;

// The newest session this device answered, from its journal; offers that do not come after it are
// refused.
struct LastAnswered {
  std::string job;
  std::uint64_t round = 0, attempt = 0;
};

class Session {
 public:
  // `verifier` and `rng` are borrowed and must outlive the session.
  Session(secagg::ClientIdentity identity, crypto::PeerVerifier& verifier, SecureRng& rng,
          std::vector<LastAnswered> journal);
  Session(Session&&) noexcept;
  ~Session();

  std::vector<Effect> Advance(const Event& event);
  // The budget report that goes with the next unmask or decline.
  void SetBudget(const protocol::BudgetReport& budget);

  Step step() const;
  std::optional<protocol::SessionHash> session() const;

  struct PreparedUpload {
    protocol::UploadHeader header;
    std::shared_ptr<const Bytes> vector;  // masked, as it travels
  };
  // Masks the encoded vector and signs its header. Once between effect Upload and event Uploaded;
  // calling it again with the SAME unmasked vector gives the same bytes. FailedPrecondition in
  // another step.
  StatusOr<PreparedUpload> PrepareUpload(secagg::RingVector encoded);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::session
