#include "client/ledger_report.h"

#include <algorithm>

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

}  // namespace tutti::client
