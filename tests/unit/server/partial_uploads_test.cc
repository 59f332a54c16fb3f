#include "server/rpc/partial_uploads.h"

#include "tests/catch.h"
#include "tests/unit/server/fixed_clock.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::rpc {
namespace {

struct Fixture {
  test::TemporaryDirectory folder;
  test::FixedClock clock;
  SpoolPool pool{2, folder.path(), clock};
  PartialUploads partial;

  // A spool with `bytes` bytes in a file.
  std::unique_ptr<Spool> Broken(std::size_t bytes) {
    std::unique_ptr<Spool> spool;
    pool.Request(1000, [&](StatusOr<std::unique_ptr<Spool>> got) { spool = *std::move(got); });
    REQUIRE(spool->Append(Bytes(bytes, 7)).ok());
    REQUIRE(spool->Shelve(bytes).ok());
    return spool;
  }
};

protocol::UploadHeader Header(std::uint8_t session, std::uint8_t root) {
  protocol::UploadHeader header;
  header.session.fill(session);
  header.header.bytes = 1000;
  header.header.root.fill(root);
  return header;
}

}  // namespace

TEST_CASE("a broken upload is kept for its client and the same header, once", "[partial]") {
  Fixture fixture;
  fixture.partial.BeginSession(Header(1, 0).session);
  fixture.partial.Keep(ClientId("a"), Header(1, 5), fixture.Broken(300));
  REQUIRE(fixture.partial.Take(ClientId("b"), Header(1, 5)) == nullptr);
  const auto spool = fixture.partial.Take(ClientId("a"), Header(1, 5));
  REQUIRE(spool != nullptr);
  REQUIRE(spool->received() == 300);
  REQUIRE(fixture.partial.Take(ClientId("a"), Header(1, 5)) == nullptr);
}

TEST_CASE("what was kept of another vector is freed when its client sends this one", "[partial]") {
  Fixture fixture;
  fixture.partial.BeginSession(Header(1, 0).session);
  fixture.partial.Keep(ClientId("a"), Header(1, 5), fixture.Broken(300));
  REQUIRE(fixture.pool.in_files() == 1);
  REQUIRE(fixture.partial.Take(ClientId("a"), Header(1, 6)) == nullptr);
  REQUIRE(fixture.pool.in_files() == 0);
  REQUIRE(fixture.partial.Take(ClientId("a"), Header(1, 5)) == nullptr);
}

TEST_CASE("a client's broken uploads never take more than one place in a session", "[partial]") {
  Fixture fixture;
  fixture.partial.BeginSession(Header(1, 0).session);
  for (std::uint8_t root = 0; root < 10; ++root) {
    fixture.partial.Keep(ClientId("a"), Header(1, root), fixture.Broken(300));
  }
  REQUIRE(fixture.partial.size() == 1);
  REQUIRE(fixture.pool.in_files() == 1);
}

TEST_CASE("with its session a broken upload goes, and none is kept afterwards", "[partial]") {
  Fixture fixture;
  const auto late = Header(1, 5);
  fixture.partial.Keep(ClientId("a"), late, fixture.Broken(300));
  REQUIRE(fixture.partial.size() == 0);  // its session has not begun
  fixture.partial.BeginSession(late.session);
  fixture.partial.BeginSession(Header(2, 0).session);
  fixture.partial.Keep(ClientId("a"), late, fixture.Broken(300));
  fixture.partial.Keep(ClientId("a"), Header(2, 5), fixture.Broken(200));
  fixture.partial.EndSession(late.session);
  REQUIRE(fixture.partial.size() == 1);
  REQUIRE(fixture.pool.in_files() == 1);
  fixture.partial.Keep(ClientId("a"), late, fixture.Broken(300));
  REQUIRE(fixture.partial.Take(ClientId("a"), late) == nullptr);
  REQUIRE(fixture.partial.Take(ClientId("a"), Header(2, 5))->received() == 200);
  REQUIRE(fixture.pool.in_files() == 0);
}

}  // namespace tutti::rpc
