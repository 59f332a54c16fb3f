#include "server/rpc/spool.h"

#include "tests/catch.h"
#include "tests/unit/server/fixed_clock.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::rpc {
namespace {

Bytes Vector(std::size_t lanes) {
  Bytes bytes(lanes * 4);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  }
  return bytes;
}

constexpr std::size_t kUnit = 23;

Bytes Visited(const Spool& spool) {
  Bytes seen;
  REQUIRE(spool
              .Visit(kUnit,
                     [&](BytesView part, std::uint64_t first) {
                       REQUIRE(first == seen.size());
                       REQUIRE(first % kUnit == 0);
                       seen.insert(seen.end(), part.begin(), part.end());
                       REQUIRE((part.size() % kUnit == 0 || seen.size() == spool.received()));
                       REQUIRE(part.size() >= std::min<std::size_t>(Spool::kTail, seen.size()));
                       return OkStatus();
                     })
              .ok());
  return seen;
}

struct Taken {
  std::unique_ptr<Spool> spool;
  SpoolPool::Taker Taker() {
    return [this](StatusOr<std::unique_ptr<Spool>> got) {
      REQUIRE(got.ok());
      spool = *std::move(got);
    };
  }
};

}  // namespace

TEST_CASE("a vector comes out of memory and out of a file as it went in", "[spool]") {
  const test::TemporaryDirectory folder;
  const test::FixedClock clock;
  const Bytes bytes = Vector(200'000);  // more than one part when read from a file
  for (const std::size_t slots : {0U, 1U}) {
    SpoolPool pool(slots, folder.path(), clock);
    Taken taken;
    pool.Request(bytes.size(), taken.Taker());
    REQUIRE(pool.in_memory() == slots);
    REQUIRE(pool.in_files() == 1 - slots);
    REQUIRE(taken.spool->Append(BytesView(bytes).first(1001)).ok());
    REQUIRE(taken.spool->Append(BytesView(bytes).subspan(1001)).ok());
    REQUIRE(taken.spool->Append(Bytes(1)).code() == StatusCode::kInvalidArgument);
    REQUIRE(Visited(*taken.spool) == bytes);
    taken.spool.reset();
    REQUIRE(pool.in_memory() + pool.in_files() == 0);
  }
}

TEST_CASE("an upload waits for a slot while slots change hands, and for no slow holder",
          "[spool]") {
  const test::TemporaryDirectory folder;
  test::FixedClock clock;
  SpoolPool pool(1, folder.path(), clock, Milliseconds(250));
  Taken first, second, third;
  pool.Request(8, first.Taker());
  pool.Request(8, second.Taker());
  pool.Request(8, third.Taker());
  REQUIRE(first.spool != nullptr);
  REQUIRE(second.spool == nullptr);
  clock.now += Milliseconds(200);
  REQUIRE(pool.Expire());
  first.spool.reset();  // its slot goes to the second
  REQUIRE(second.spool != nullptr);
  REQUIRE(pool.in_memory() == 1);
  clock.now += Milliseconds(200);
  REQUIRE(pool.Expire());  // 200 ms since the slot changed hands
  REQUIRE(third.spool == nullptr);
  clock.now += Milliseconds(100);
  REQUIRE(!pool.Expire());
  REQUIRE(third.spool != nullptr);
  REQUIRE(pool.in_files() == 1);
}

TEST_CASE("a shelved vector frees its slot and goes on in a file", "[spool]") {
  const test::TemporaryDirectory folder;
  const test::FixedClock clock;
  const Bytes bytes = Vector(200'000);
  for (const std::size_t slots : {0U, 1U}) {
    SpoolPool pool(slots, folder.path(), clock);
    Taken taken;
    pool.Request(bytes.size(), taken.Taker());
    REQUIRE(taken.spool->Append(BytesView(bytes).first(300'000)).ok());
    REQUIRE(taken.spool->Shelve(262'144).ok());
    REQUIRE(taken.spool->received() == 262'144);
    REQUIRE(pool.in_memory() == 0);
    REQUIRE(pool.in_files() == 1);
    REQUIRE(taken.spool->Append(BytesView(bytes).subspan(262'144)).ok());
    REQUIRE(Visited(*taken.spool) == bytes);
    taken.spool.reset();
    REQUIRE(pool.in_files() == 0);
  }
}

TEST_CASE("a vector that cannot be shelved is an error and gives its slot back", "[spool]") {
  const test::TemporaryDirectory folder;
  const test::FixedClock clock;
  SpoolPool pool(1, folder / "gone", clock);
  Taken taken;
  pool.Request(100, taken.Taker());
  REQUIRE_FALSE(taken.spool->Shelve(0).ok());
  taken.spool.reset();
  REQUIRE(pool.in_memory() == 0);
  REQUIRE(pool.in_files() == 0);
}

TEST_CASE("a spool directory that is gone is an error, not a crash", "[spool]") {
  const test::FixedClock clock;
  SpoolPool pool(0, "/nonexistent/spool", clock);
  Status status;
  pool.Request(8, [&](StatusOr<std::unique_ptr<Spool>> got) { status = got.status(); });
  REQUIRE(status.code() == StatusCode::kNotFound);
}

}  // namespace tutti::rpc
