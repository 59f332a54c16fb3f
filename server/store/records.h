// What the coordinator keeps: values as they stand in the store.
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/protocol/messages.h"
#include "server/round/core.h"

namespace tutti::store {

struct ClientRecord {
  std::string name;
  std::string role;  // trainer | evaluator | operator
  Digest spki{};     // SHA-256 of the public key: the identity
  WallSeconds certificate_expires_at = 0;
  WallSeconds enrolled_at = 0;
  WallSeconds last_seen_at = 0;  // 0: never
  bool revoked = false;
  double epsilon_spent = 0;  // as the client reported it
  double epsilon_budget = 0;
  std::uint64_t rounds = 0;    // published rounds in whose sum it was
  std::uint64_t dropouts = 0;  // attempts it was invited to without being in the sum
  std::string software;
  std::string last_refusal;
  std::optional<protocol::LedgerHead> ledger;  // as the client reported it; nothing: never
  std::string ledger_doubt;                    // newest finding of LedgerWatch
  std::uint32_t suspicion = 0;                 // of spoiling sums (server/cohort/suspicion.h)
  std::string excluded;                        // why it is in no round; empty: it may be
};

// What a running coordinator learns of a client between two writes.
struct ClientActivity {
  std::string name;
  WallSeconds last_seen_at = 0;
  protocol::BudgetReport budget;
  std::string software;      // empty: unchanged
  std::string last_refusal;  // empty: unchanged
  std::string ledger_doubt;  // empty: unchanged
};

struct TokenRecord {
  Digest secret_hash{};
  std::string name;  // empty: the client chooses
  std::string role;
  WallSeconds created_at = 0;
  WallSeconds expires_at = 0;
  bool used = false;
  Digest used_by{};  // key it enrolled
};

struct JobRecord {
  std::string name;
  Bytes config;  // serialised v1::JobConfig
  round::JobState state = round::JobState::kWaiting;
  std::string reason;
  std::uint64_t rounds_done = 0;
  WallSeconds submitted_at = 0;
  double accuracy = -1;    // newest evaluation; negative: none yet, or none of a model of numbers
  double max_epsilon = 0;  // over all published rounds
  double max_epsilon_models = 0;
  double realised_epsilon = -1;  // of the newest published round
  double realised_epsilon_models = -1;
};

// One attempt. `published` attempts are the job's rounds; the others say why they failed.
struct RoundRecord {
  std::string job;
  std::uint64_t round = 0;
  std::uint64_t attempt = 0;
  bool published = false;
  std::string reason;  // of a failure
  Digest session{};
  std::uint32_t invited = 0;
  std::uint32_t survivors = 0;
  std::uint32_t declined = 0;
  std::uint32_t groups = 1;           // secure sums it was split into
  std::uint32_t groups_left_out = 0;  // of those, not in the result
  double seconds = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  double accuracy = -1;  // negative: not evaluated, or a model that predicts numbers
  double loss = 0;       // of what the store returns: negative when not evaluated
  // The largest that a client in the sum reported, over all its jobs on that data: against the
  // coordinator, and against whoever sees only the models (1e9: nothing is promised).
  double max_epsilon = 0;
  double max_epsilon_models = 0;
  // This job so far, from the clients that really were in its sums; negative: only the clients know
  // (noise = "local" with unit = "example", where it is what they report).
  double realised_epsilon = -1;
  double realised_epsilon_models = -1;
  std::uint32_t smallest_sum = 0;  // clients in the smallest sum of the result
  double delta = 0;
  std::string privacy_unit;
  std::string mechanism;
  std::string accountant;
  Digest model_sha256{};
  Digest sum_sha256{};
  WallSeconds finished_at = 0;
  std::vector<std::string> refusals;  // "name: CODE: reason"
  std::uint32_t failures = 0;
};

struct ModelRecord {
  std::string job;
  std::uint64_t round = 0;  // 0: the first weights
  Digest sha256{};
  std::uint64_t bytes = 0;
  double accuracy = -1;
  WallSeconds created_at = 0;
  std::string path;  // relative to the state directory
};

// Everything one published round changes.
struct Publication {
  RoundRecord round;
  ModelRecord model;
  std::vector<std::string> survivors;
  std::vector<std::string> dropouts;
  std::map<std::string, protocol::BudgetReport> budgets;
  // What the clients of the round counted of an earlier round's model together.
  std::optional<protocol::EvaluationReport> evaluation = {};
};
// Stands for all clients where a client's name is asked for; no client can be called so.
inline constexpr const char* kAllClients = "(clients)";

struct SurvivorRecord {
  Digest session{};
  std::string job;
  std::uint64_t round = 0;
  std::uint64_t attempt = 0;
  std::vector<std::string> clients;
};

}  // namespace tutti::store
