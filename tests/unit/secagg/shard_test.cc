#include "common/secagg/shard.h"

#include "common/secagg/chunks.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

constexpr RingLayout kLayouts[] = {{.values = 16, .extra_lanes = 1, .bits = 9},
                                   {.values = 100'003, .extra_lanes = 3, .bits = 23},
                                   {.values = 99'999, .extra_lanes = 0, .bits = 16},
                                   {.values = 130'001, .extra_lanes = 2, .bits = 41}};
// Three chunks, of which two shards share the second.
constexpr RingLayout kSmall{.values = 200'000, .extra_lanes = 2, .bits = 23};
const ClientId kClient("a");

Bytes RandomWire(const RingLayout& layout, std::uint64_t seed) {
  RingVector vector(layout);
  TestRng draw(seed);
  FillVector(vector, [&draw] { return draw.Next(); });
  return ToWire(vector);
}

BytesView ChunkOf(const Bytes& wire, std::uint64_t index) {
  const BytesView rest = BytesView(wire).subspan(index * kChunkBytes);
  return rest.first(std::min(kChunkBytes, rest.size()));
}

struct Fixture {
  std::vector<ShardRange> ranges = *ShardRanges(kSmall, 2);
  Shard shard{kSmall, ranges[1], 2};
  Bytes wire = RandomWire(kSmall, 3);
  MaskedHeader header = UnsignedHeader(wire);
  Bytes kept;

  Status Receive(std::uint64_t index) {
    const auto part = shard.Receive(kClient, index, ChunkOf(wire, index));
    if (part.ok()) kept.insert(kept.end(), part->bytes.begin(), part->bytes.end());
    return part.status();
  }
  void ReceiveAll() {
    REQUIRE(shard.Announce(kClient, header).ok());
    for (std::uint64_t i = ranges[1].first_chunk; i <= ranges[1].last_chunk; ++i) {
      REQUIRE(Receive(i).ok());
    }
  }
  Status Include() {
    return shard.Include(kClient,
                         [&](const Shard::Sink& sink) { return sink(kept, ranges[1].first_byte); });
  }
};

}  // namespace

TEST_CASE("shards' ranges cover every position, byte and chunk of a vector once", "[shard]") {
  for (const RingLayout& layout : kLayouts) {
    for (const std::uint32_t shards : {1U, 2U}) {
      const auto ranges = ShardRanges(layout, shards);
      REQUIRE(ranges.ok());
      REQUIRE(ranges->size() == shards);
      std::uint64_t position = 0, byte = 0, chunk = 0;
      for (const ShardRange& range : *ranges) {
        REQUIRE(range.first == position);
        REQUIRE(range.first_byte == byte);
        REQUIRE(range.first_chunk <= chunk);  // a chunk on the border goes to both
        REQUIRE(range.first_chunk == byte / kChunkBytes);
        REQUIRE(range.count > 0);
        position += range.count;
        byte += range.bytes;
        chunk = range.last_chunk + 1;
        REQUIRE(range.last_chunk == (byte - 1) / kChunkBytes);
      }
      REQUIRE(position == layout.positions());
      REQUIRE(byte == layout.wire_bytes());
      REQUIRE(chunk == ChunkCount(layout.wire_bytes()));
    }
  }
  REQUIRE_FALSE(ShardRanges(kLayouts[0], 0).ok());
  REQUIRE_FALSE(ShardRanges(kLayouts[0], 3).ok());
  REQUIRE(ShardRanges(kSmall, 1000)->size() == 1000);
}

TEST_CASE("a shard takes its own chunks in order, each with its digest", "[shard]") {
  Fixture fixture;
  REQUIRE(fixture.Receive(1).code() == StatusCode::kNotFound);
  REQUIRE(fixture.shard.Announce(kClient, fixture.header).ok());
  REQUIRE(fixture.Receive(0).code() == StatusCode::kOutOfRange);  // of the other shard alone
  REQUIRE(fixture.Receive(2).code() == StatusCode::kOutOfRange);
  Bytes wrong(ChunkOf(fixture.wire, 1).begin(), ChunkOf(fixture.wire, 1).end());
  REQUIRE(fixture.shard.Receive(kClient, 1, BytesView(wrong).first(100)).status().code() ==
          StatusCode::kInvalidArgument);
  wrong[7] ^= 1;
  REQUIRE(fixture.shard.Receive(kClient, 1, wrong).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(fixture.Receive(1).ok());
  REQUIRE(fixture.Receive(1).code() == StatusCode::kOutOfRange);
  REQUIRE_FALSE(fixture.shard.IsComplete(kClient));
  REQUIRE(fixture.Include().code() == StatusCode::kFailedPrecondition);
  REQUIRE(fixture.Receive(2).ok());
  REQUIRE(fixture.shard.IsComplete(kClient));
  REQUIRE(fixture.shard.Receive(kClient, 3, Bytes(1)).status().code() == StatusCode::kOutOfRange);
  REQUIRE(fixture.kept.size() == fixture.ranges[1].bytes);
}

TEST_CASE("a shard is told of one vector a client and of no more clients than the cohort has",
          "[shard]") {
  Fixture fixture;
  MaskedHeader other = UnsignedHeader(RandomWire(kSmall, 4));
  REQUIRE(fixture.shard.Announce(kClient, fixture.header).ok());
  REQUIRE(fixture.shard.Announce(kClient, fixture.header).ok());
  REQUIRE(fixture.shard.Announce(kClient, other).code() == StatusCode::kAlreadyExists);
  other.chunks[0][0] ^= 1;
  REQUIRE(fixture.shard.Announce(ClientId("b"), other).code() == StatusCode::kInvalidArgument);
  REQUIRE(fixture.shard.Announce(ClientId("b"), UnsignedHeader(Bytes(10))).code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(fixture.shard.Announce(ClientId("b"), fixture.header).ok());
  REQUIRE(fixture.shard.Announce(ClientId("c"), fixture.header).code() ==
          StatusCode::kResourceExhausted);
  REQUIRE(fixture.shard.Drop(ClientId("b")).ok());
  REQUIRE(fixture.shard.Announce(ClientId("c"), fixture.header).ok());
}

TEST_CASE("a shard opens once, for exactly the clients in its sum", "[shard]") {
  Fixture fixture;
  fixture.ReceiveAll();
  REQUIRE(fixture.Include().ok());
  REQUIRE(fixture.Include().code() == StatusCode::kFailedPrecondition);
  REQUIRE(fixture.shard.Drop(kClient).code() == StatusCode::kFailedPrecondition);
  REQUIRE(fixture.shard.Open({}, {}).status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(fixture.shard.Open({kClient, ClientId("b")}, {}).status().code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE(fixture.shard.Open({ClientId("b")}, {}).status().code() ==
          StatusCode::kFailedPrecondition);
  const auto opened = fixture.shard.Open({kClient}, {});
  REQUIRE(opened.ok());
  REQUIRE(ToWire(*opened) == fixture.kept);
  REQUIRE(fixture.shard.Open({kClient}, {}).status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(fixture.shard.Announce(ClientId("b"), fixture.header).code() ==
          StatusCode::kFailedPrecondition);
}

TEST_CASE("a shard whose vector was added in part opens nothing", "[shard]") {
  for (const int fault : {0, 1, 2}) {
    Fixture fixture;
    fixture.ReceiveAll();
    const Status status = fixture.shard.Include(kClient, [&](const Shard::Sink& sink) -> Status {
      const std::uint64_t first = fixture.ranges[1].first_byte;
      const BytesView half = BytesView(fixture.kept).first(1000 * kSmall.bits);
      TUTTI_TRY(sink(half, first));
      return fault == 0   ? OkStatus()         // the rest is missing
             : fault == 1 ? sink(half, first)  // the same part again
                          : ResourceExhausted("the disk is broken");
    });
    REQUIRE_FALSE(status.ok());
    REQUIRE(fixture.shard.Open({kClient}, {}).status().code() == StatusCode::kFailedPrecondition);
    REQUIRE(fixture.shard.Open({}, {}).status().code() == StatusCode::kFailedPrecondition);
    REQUIRE(fixture.Include().code() == StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("parts of a sum join to the whole, and only in order and without gaps", "[shard]") {
  for (const RingLayout& layout : kLayouts) {
    const Bytes wire = RandomWire(layout, 9);
    std::vector<RingVector> parts;
    const auto ranges = ShardRanges(layout, 2);
    for (const ShardRange& range : *ranges) {
      RingVector& part = parts.emplace_back(layout, range.first, range.count);
      REQUIRE(part.AddWire(BytesView(wire).subspan(range.first_byte, range.bytes), range.first_byte)
                  .ok());
    }
    const auto whole = JoinRanges(parts);
    REQUIRE(whole.ok());
    REQUIRE(ToWire(*whole) == wire);
    REQUIRE_FALSE(JoinRanges(std::span(parts).first(1)).ok());
    REQUIRE_FALSE(JoinRanges(std::span(parts).subspan(1)).ok());
    std::swap(parts[0], parts[1]);
    REQUIRE_FALSE(JoinRanges(parts).ok());
    parts = {parts[1], RingVector(kSmall, 0, 8)};
    REQUIRE_FALSE(JoinRanges(parts).ok());
  }
  REQUIRE_FALSE(JoinRanges({}).ok());
}

}  // namespace tutti::secagg
