// What the daemon counts for /metrics and its own status. Thread safety: safe (atomics).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace tutti::client {

// Refusals by code; codes that are not listed count as the last one.
class RefusalCounts {
 public:
  static constexpr std::array<std::string_view, 7> kCodes = {
      "POLICY", "BUDGET_EXHAUSTED", "CONFIG_MISMATCH", "DATA", "LEDGER", "BUSY", "OTHER"};

  void Add(std::string_view code) { ++counts_[PlaceOf(code)]; }
  std::uint64_t Of(std::string_view code) const { return counts_[PlaceOf(code)]; }
  std::uint64_t Total() const {
    std::uint64_t total = 0;
    for (const std::atomic<std::uint64_t>& count : counts_) total += count;
    return total;
  }

 private:
  static std::size_t PlaceOf(std::string_view code) {
    const auto found = std::find(kCodes.begin(), kCodes.end() - 1, code);
    return static_cast<std::size_t>(found - kCodes.begin());
  }
  std::array<std::atomic<std::uint64_t>, kCodes.size()> counts_{};
};

struct Counters {
  std::atomic<std::uint64_t> rounds_published{
      0};  // rounds whose sum holds this client's update, as the coordinator says
  std::atomic<std::uint64_t> rounds_failed{0};
  std::atomic<std::uint64_t> rounds_dropped{0};
  RefusalCounts refusals;                      // offers that were refused
  std::atomic<std::uint64_t> late_updates{0};  // of an earlier round, made ready for a later one
  std::atomic<std::uint64_t> evaluations{0};
  std::atomic<std::uint64_t> trainer_starts{0};
  std::atomic<std::uint64_t> trainer_failures{0};
  std::atomic<double> epsilon_spent{0};   // against the coordinator
  std::atomic<double> epsilon_models{0};  // against whoever sees only the models
  std::atomic<double> epsilon_budget{0};
};

}  // namespace tutti::client
