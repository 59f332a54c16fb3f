// What Open makes of every state that a crash, a full disk or somebody's hand can leave behind.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <vector>

#include "client/store/ledger.h"
#include "client/store/marker.h"
#include "common/base/rng.h"
#include "tests/catch.h"
#include "tests/unit/client_store/scratch.h"

namespace tutti::client_store {
namespace {

using testing::ChargeOf;
using testing::Scratch;
using testing::Slurp;
using testing::Spill;

const dp::SubsampledGaussian kEvent{0.01, 1.1, 20};

// The files after each of `count` appends: before[i] has i records.
struct History {
  std::vector<Bytes> ledger;
  std::vector<Bytes> marker;
};

History HistoryOf(const Scratch& scratch, std::uint64_t count) {
  History history;
  StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
  REQUIRE(ledger.ok());
  for (std::uint64_t round = 1;; ++round) {
    history.ledger.push_back(Slurp(scratch / "ledger.bin"));
    history.marker.push_back(Slurp(scratch / "ledger.mark"));
    if (round > count) return history;
    REQUIRE(ledger->Append(ChargeOf(round, kEvent)).ok());
  }
}

void Put(const Scratch& scratch, const Bytes& ledger, const Bytes& marker) {
  Spill(scratch / "ledger.bin", ledger);
  Spill(scratch / "ledger.mark", marker);
}

void RequireTampered(const Scratch& scratch) {
  const Status status = Ledger::Open({scratch.path()}).status();
  INFO(TextOf(status));
  REQUIRE(status.code() == StatusCode::kDataLoss);
  REQUIRE(TextOf(status).find("LEDGER_TAMPERED: ") == 0);
  REQUIRE(TextOf(status).find("--accept-ledger-reset") != std::string::npos);
}

TEST_CASE("a crash at any byte of an append leaves the records before it", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  const std::size_t before = history.ledger[2].size();
  for (std::size_t cut = before; cut <= history.ledger[3].size(); ++cut) {
    Bytes torn = history.ledger[3];
    torn.resize(cut);
    Put(scratch, torn, history.marker[2]);
    StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
    INFO("cut " << cut << ": " << TextOf(ledger.status()));
    REQUIRE(ledger.ok());
    const bool whole = cut == history.ledger[3].size();
    REQUIRE(ledger->Entries().size() == (whole ? 3 : 2));
    REQUIRE(ledger->warnings().size() == (cut == before ? 0 : 1));
    REQUIRE(ledger->Append(ChargeOf(9, kEvent)).ok());
    const std::uint64_t entries = ledger->Entries().size();
    { const Ledger closed = *std::move(ledger); }
    const StatusOr<Ledger> again = Ledger::Open({scratch.path()});
    REQUIRE(again.ok());
    REQUIRE(again->warnings().empty());
    REQUIRE(again->Entries().size() == entries);
  }
}

TEST_CASE("a last record that only partly reached the disk is a crash's", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 2);
  Bytes holes = history.ledger[2];
  std::fill(holes.end() - 40, holes.end(), std::uint8_t{0});
  Put(scratch, holes, history.marker[1]);
  const StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
  REQUIRE(ledger.ok());
  REQUIRE(ledger->Entries().size() == 1);
  REQUIRE(ledger->warnings().size() == 1);
}

TEST_CASE("a confirmed record may not vanish, whatever a crash could explain", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  for (std::size_t cut = history.ledger[1].size(); cut < history.ledger[3].size(); ++cut) {
    Bytes torn = history.ledger[3];
    torn.resize(cut);
    Put(scratch, torn, history.marker[3]);
    RequireTampered(scratch);
  }
}

TEST_CASE("an edit of any byte of any confirmed record is found", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  for (std::size_t at = 0; at < history.ledger[3].size(); ++at) {
    Bytes edited = history.ledger[3];
    edited[at] ^= 0x10;
    Put(scratch, edited, history.marker[3]);
    RequireTampered(scratch);
  }
}

TEST_CASE("an older copy of the ledger is found by the marker", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  for (std::size_t older = 0; older < 3; ++older) {
    Put(scratch, history.ledger[older], history.marker[3]);
    RequireTampered(scratch);
  }
}

TEST_CASE("a ledger rewritten with cheaper events is found by the marker", "[client_store]") {
  const Scratch honest;
  const History real = HistoryOf(honest, 2);
  const Scratch scratch;
  {
    StatusOr<Ledger> forged = Ledger::Open({scratch.path()});
    for (std::uint64_t round = 1; round <= 2; ++round) {
      REQUIRE(forged->Append(ChargeOf(round, {0.0001, 50, 1})).ok());
    }
  }
  Put(scratch, Slurp(scratch / "ledger.bin"), real.marker[2]);
  RequireTampered(scratch);
}

TEST_CASE("a marker behind the ledger is brought up to it", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  Put(scratch, history.ledger[3], history.marker[2]);
  const StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
  REQUIRE(ledger.ok());
  REQUIRE(ledger->Entries().size() == 3);
  REQUIRE(ledger->warnings().size() == 1);
  REQUIRE(Slurp(scratch / "ledger.mark") == history.marker[3]);
}

TEST_CASE("a marker that is gone or damaged is not made up for", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 2);
  std::filesystem::remove(scratch / "ledger.mark");
  RequireTampered(scratch);
  for (std::size_t at = 0; at < kMarkerBytes; ++at) {
    Bytes edited = history.marker[2];
    edited[at] ^= 0x01;
    Put(scratch, history.ledger[2], edited);
    RequireTampered(scratch);
  }
  Put(scratch, history.ledger[2], {});
  RequireTampered(scratch);
}

