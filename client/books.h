// What this device must never forget: its privacy ledger and its journal, with the owner's policy
// that reads them. Everything here is durable when it returns OK. Thread safety: confined to the
// session thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/policy/policy.h"
#include "client/session/session.h"
#include "client/store/journal.h"
#include "client/store/ledger.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/protocol/messages.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::client {

struct BooksSettings {
  std::string state_directory;
  std::string coordinator;    // CA fingerprint, for the entries
  std::string data_identity;  // what is spent under one name adds up
  v1::PolicyConfig policy;
  Digest policy_hash{};                         // of policy.toml as it is in force
  std::vector<std::string> local_statistics{};  // data::LocalStatistics
  // The owner's word that a damaged or rolled-back ledger is set aside when it is first opened.
  bool accept_ledger_reset = false;
};

// What one round costs: `planned` by the policy, at least what the trainer says it did.
struct Cost {
  std::string unit = "none";
  dp::Event event;        // against the coordinator
  dp::Event model_event;  // against whoever sees only the models
  bool above_plan = false;
  // What is counted beside the update: a record of its own.
  struct Counts {
    dp::Event event, model_event;
  };
  std::optional<Counts> counts = {};
  bool with_privacy() const { return unit != "none"; }
};
Cost CostOf(const policy::Plan& plan, const v1::TrainReply& trained);

class Books {
 public:
  // `clock` is borrowed. Errors as client_store::Ledger::Open and Journal::Open.
  static StatusOr<Books> Open(BooksSettings settings, const Clock& clock);

  std::vector<session::LastAnswered> Answered() const;
  const std::vector<std::string>& warnings() const { return ledger_->warnings(); }

  // policy::Screen (with CheckPreparation) and policy::Decide with this ledger's history.
  // Unavailable "LEDGER: ..." while the ledger cannot be written.
  Status Screen(const v1::TaskSpec& task, const secagg::RoundConfig& round);
  StatusOr<policy::Plan> Decide(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                std::uint64_t examples);

  // Debits the round before its vector leaves; a session that was charged already is not charged
  // twice. Starts with a code word like policy's refusals: BUDGET_EXHAUSTED when the trainer did
  // more than planned and that passes the budget, LEDGER when it could not be made durable.
  Status Charge(const protocol::SessionHash& session, const secagg::RoundConfig& round,
                const Cost& cost);

  // Any error means that this process must not answer anything more.
  Status Record(const session::RecordAnswer& answer);

  // Both epsilons at the policy's delta for all entries of the data identity, for the unit of the
  // newest one; infinite (1e9) when unknown.
  protocol::BudgetReport Budget() const;
  const Digest& policy_hash() const { return settings_.policy_hash; }  // as in the ledger's records
  std::uint64_t Entries() const { return ledger_ ? ledger_->Entries().size() : 0; }

 private:
  Books(BooksSettings settings, const Clock& clock)
      : settings_(std::move(settings)), clock_(&clock) {}
  // One record of the ledger.
  struct Release {
    protocol::SessionHash session{};
    std::string unit;
    const dp::Event* event = nullptr;        // none: without privacy
    const dp::Event* model_event = nullptr;  // beside `event`
    bool beside_update = false;              // counts; the update has a record of its own
  };
  Status Append(const secagg::RoundConfig& round, const Release& release);
  // For a cost that the policy did not see in advance.
  Status CheckAbovePlan(const Cost& cost) const;
  Status OpenLedger();
  Status NeedLedger();
  std::string NewestUnit() const;  // of the last round with privacy on this data

  BooksSettings settings_;
  const Clock* clock_;
  std::optional<client_store::Ledger>
      ledger_;                       // empty after a write error, until it can be opened again
  protocol::LedgerHead known_head_;  // the newest while the ledger cannot be read
  std::optional<client_store::Journal> journal_;
};

}  // namespace tutti::client
