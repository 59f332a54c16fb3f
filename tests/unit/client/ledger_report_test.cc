#include "client/ledger_report.h"

#include <cmath>

#include "common/dp/accountant.h"
#include "common/dp/calibration.h"
#include "common/ledger/ledger.h"
#include "tests/catch.h"

namespace tutti::client {
namespace {

v1::LedgerEntry Entry(const std::string& data, std::uint64_t steps, double noise) {
  v1::LedgerEntry entry;
  entry.set_data_identity(data);
  *entry.mutable_event() = ledger::ToMechanismEvent(dp::SubsampledGaussian{0.1, noise, steps});
  entry.set_delta(1e-5);
  return entry;
}

}  // namespace

TEST_CASE("a ledger is summed by data set, and releases without privacy are counted apart",
          "[client]") {
  std::vector<v1::LedgerEntry> entries = {Entry("a", 10, 1.0), Entry("b", 5, 2.0),
                                          Entry("a", 20, 1.0)};
  v1::LedgerEntry open;
  open.set_data_identity("b");
  open.mutable_event()->set_mechanism(std::string(ledger::kNoMechanism));
  open.set_delta(1e-5);
  entries.push_back(open);
  const auto totals = TotalsOf(entries, std::nullopt);
  REQUIRE(totals.ok());
  REQUIRE(totals->size() == 2);
  const dp::SubsampledGaussian all_of_a{0.1, 1.0, 30};
  REQUIRE((*totals)[0].rounds == 2);
  REQUIRE((*totals)[0].epsilon == Approx(dp::SpentEpsilon({&all_of_a, 1}, 1e-5)->epsilon));
  REQUIRE((*totals)[1].rounds == 1);
  REQUIRE((*totals)[1].without_privacy == 1);
  const auto looser = TotalsOf(entries, 1e-3);
  REQUIRE((*looser)[0].epsilon < (*totals)[0].epsilon);
  entries[0].set_beside_update(true);  // counts of the round of the other record
  REQUIRE((*TotalsOf(entries, std::nullopt))[0].rounds == 1);
}

TEST_CASE("a release whose mechanism is not understood counts as unbounded", "[client]") {
  v1::LedgerEntry entry = Entry("a", 10, 1.0);
  entry.mutable_event()->set_mechanism("from the future");
  REQUIRE(std::isinf(TotalsOf({&entry, 1}, std::nullopt)->front().epsilon));
}

TEST_CASE("what is left of a budget is told in rounds and, after two of them, in days",
          "[client]") {
  const dp::Budget budget{.epsilon = 4, .delta = 1e-5};
  REQUIRE_FALSE(OutlookOf({}, "a", "example", budget, false)->has_value());
  std::vector<v1::LedgerEntry> entries = {Entry("a", 10, 2.0), Entry("b", 1000, 0.5)};
  entries[0].set_time(1'000'000);
  auto outlook = OutlookOf(entries, "a", "example", budget, false);
  REQUIRE(outlook.ok());
  const dp::SubsampledGaussian one{0.1, 2.0, 10};
  const std::uint64_t further = *dp::MaxSteps({&one, 1}, one, budget);
  REQUIRE((*outlook)->rounds == further / 10);
  REQUIRE((*outlook)->rounds > 3);
  REQUIRE_FALSE((*outlook)->days.has_value());
  // Two more rounds, six hours apart.
  for (const std::int64_t time : {1'021'600, 1'043'200}) {
    entries.push_back(Entry("a", 10, 2.0));
    entries.back().set_time(time);
  }
  const std::uint64_t before = (*outlook)->rounds;
  outlook = OutlookOf(entries, "a", "example", budget, false);
  REQUIRE((*outlook)->rounds == before - 2);
  REQUIRE(*(*outlook)->days == Approx(static_cast<double>(before - 2) / 4));
  // A budget that is used up.
  REQUIRE((*OutlookOf(entries, "a", "example", {.epsilon = 0.01, .delta = 1e-5}, false))->rounds ==
          0);
}

TEST_CASE("what a round counts beside its update makes the budget last for fewer rounds",
          "[client]") {
  std::vector<v1::LedgerEntry> entries = {Entry("a", 10, 1.0)};
  const dp::Budget budget{.epsilon = 8, .delta = 1e-5};
  const std::uint64_t alone = (*OutlookOf(entries, "a", "example", budget, false))->rounds;
  v1::LedgerEntry counts = Entry("a", 1, 1.0);
  *counts.mutable_event() = ledger::ToMechanismEvent(dp::SubsampledGaussian{1, 4, 1});
  counts.set_beside_update(true);
  entries.insert(entries.begin(), counts);
  const std::uint64_t both = (*OutlookOf(entries, "a", "example", budget, false))->rounds;
  REQUIRE(both < alone);
  // So many rounds fit, and one more does not.
  const auto epsilon = [](std::uint64_t rounds) {
    const std::vector<dp::Event> events = {dp::SubsampledGaussian{0.1, 1.0, 10 * rounds},
                                           dp::SubsampledGaussian{1, 4, rounds}};
    return dp::SpentEpsilon(events, 1e-5)->epsilon;
  };
  REQUIRE(epsilon(both + 1) <= 8);
  REQUIRE(epsilon(both + 2) > 8);
}

}  // namespace tutti::client
