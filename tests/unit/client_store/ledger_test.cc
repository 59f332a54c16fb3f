#include "client/store/ledger.h"

#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/client_store/scratch.h"

namespace tutti::client_store {
namespace {

using testing::ChargeOf;
using testing::Scratch;
using testing::Slurp;

const dp::SubsampledGaussian kEvent{0.01, 1.1, 20};

Ledger Opened(const std::string& directory) {
  StatusOr<Ledger> ledger = Ledger::Open({directory});
  INFO(TextOf(ledger.status()));
  REQUIRE(ledger.ok());
  return *std::move(ledger);
}

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777U;
}

TEST_CASE("a new ledger is empty and private to its owner", "[client_store]") {
  const Scratch scratch;
  const std::string directory = scratch / "state";
  const Ledger ledger = Opened(directory);
  REQUIRE(ledger.Entries().empty());
  REQUIRE(ledger.Head().empty());
  REQUIRE(ledger.warnings().empty());
  REQUIRE(ModeOf(directory) == 0700);
  REQUIRE(ModeOf(directory + "/ledger.bin") == 0600);
  REQUIRE(ModeOf(directory + "/ledger.mark") == 0600);
  REQUIRE(ModeOf(directory + "/ledger.lock") == 0600);
}

TEST_CASE("what was charged is there after a restart", "[client_store]") {
  const Scratch scratch;
  Bytes head;
  {
    Ledger ledger = Opened(scratch.path());
    for (std::uint64_t round = 1; round <= 5; ++round) {
      const StatusOr<Digest> hash = ledger.Append(ChargeOf(round, kEvent));
      REQUIRE(hash.ok());
      REQUIRE(ledger.Head() == ToBytes(*hash));
    }
    head = ledger.Head();
  }
  Ledger again = Opened(scratch.path());
  REQUIRE(again.warnings().empty());
  REQUIRE(again.Head() == head);
  REQUIRE(again.Entries().size() == 5);
  for (std::uint64_t i = 0; i < 5; ++i) REQUIRE(again.Entries()[i].sequence() == i);
  REQUIRE(again.Append(ChargeOf(6, kEvent)).ok());
  REQUIRE(again.Entries()[5].previous_hash() == ToString(head));
}

TEST_CASE("events are those of one data set, merged by mechanism", "[client_store]") {
  const Scratch scratch;
  Ledger ledger = Opened(scratch.path());
  REQUIRE(ledger.Append(ChargeOf(1, {0.01, 1.1, 20})).ok());
  REQUIRE(ledger.Append(ChargeOf(2, {0.01, 1.1, 22})).ok());
  REQUIRE(ledger.Append(ChargeOf(3, {0.02, 1.1, 5})).ok());
  REQUIRE(ledger.Append(ChargeOf(4, {0.5, 0.4, 1}, "contacts")).ok());
  v1::LedgerEntry none = ChargeOf(5, kEvent);
  none.mutable_event()->Clear();
  none.mutable_event()->set_mechanism("none");
  REQUIRE(ledger.Append(none).ok());
  const std::vector<dp::Event> expected = {dp::SubsampledGaussian{0.01, 1.1, 42},
                                           dp::SubsampledGaussian{0.02, 1.1, 5}};
  REQUIRE(ledger.Events("photos", "example").coordinator == expected);
  REQUIRE(ledger.Events("contacts", "example").coordinator.size() == 1);
  REQUIRE(ledger.Events("nothing", "example").coordinator.empty());
  REQUIRE(ledger.ReleasesWithoutPrivacy("photos") == 1);
  REQUIRE(ledger.ReleasesWithoutPrivacy("contacts") == 0);
  v1::LedgerEntry unknown = ChargeOf(6, kEvent);
  unknown.mutable_event()->set_mechanism("from a newer version");
  REQUIRE(ledger.Append(unknown).ok());
  REQUIRE(std::holds_alternative<dp::UnknownRelease>(
      ledger.Events("photos", "example").coordinator.back()));
}

TEST_CASE("step counts that overflow are kept apart, not wrapped", "[client_store]") {
  const Scratch scratch;
  Ledger ledger = Opened(scratch.path());
  REQUIRE(ledger.Append(ChargeOf(1, {0.01, 1.1, ~std::uint64_t{0}})).ok());
  REQUIRE(ledger.Append(ChargeOf(2, {0.01, 1.1, 7})).ok());
  REQUIRE(ledger.Events("photos", "example").coordinator.size() == 2);
}

TEST_CASE("rounds are counted over all data sets since a time", "[client_store]") {
  const Scratch scratch;
  Ledger ledger = Opened(scratch.path());
  for (std::uint64_t round = 1; round <= 4; ++round) {
    REQUIRE(ledger.Append(ChargeOf(round, kEvent, round % 2 == 0 ? "photos" : "contacts")).ok());
  }
  REQUIRE(ledger.RoundsSince(0) == 4);
  REQUIRE(ledger.RoundsSince(1700000000 + 3 * 60) == 2);
  REQUIRE(ledger.RoundsSince(1700000000 + 3 * 60 + 1) == 1);
  REQUIRE(ledger.RoundsSince(1800000000) == 0);
}

TEST_CASE("a session that was charged is known, also after a restart", "[client_store]") {
  const Scratch scratch;
  const Bytes session(32, 1);
  {
    Ledger ledger = Opened(scratch.path());
    REQUIRE(!ledger.HasSession(session));
    REQUIRE(ledger.Append(ChargeOf(1, kEvent)).ok());
    REQUIRE(ledger.HasSession(session));
  }
  REQUIRE(Opened(scratch.path()).HasSession(session));
  REQUIRE(!Opened(scratch.path()).HasSession(Bytes(32, 2)));
}

TEST_CASE("a second process is told which lock file is held", "[client_store]") {
  const Scratch scratch;
  {
    const Ledger ledger = Opened(scratch.path());
    const Status second = Ledger::Open({scratch.path()}).status();
    REQUIRE(second.code() == StatusCode::kFailedPrecondition);
    REQUIRE(TextOf(second).find("LEDGER_LOCKED: ") == 0);
    REQUIRE(TextOf(second).find(scratch / "ledger.lock") != std::string::npos);
    // Reading beside the daemon is allowed.
    REQUIRE(ReadLedger(scratch.path()).ok());
  }
  Opened(scratch.path());
}

TEST_CASE("an entry that does not fit a record changes nothing", "[client_store]") {
  const Scratch scratch;
  Ledger ledger = Opened(scratch.path());
  v1::LedgerEntry huge = ChargeOf(1, kEvent);
  huge.set_job(std::string(5000, 'x'));
  REQUIRE(ledger.Append(huge).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(Slurp(scratch / "ledger.bin").empty());
  REQUIRE(ledger.Append(ChargeOf(1, kEvent)).ok());
}

TEST_CASE("reading without the lock repairs nothing", "[client_store]") {
  const Scratch scratch;
  REQUIRE(ReadLedger(scratch.path()).status().code() == StatusCode::kNotFound);
  {
    Ledger ledger = Opened(scratch.path());
    REQUIRE(ledger.Append(ChargeOf(1, kEvent)).ok());
    REQUIRE(ledger.Append(ChargeOf(2, kEvent)).ok());
  }
  Bytes bytes = Slurp(scratch / "ledger.bin");
  bytes.pop_back();
  testing::Spill(scratch / "ledger.bin", bytes);
  REQUIRE(ReadLedger(scratch.path())->size() == 1);
  REQUIRE(Slurp(scratch / "ledger.bin") == bytes);
  bytes[10] ^= 1;
  testing::Spill(scratch / "ledger.bin", bytes);
  REQUIRE(ReadLedger(scratch.path()).status().code() == StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tutti::client_store
