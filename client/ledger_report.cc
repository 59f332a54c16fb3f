#include "client/ledger_report.h"

#include <algorithm>
#include <cstddef>

#include "common/dp/accountant.h"
#include "common/ledger/ledger.h"

namespace tutti::client {

StatusOr<std::vector<DataTotals>> TotalsOf(std::span<const v1::LedgerEntry> entries,
                                           std::optional<double> delta) {
  std::vector<DataTotals> totals;
  std::vector<dp::Accountant> accountants;
  for (const v1::LedgerEntry& entry : entries) {
    auto found = std::find_if(totals.begin(), totals.end(), [&](const DataTotals& one) {
      return one.data_identity == entry.data_identity();
    });
    if (found == totals.end()) {
      totals.push_back({.data_identity = entry.data_identity()});
      accountants.emplace_back();
      found = totals.end() - 1;
    }
    found->delta = delta.value_or(entry.delta());
    const auto event = ledger::ToSubsampledGaussian(entry.event());
    if (!event) {
      ++found->without_privacy;
      continue;
    }
    ++found->rounds;
    TUTTI_TRY(accountants[static_cast<std::size_t>(found - totals.begin())].Add(*event));
  }
  for (std::size_t i = 0; i < totals.size(); ++i) {
    TUTTI_ASSIGN(const dp::SpentBudget spent, accountants[i].Spent(totals[i].delta));
    totals[i].epsilon = spent.epsilon;
  }
  return totals;
}

StatusOr<std::optional<Outlook>> OutlookOf(std::span<const v1::LedgerEntry> entries,
                                           const std::string& data_identity,
                                           const dp::Budget& budget) {
  constexpr std::size_t kPaceRounds = 20;
  dp::Accountant accountant;
  std::optional<dp::SubsampledGaussian> newest;
  std::vector<std::int64_t> times;
  for (const v1::LedgerEntry& entry : entries) {
    const auto event = ledger::ToSubsampledGaussian(entry.event());
    if (entry.data_identity() != data_identity || !event) {
      continue;
    }
    TUTTI_TRY(accountant.Add(*event));
    newest = event;
    times.push_back(entry.time());
  }
  if (!newest || newest->steps == 0) {
    return std::optional<Outlook>();
  }
  TUTTI_ASSIGN(const std::uint64_t steps, accountant.MaxSteps(*newest, budget));
  Outlook outlook{.rounds = steps / newest->steps, .days = std::nullopt};
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
