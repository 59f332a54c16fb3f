// An upload as it arrives: in order and whole, or not at all. No network: gRPC's side is played.
#include "server/rpc/upload.h"

#include <utility>

#include "common/secagg/chunks.h"
#include "common/wire/conversation.h"
#include "tests/catch.h"
#include "tests/unit/server/fake_upload_call.h"
#include "tests/unit/server/fixed_clock.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::rpc {
namespace {

constexpr Milliseconds kStall{5000};

// The core: takes whoever comes.
class OpenPort final : public CoordinatorPort {
 public:
  Status Attach(Attachment) override { return OkStatus(); }
  Status Ask(const ClientId&, protocol::Request, ReplyFunction) override { return OkStatus(); }
  StatusOr<round::CallId> OpenUpload(const ClientId&, const protocol::UploadHeader&,
                                     std::shared_ptr<IncomingUpload> opened) override {
    upload = std::move(opened);
    return round::CallId{1};
  }
  void Detached(const ClientId&, const NoticeSink*) override {}
  void UploadReceived(round::CallId) override { ++received; }
  void UploadEnded(round::CallId, const Status& broken) override {
    if (!std::exchange(ended, true)) broken_rule = broken;  // only the first counts
    if (received == 0) upload.reset();
  }
  Milliseconds RetryWindow() const override { return Milliseconds(1000); }

  std::shared_ptr<IncomingUpload> upload;
  int received = 0;
  bool ended = false;
  Status broken_rule;
};

struct Fixture {
  Fixture() : vector(2 * secagg::kChunkBytes + 1000) {
    for (std::size_t i = 0; i < vector.size(); ++i) {
      vector[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    }
    header.header = secagg::UnsignedHeader(vector);
    partial.BeginSession(header.session);
  }
  // A call that sent its header, which the core accepted.
  void Begin() {
    call.Bind(Upload::Start(context, watch, ClientId("a"), call.context(), call.response()));
    v1::UploadChunk chunk;
    wire::ToProto(header, &chunk);
    call.Deliver(chunk.SerializeAsString());
    REQUIRE(port.upload != nullptr);
    port.upload->Accept({.values = vector.size(), .extra_lanes = 0, .bits = 8});
    REQUIRE(call.reading());
  }
  void Send(std::size_t first, std::size_t count, std::uint64_t offset) {
    v1::UploadChunk chunk;
    chunk.set_offset(offset);
    chunk.set_data(ToString(BytesView(vector).subspan(first, count)));
    call.Deliver(chunk.SerializeAsString());
  }
  void RequireRefused(std::string_view text) {
    REQUIRE(call.status().has_value());
    INFO(call.status()->error_message());
    REQUIRE_FALSE(call.status()->ok());
    REQUIRE(call.status()->error_message().find(text) != std::string::npos);
    REQUIRE(port.received == 0);
    REQUIRE(port.ended);
    REQUIRE(pool.in_memory() == 0);
  }

  test::FixedClock clock;
  test::TemporaryDirectory folder;
  SpoolPool pool{1, folder.path(), clock};
  PartialUploads partial;
  http::Metrics metrics;
  OpenPort port;
  UploadWatch watch{pool};
  UploadContext context{.port = port,
                        .pool = pool,
                        .partial = partial,
                        .metrics = metrics,
                        .clock = clock,
                        .stall = kStall};
  Bytes vector;
  protocol::UploadHeader header;
  test::FakeUploadCall call;
};

constexpr std::size_t kPiece = 100'000;

}  // namespace

TEST_CASE("a vector that came in order and whole is handed over once", "[upload]") {
  Fixture f;
  f.Begin();
  for (std::size_t at = 0; at < f.vector.size(); at += kPiece) {
    REQUIRE(f.port.received == 0);
    f.Send(at, std::min(kPiece, f.vector.size() - at), at);
  }
  REQUIRE(f.port.received == 1);
  Bytes seen;
  const auto visitor = [&seen](BytesView part, std::uint64_t) {
    seen.insert(seen.end(), part.begin(), part.end());
    return OkStatus();
  };
  REQUIRE(f.port.upload->Visit(23, visitor).ok());
  REQUIRE(seen == f.vector);
  REQUIRE_FALSE(f.port.upload->Visit(23, visitor).ok());
  f.port.upload->Answer(OkStatus(), Milliseconds(0));
  f.call.Settle();
  REQUIRE(f.call.status()->ok());
  REQUIRE(f.pool.in_memory() == 0);
}

TEST_CASE("a chunk that is doubled, missing or before its turn ends the upload", "[upload]") {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{kPiece + 1},
                                     std::uint64_t{2 * kPiece}, ~std::uint64_t{0}}) {
    Fixture f;
    f.Begin();
    f.Send(0, kPiece, 0);
    f.Send(kPiece, kPiece, offset);
    f.RequireRefused("expected 100000; chunks come in order");
    REQUIRE_FALSE(f.port.broken_rule.ok());
  }
}

