#include "server/ledger_watch.h"

#include "tests/catch.h"

namespace tutti::server {
namespace {

protocol::LedgerHead Head(std::uint64_t entries, std::uint8_t chain = 1) {
  protocol::LedgerHead head{entries, {}};
  if (entries > 0) {
    head.hash.fill(static_cast<std::uint8_t>(16 * chain + entries));
  }
  return head;
}

}  // namespace

TEST_CASE("a ledger that stays or grows is in no doubt", "[ledger-watch]") {
  LedgerWatch watch;
  for (const std::uint64_t entries : {0U, 0U, 1U, 1U, 2U, 7U, 7U}) {
    REQUIRE_FALSE(watch.Saw("a", Head(entries), LedgerReport::kFresh).has_value());
  }
  REQUIRE(watch.Newest("a") == Head(7));
}

TEST_CASE("a ledger with fewer records than before went back", "[ledger-watch]") {
  LedgerWatch watch;
  watch.Saw("a", Head(12), LedgerReport::kFresh);
  const auto doubt = watch.Saw("a", Head(5), LedgerReport::kFresh);
  REQUIRE(doubt->text == "went back from 12 to 5 records");
  REQUIRE(doubt->first);
  // It goes on from there, and a second time is no news for the log.
  REQUIRE_FALSE(watch.Saw("a", Head(6), LedgerReport::kFresh).has_value());
  const auto emptied = watch.Saw("a", Head(0), LedgerReport::kFresh);
  REQUIRE(emptied->text == "went back from 6 to 0 records");
  REQUIRE_FALSE(emptied->first);
}

TEST_CASE("a ledger of the same length that ends in another record forked", "[ledger-watch]") {
  LedgerWatch watch;
  watch.Saw("a", Head(3, 1), LedgerReport::kFresh);
  const auto doubt = watch.Saw("a", Head(3, 2), LedgerReport::kRepeated);
  REQUIRE(doubt->text == "forked: its 3 records end in another one than before");
  REQUIRE(watch.Newest("a") == Head(3, 2));
}

TEST_CASE("an older report that comes again says nothing", "[ledger-watch]") {
  LedgerWatch watch;
  watch.Saw("a", Head(3), LedgerReport::kRepeated);
  REQUIRE_FALSE(watch.Saw("a", Head(2), LedgerReport::kRepeated).has_value());
  REQUIRE(watch.Newest("a") == Head(3));
}

TEST_CASE("every client has its own ledger, and a restart forgets none", "[ledger-watch]") {
  store::ClientRecord known, gone, silent;
  known.name = "a";
  known.ledger = Head(9);
  gone.name = "b";
  gone.ledger = Head(9);
  gone.revoked = true;
  silent.name = "c";
  const std::vector<store::ClientRecord> clients{known, gone, silent};
  LedgerWatch watch;
  watch.Load(clients);
  REQUIRE_FALSE(watch.Saw("b", Head(1), LedgerReport::kFresh).has_value());
  REQUIRE_FALSE(watch.Saw("c", Head(1), LedgerReport::kFresh).has_value());
  REQUIRE(watch.Saw("a", Head(8), LedgerReport::kFresh).has_value());
  watch.Forget("a");
  REQUIRE_FALSE(watch.Saw("a", Head(1), LedgerReport::kFresh).has_value());
}

}  // namespace tutti::server
