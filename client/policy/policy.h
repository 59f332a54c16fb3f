// The device owner's decision on one round: pure, complete, and the only place where it is made.
// The coordinator proposes a task and a round; policy.toml and what was spent before decide. Thread
// safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/dp/accountant.h"
#include "common/privacy/counts.h"
#include "common/privacy/setting.h"
#include "common/privacy/terms.h"
#include "common/secagg/config.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::policy {

// What the device knows of its own data.
struct DataFacts {
  std::uint64_t examples = 0;
};

// What its ledger says of the data identity that would be used, and of the last day.
struct History {
  std::vector<dp::Event> events;        // of the job's unit, as the coordinator sees them
  std::vector<dp::Event> model_events;  // as whoever sees only the models does
  std::uint64_t rounds_of_job = 0;      // charged for this job of this coordinator
  std::uint64_t rounds_last_day = 0;    // all data identities
};

// Epsilon of a history, with this round, and of this round alone, at the policy's delta.
struct Epsilons {
  double before = 0;
  double after = 0;
  double round = 0;
};

// What to train and what to charge before the update leaves.
struct Plan {
  privacy::Setting setting;
  double sampling_rate = 1;  // of each example in a step; 1 without privacy and for whole clients
  double noise_multiplier = 0;  // noise stddev / clip norm; 0 without privacy
  std::uint64_t steps = 0;      // optimiser steps this round
  // More steps than the budget allows were asked for and these are what is left. 0: as asked.
  std::uint64_t steps_asked = 0;
  dp::Event event;                      // the debit; steps = 0 without privacy
  dp::Event model_event;                // the same against whoever sees only the models
  std::optional<privacy::Terms> terms;  // settings with in_ring()
  // What is counted beside the update, or, in jobs that do not train, instead of it.
  std::optional<privacy::CountTerms> counts;
  // The debit for counts beside an update. Without an update they are `event`.
  std::optional<dp::Event> counts_event;
  std::optional<dp::Event> counts_model_event;
  double delta = 0;  // the policy's; every epsilon here is at it
  Epsilons coordinator;
  Epsilons models;

  bool with_privacy() const { return setting.with_privacy(); }
};

// Whose view max_epsilon_total and max_epsilon_round speak of: the coordinator's, unless the owner
// trusts it to add the noise (policy.toml: noise holds "central" or "tree"), when it is that of
// whoever sees only the models.
bool CoordinatorIsTrusted(const v1::PolicyConfig& policy);

// OK when every rule of `policy` allows the round. Otherwise PermissionDenied, or ResourceExhausted
// when it may be allowed another time; the text starts with a code word, ": ", and says which key,
// what the job asks, what is allowed:
//   POLICY            a key of policy.toml forbids it
//   BUDGET_EXHAUSTED  max_epsilon_total: budget, spent, with this round
//   CONFIG_MISMATCH   the round's configuration is not the task's
//   DATA              too few examples
// InvalidArgument only for a policy that the configuration loader would not have let through.
StatusOr<Plan> Decide(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
                      const secagg::RoundConfig& round, const DataFacts& data,
                      const History& history);
// The rules among them that need to know nothing of the data: asked first, so that a round they
// forbid does not make anyone read it. Same errors.
Status Screen(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
              const secagg::RoundConfig& round, std::uint64_t rounds_last_day);

// Refuses jobs that protect single examples (privacy.unit = "example") when the device prepares its
// examples by `statistics` of its own: the keys of client.toml that say so (data::LocalStatistics).
// One example then moves the features of all others, which clipping one gradient does not bound.
// Names no key to the coordinator: they hold names of columns.
Status CheckPreparation(const v1::TaskSpec& task, const std::vector<std::string>& statistics);

// The rule for a clip norm that is known only when the model has come (adaptive clipping).
Status CheckClip(const v1::PolicyConfig& policy, double clip_norm);

// The code word a refusal starts with, and the rest of its text. A status without one gives
// "POLICY" and all its text.
std::string CodeOf(const Status& refusal);
std::string ReasonOf(const Status& refusal);

// Refuses a model in a TorchScript file unless the owner lists the file: nothing else may reach a
// loader. Part of Screen, and asked by itself where a model is only measured.
Status CheckScript(const v1::PolicyConfig& policy, const v1::ModelSpec& model);

// True when `job` is allowed by the patterns: none allows any; "*" at a pattern's end matches any
// rest.
bool JobMatches(const std::string& job, const std::vector<std::string>& patterns);

}  // namespace tutti::policy