TEST_CASE("a missing ledger is refused once there were entries or answers", "[client_store]") {
  const Scratch scratch;
  HistoryOf(scratch, 1);
  std::filesystem::remove(scratch / "ledger.bin");
  Status status = Ledger::Open({scratch.path()}).status();
  REQUIRE(status.code() == StatusCode::kFailedPrecondition);
  REQUIRE(TextOf(status).find("LEDGER_MISSING: ") == 0);
  std::filesystem::remove(scratch / "ledger.mark");
  Spill(scratch / "journal.bin", Bytes(8, 1));
  status = Ledger::Open({scratch.path()}).status();
  REQUIRE(TextOf(status).find("LEDGER_MISSING: ") == 0);
  std::filesystem::remove(scratch / "journal.bin");
  REQUIRE(Ledger::Open({scratch.path()}).ok());
}

TEST_CASE("a crash while a new ledger is made is no loss", "[client_store]") {
  const Scratch scratch;
  Spill(scratch / "ledger.mark", EncodeMarker({}));
  REQUIRE(Ledger::Open({scratch.path()}).ok());
  const Scratch empty_file;
  Spill(empty_file / "ledger.bin", {});
  REQUIRE(Ledger::Open({empty_file.path()}).ok());
}

TEST_CASE("an accepted reset keeps the intact records and the file as it was", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  Bytes edited = history.ledger[3];
  edited[history.ledger[2].size() + 20] ^= 1;
  Put(scratch, edited, history.marker[3]);
  {
    StatusOr<Ledger> ledger = Ledger::Open({scratch.path(), true});
    REQUIRE(ledger.ok());
    REQUIRE(ledger->Entries().size() == 2);
    REQUIRE(ledger->warnings().size() == 1);
    REQUIRE(ledger->warnings()[0].find("LEDGER_TAMPERED") != std::string::npos);
    REQUIRE(Slurp(scratch / "ledger.rejected-1.bin") == edited);
    REQUIRE(ledger->Append(ChargeOf(4, kEvent)).ok());
  }
  REQUIRE(Ledger::Open({scratch.path()})->Entries().size() == 3);
  std::filesystem::remove(scratch / "ledger.bin");
  REQUIRE(Ledger::Open({scratch.path(), true})->Entries().empty());
  // With nothing to reset the word changes nothing.
  REQUIRE(Ledger::Open({scratch.path(), true})->warnings().empty());
}

// Files of this process end at `bytes` while it lives, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_CASE("a write that fails anywhere in a record spends nothing and says so", "[client_store]") {
  const Scratch scratch;
  const History history = HistoryOf(scratch, 3);
  for (std::size_t room = 0; room < history.ledger[3].size() - history.ledger[2].size(); ++room) {
    Put(scratch, history.ledger[2], history.marker[2]);
    {
      StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
      REQUIRE(ledger.ok());
      {
        const FileSizeLimit full(history.ledger[2].size() + room);
        REQUIRE(!ledger->Append(ChargeOf(3, kEvent)).ok());
      }
      REQUIRE(ledger->Entries().size() == 2);
      // There is room again, but what the disk holds is not known until it is read again.
      const Status unusable = ledger->Append(ChargeOf(3, kEvent)).status();
      REQUIRE(unusable.code() == StatusCode::kFailedPrecondition);
      REQUIRE(TextOf(unusable).find("LEDGER_UNUSABLE: ") == 0);
    }
    StatusOr<Ledger> again = Ledger::Open({scratch.path()});
    REQUIRE(again.ok());
    REQUIRE(again->Entries().size() == 2);
    REQUIRE(again->Append(ChargeOf(3, kEvent)).ok());
  }
}

TEST_CASE("a record whose marker could not be written counts as spent", "[client_store]") {
  const Scratch scratch;
  {
    StatusOr<Ledger> ledger = Ledger::Open({scratch.path()});
    REQUIRE(ledger->Append(ChargeOf(1, kEvent)).ok());
    // A folder where the marker's temporary file would be.
    std::filesystem::create_directory(scratch / "ledger.mark.tmp");
    REQUIRE(!ledger->Append(ChargeOf(2, kEvent)).ok());
    REQUIRE(ledger->Append(ChargeOf(3, kEvent)).status().code() == StatusCode::kFailedPrecondition);
  }
  std::filesystem::remove(scratch / "ledger.mark.tmp");
  const StatusOr<Ledger> again = Ledger::Open({scratch.path()});
  REQUIRE(again.ok());
  REQUIRE(again->Entries().size() == 2);
}

TEST_CASE("arbitrary markers are refused or exact", "[client_store]") {
  TestRng rng(7);
  for (int world = 0; world < 500; ++world) {
    Bytes bytes(rng.Below(2) == 0 ? kMarkerBytes : rng.Below(200));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.Below(256));
    REQUIRE(DecodeMarker(bytes).status().code() == StatusCode::kDataLoss);
  }
  const Marker marker{77, Digest{1, 2, 3}};
  REQUIRE(*DecodeMarker(EncodeMarker(marker)) == marker);
}

}  // namespace
}  // namespace tutti::client_store
