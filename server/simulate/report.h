// What a simulation tells of itself. Thread safety: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tutti::simulate {

// One published round.
struct RoundReport {
  std::uint64_t round = 0;
  std::uint32_t failures = 0;  // attempts of this round that failed before
  double clock_seconds = 0;    // virtual time at which it was published
  double round_seconds = 0;    // virtual time of the attempt
  std::uint32_t invited = 0;
  std::uint32_t survivors = 0;  // whose updates are in the model
  std::uint32_t malicious = 0;  // of those
  std::uint32_t late = 0;       // of those: trained for an earlier round (training.max_staleness)
  std::uint32_t groups = 0;
  std::uint32_t groups_left_out = 0;
  double train_loss = 0;        // mean over the clients that trained
  double clipped_fraction = 0;  // of their values, outside what the ring holds
  double update_norm = 0;       // l2 norm of the step the model took
  // evaluation.by = "clients": what they counted of the model the round began with.
  std::optional<double> clients_loss{};
  std::optional<double> clients_accuracy{};
  std::optional<double> worst_client{};  // the middle of ClientsVerdict::worst_client
  std::optional<double> test_loss{};
  std::optional<double> test_accuracy{};     // never of a model that predicts numbers
  std::optional<double> robust_accuracy{};   // against the adversary models are measured with
  std::optional<double> backdoor_success{};  // share of the other classes' examples it misleads
  std::uint64_t back_to = 0;  // its model gave way to that of this round; 0: it did not
  // Jobs that look at groups: measure::kOutcomes of the same examples, and the gap of
  // fairness.criterion.
  std::vector<std::int64_t> test_outcomes{};
  std::optional<double> test_gap{};
  double training_seconds = 0;  // real time of the training itself, all clients
  double seconds = 0;           // real time since the round before
};

// An attempt that failed.
struct FailureReport {
  std::uint64_t round = 0;
  double clock_seconds = 0;
  std::string reason;
};

struct Report {
  std::vector<RoundReport> rounds;
  std::vector<FailureReport> failures;
  std::string ended;  // why before the job's last round; empty: it did not
  bool done = false;  // the job's last round is published, or its losses ended it (patience)
  std::uint64_t client_rounds = 0;  // trainings
  double training_seconds = 0;      // real time of those, all threads
  double seconds = 0;               // real time without measuring models
  double measuring_seconds = 0;
  std::uint64_t bytes_down = 0;  // of models and vectors, as they would travel
  std::uint64_t bytes_up = 0;
  std::uint32_t excluded = 0;      // clients proven to spoil sums
  std::uint32_t most_rounds = 0;   // any one client was charged for
  double epsilon_coordinator = 0;  // largest of any client, at the job's delta; by RDP
  double epsilon_models = 0;
};

}  // namespace tutti::simulate
