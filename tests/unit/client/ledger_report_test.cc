#include "client/ledger_report.h"

#include <cmath>

#include "common/dp/accountant.h"
#include "common/ledger/ledger.h"
#include "tests/catch.h"

namespace tutti::client {
namespace {

v1::LedgerEntry Entry(const std::string& data, std::uint64_t steps, double noise) {
  v1::LedgerEntry entry;
  entry.set_data_identity(data);
  *entry.mutable_event() = ledger::ToMechanismEvent({0.1, noise, steps});
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
}

TEST_CASE("a release whose mechanism is not understood counts as unbounded", "[client]") {
  v1::LedgerEntry entry = Entry("a", 10, 1.0);
  entry.mutable_event()->set_mechanism("from the future");
  REQUIRE(std::isinf(TotalsOf({&entry, 1}, std::nullopt)->front().epsilon));
}

}  // namespace tutti::client