TEST_CASE("a byte beyond the announced size ends the upload", "[upload]") {
  Fixture f;
  f.Begin();
  f.Send(0, f.vector.size() - 1, 0);
  v1::UploadChunk chunk;
  chunk.set_offset(f.vector.size() - 1);
  chunk.set_data("12");
  f.call.Deliver(chunk.SerializeAsString());
  f.RequireRefused("more than the 525288 bytes its header announced");
  REQUIRE(f.port.broken_rule.code() == StatusCode::kInvalidArgument);
}

TEST_CASE("a chunk without its digest ends the upload as soon as it is whole", "[upload]") {
  Fixture f;
  f.vector[secagg::kChunkBytes + 5] ^= 1;
  f.Begin();
  f.Send(0, secagg::kChunkBytes, 0);
  f.Send(secagg::kChunkBytes, secagg::kChunkBytes - 1, secagg::kChunkBytes);
  REQUIRE(f.call.reading());
  f.Send(2 * secagg::kChunkBytes - 1, 1, 2 * secagg::kChunkBytes - 1);
  f.RequireRefused("chunk 1 of the uploaded vector does not have the SHA-256");
  REQUIRE_FALSE(f.port.broken_rule.ok());
}

TEST_CASE("an upload that sends nothing is ended, and one that drips is not", "[upload]") {
  Fixture f;
  f.Begin();
  for (std::size_t at = 0; at < 20; ++at) {
    f.clock.now += kStall;
    f.watch.Look(f.clock.now);
    f.call.Settle();
    REQUIRE(f.call.open());
    f.Send(at, 1, at);
  }
  f.clock.now += kStall + Milliseconds(1);
  f.watch.Look(f.clock.now);
  f.call.Settle();
  f.RequireRefused("no chunk came for 5000 ms");
  REQUIRE(f.port.broken_rule.ok());
}

TEST_CASE("a chunk without data does not keep an upload alive", "[upload]") {
  Fixture f;
  f.Begin();
  f.Send(0, 0, 0);
  f.RequireRefused("has no data");
  REQUIRE_FALSE(f.port.broken_rule.ok());
}

TEST_CASE("a call that never sends a header is ended", "[upload]") {
  Fixture f;
  f.call.Bind(
      Upload::Start(f.context, f.watch, ClientId("a"), f.call.context(), f.call.response()));
  f.clock.now += kStall + Milliseconds(1);
  f.watch.Look(f.clock.now);
  f.call.Settle();
  REQUIRE(f.call.status()->error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  REQUIRE_FALSE(f.port.ended);  // the core never heard of it
}

TEST_CASE("a half-closed or broken call keeps whole chunks only", "[upload]") {
  for (const bool broken : {false, true}) {
    Fixture f;
    f.Begin();
    f.Send(0, secagg::kChunkBytes + kPiece, 0);
    if (broken) {
      f.call.Cancel();
    } else {
      f.call.EndOfStream();
    }
    f.RequireRefused(broken ? "broken off" : "the upload ended after 362144 of 525288 bytes");
    REQUIRE(f.partial.size() == 1);
    REQUIRE(f.partial.Take(ClientId("a"), f.header)->received() == secagg::kChunkBytes);
    REQUIRE(f.pool.in_files() == 0);
  }
}

}  // namespace tutti::rpc
