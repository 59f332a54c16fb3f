// The conversation between coordinator and client as values: notices down, requests up. Both cores
// speak these; common/wire turns them into proto/tutti/v1/coordinator.proto and back, checking
// every bound. Thread safety: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/secagg/messages.h"

namespace tutti::protocol {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMaxConfigBytes = 64 * 1024;
inline constexpr std::size_t kMaxTaskBytes = 256 * 1024;
inline constexpr std::size_t kMaxChunkBytes = 1024 * 1024;

// A session is one attempt of one round, named by the hash of its configuration
// (secagg::ConfigHash).
using SessionHash = Digest;

// How far a device's privacy ledger has grown.
struct LedgerHead {
  std::uint64_t entries = 0;  // records
  Digest hash{};              // SHA-256 of the newest one; zeros without records
  bool operator==(const LedgerHead&) const = default;
};

// What a client tells of its ledger, for the operator's reports; the coordinator never decides by
// it.
struct BudgetReport {
  double epsilon_spent = 0;  // against the coordinator
  double epsilon_budget = 0;
  double delta = 0;
  double epsilon_models = 0;           // against whoever sees only the models
  std::optional<LedgerHead> ledger{};  // nothing: not told
  bool operator==(const BudgetReport&) const = default;
};

// ---- coordinator to client
struct Welcome {
  std::string server_version;
  std::string client_name;
  bool operator==(const Welcome&) const = default;
};
struct Offer {
  SessionHash session{};
  Bytes config;                   // secagg::Encode(RoundConfig)
  Bytes task;                     // serialised TaskSpec
  std::uint64_t model_bytes = 0;  // of the checkpoint `config` names
  Milliseconds train_left{0};
  bool operator==(const Offer&) const = default;
};
struct RosterNotice {
  SessionHash session{};
  secagg::Roster roster;
  bool operator==(const RosterNotice&) const = default;
};
struct BoxesNotice {
  SessionHash session{};
  secagg::Boxes boxes;
  bool operator==(const BoxesNotice&) const = default;
};
struct SurvivorsNotice {
  SessionHash session{};
  secagg::Survivors survivors;
  bool operator==(const SurvivorsNotice&) const = default;
};
struct CertificateNotice {
  SessionHash session{};
  secagg::CommitCertificate certificate;
  bool operator==(const CertificateNotice&) const = default;
};
enum class Outcome : std::uint8_t { kPublished, kFailed, kDropped };
constexpr std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPublished:
      return "published";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kDropped:
      return "dropped";
  }
  return "failed";
}
struct Closed {
  SessionHash session{};
  Outcome outcome = Outcome::kFailed;
  std::string reason;
  std::uint32_t survivors = 0;
  Digest sum_hash{};
  Milliseconds retry{0};
  bool operator==(const Closed&) const = default;
};
struct EvaluationOffer {
  std::string job;
  std::uint64_t round = 0;
  Bytes task;
  Digest model{};
  std::uint64_t model_bytes = 0;
  bool operator==(const EvaluationOffer&) const = default;
};
using Notice = std::variant<Welcome, Offer, RosterNotice, BoxesNotice, SurvivorsNotice,
                            CertificateNotice, Closed, EvaluationOffer>;

// ---- client to coordinator
struct JoinRequest {
  SessionHash session{};
  secagg::Join join;
  bool operator==(const JoinRequest&) const = default;
};
struct ShareRequest {
  SessionHash session{};
  secagg::Shares shares;
  bool operator==(const ShareRequest&) const = default;
};
struct CommitRequest {
  SessionHash session{};
  secagg::Commit commit;
  bool operator==(const CommitRequest&) const = default;
};
struct UnmaskRequest {
  SessionHash session{};
  secagg::Unmask unmask;
  BudgetReport budget;
  bool operator==(const UnmaskRequest&) const = default;
};
// Codes of a refusal that asking again does not change: the device's owner or the job has to.
inline constexpr std::string_view kPolicyRefusal = "POLICY";
inline constexpr std::string_view kBudgetRefusal = "BUDGET_EXHAUSTED";
constexpr bool IsLastingRefusal(std::string_view code) {
  return code == kPolicyRefusal || code == kBudgetRefusal;
}
struct DeclineRequest {
  SessionHash session{};
  std::string
      code;  // BUDGET_EXHAUSTED, POLICY, TRAINER_FAILED, DATA, MODEL_MISMATCH, ROSTER_REJECTED, ...
  std::string reason;  // at most 512 bytes
  BudgetReport budget;
  bool operator==(const DeclineRequest&) const = default;
};
struct EvaluationReport {
  std::string job;
  std::uint64_t round = 0;
  std::uint64_t examples = 0;
  double loss = 0;
  double accuracy = 0;  // 0 to 1; -1: of a model that predicts numbers
  bool operator==(const EvaluationReport&) const = default;
};
using Request = std::variant<JoinRequest, ShareRequest, CommitRequest, UnmaskRequest,
                             DeclineRequest, EvaluationReport>;

// Opens an upload (first chunk); the vector follows as bytes.
struct UploadHeader {
  SessionHash session{};
  secagg::MaskedHeader header;
  bool operator==(const UploadHeader&) const = default;
};

}  // namespace tutti::protocol
