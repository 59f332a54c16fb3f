#include "client/ledger_report.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/dp/accountant.h"
#include "common/ledger/ledger.h"

namespace tutti::client {

namespace {

bool Same(const DataTotals& totals, const std::string& data, const std::string& unit) {
  return totals.data_identity == data && totals.unit == unit;
}

struct Both {
  dp::Accountant coordinator;
  dp::Accountant models;
};

StatusOr<DataTotals> TotalOf(std::span<const v1::LedgerEntry> entries, const DataTotals& key,
                             std::optional<double> delta) {
  DataTotals totals = key;
  Both spent;
  for (const v1::LedgerEntry& entry : entries) {
    if (entry.data_identity() != key.data_identity) continue;
    totals.delta = delta.value_or(entry.delta());
    if (entry.event().mechanism() == ledger::kNoMechanism) {
      ++totals.without_privacy;
      continue;
    }
    const auto events = ledger::EventsFor(entry, key.unit);
    if (!events) continue;
    if (!entry.beside_update()) ++totals.rounds;
    TUTTI_TRY(spent.coordinator.Add(events->coordinator));
    TUTTI_TRY(spent.models.Add(events->models));
  }
  TUTTI_ASSIGN(const dp::SpentBudget coordinator, spent.coordinator.Spent(totals.delta));
  TUTTI_ASSIGN(const dp::SpentBudget models, spent.models.Spent(totals.delta));
  totals.epsilon = coordinator.epsilon;
  totals.epsilon_models = models.epsilon;
  return totals;
}

}  // namespace

StatusOr<std::vector<DataTotals>> TotalsOf(std::span<const v1::LedgerEntry> entries,
                                           std::optional<double> delta) {
  std::vector<DataTotals> keys;
  for (const v1::LedgerEntry& entry : entries) {
    // Releases without privacy stand beside the data's example unit, or alone.
    const std::string unit = entry.unit() == "client" ? "client" : "example";
    const auto known = std::find_if(keys.begin(), keys.end(), [&](const DataTotals& one) {
      return Same(one, entry.data_identity(), unit);
    });
    if (known == keys.end()) {
      DataTotals& key = keys.emplace_back();
      key.data_identity = entry.data_identity();
      key.unit = unit;
    }
  }
  std::vector<DataTotals> totals;
  for (const DataTotals& key : keys) {
    TUTTI_ASSIGN(DataTotals one, TotalOf(entries, key, delta));
    totals.push_back(std::move(one));
  }
  return totals;
}

namespace {

// How often `events` together still fit, at most `most` times.
StatusOr<std::uint64_t> TimesFitting(const dp::Accountant& spent, std::span<const dp::Event> events,
                                     const dp::Budget& budget, std::uint64_t most) {
  std::uint64_t fitting = 0;
  while (fitting < most) {
    const std::uint64_t times = fitting + (most - fitting + 1) / 2;
    dp::Accountant with = spent;
    for (const dp::Event& event : events) {
      TUTTI_TRY(with.Add(dp::WithSteps(event, times * dp::StepsOf(event))));
    }
    TUTTI_ASSIGN(const dp::SpentBudget then, with.Spent(budget.delta));
    if (then.epsilon <= budget.epsilon) {
      fitting = times;
    } else {
      most = times - 1;
    }
  }
  return fitting;
}

}  // namespace

StatusOr<std::optional<Outlook>> OutlookOf(std::span<const v1::LedgerEntry> entries,
                                           const std::string& data_identity,
                                           const std::string& unit, const dp::Budget& budget,
                                           bool against_models) {
  constexpr std::size_t kPaceRounds = 20;
  dp::Accountant accountant;
  std::optional<dp::Event> newest;
  std::optional<dp::Event> counts;  // beside it
  std::optional<dp::Event> counts_to_come;
  std::vector<std::int64_t> times;
  for (const v1::LedgerEntry& entry : entries) {
    if (entry.data_identity() != data_identity) continue;
    const auto events = ledger::EventsFor(entry, unit);
    if (!events) continue;
    const dp::Event& event = against_models ? events->models : events->coordinator;
    TUTTI_TRY(accountant.Add(event));
    if (entry.beside_update()) {  // its round's update is the next record
      counts_to_come = event;
      continue;
    }
    newest = event;
    counts = std::exchange(counts_to_come, std::nullopt);
    times.push_back(entry.time());
  }
  if (!newest || dp::StepsOf(*newest) == 0) {
    return std::optional<Outlook>();
  }
  TUTTI_ASSIGN(const std::uint64_t steps, accountant.MaxSteps(*newest, budget));
  Outlook outlook{.rounds = steps / dp::StepsOf(*newest), .days = std::nullopt};
  if (counts) {
    TUTTI_ASSIGN(outlook.rounds,
                 TimesFitting(accountant, std::vector{*newest, *counts}, budget, outlook.rounds));
  }
  const std::size_t paced = std::min(times.size(), kPaceRounds);
  const std::int64_t seconds = times.back() - times[times.size() - paced];
  if (paced > 1 && seconds > 0) {
    constexpr double kSecondsADay = 86400;
    outlook.days = static_cast<double>(outlook.rounds) * static_cast<double>(seconds) /
                   (static_cast<double>(paced - 1) * kSecondsADay);
  }
  return std::optional(outlook);
}

}  // namespace tutti::client
