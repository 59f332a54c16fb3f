// What the daemon counts for /metrics and its own status. Thread safety: safe (atomics).
#pragma once

#include <atomic>
#include <cstdint>

namespace tutti::client {

struct Counters {
  std::atomic<std::uint64_t> rounds_published{
      0};  // rounds whose sum holds this client's update, as the coordinator says
  std::atomic<std::uint64_t> rounds_failed{0};
  std::atomic<std::uint64_t> rounds_dropped{0};
  std::atomic<std::uint64_t> refusals{0};  // offers the policy or the budget refused
  std::atomic<std::uint64_t> evaluations{0};
  std::atomic<std::uint64_t> trainer_starts{0};
  std::atomic<std::uint64_t> trainer_failures{0};
  std::atomic<double> epsilon_spent{0};   // against the coordinator
  std::atomic<double> epsilon_models{0};  // against whoever sees only the models
  std::atomic<double> epsilon_budget{0};
};

}  // namespace tutti::client
