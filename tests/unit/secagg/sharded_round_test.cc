// Whole rounds whose sum two processes share; sessions and vectors are the real ones.
#include <algorithm>

#include "common/secagg/chunks.h"
#include "tests/catch.h"
#include "tests/unit/secagg/shard_process.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {
namespace {

// Two chunks or more, one of which both shards need.
constexpr std::uint64_t kValues = 250'001;
constexpr std::uint32_t kClients = 6;

class ShardedRound {
 public:
  ShardedRound(const RoundConfig& config, std::uint64_t seed) : world(config, kClients, seed) {
    const auto ranges = ShardRanges(config.layout(), 2);
    for (const ShardRange& range : *ranges) {
      shards.push_back(std::make_unique<ShardProcess>(config.layout(), range, kClients));
    }
  }

  void StartMasking() {
    world.JoinAll();
    REQUIRE(world.Server().CloseJoins().ok());
    world.ShareAll();
    REQUIRE(world.Server().CloseShares().ok());
  }

  // Sends the client's chunks to the shards that need them, `chunks` of them at most; in the sum if
  // all shards have all they need.
  Status Upload(std::uint32_t client, std::uint64_t chunks) {
    const ClientId name = world.Name(client);
    REQUIRE(world.Client(client).OnBoxes(*world.Server().BoxesFor(name)).ok());
    const Bytes wire = world.Masked(client);
    const MaskedHeader header = world.Header(client);
    TUTTI_TRY(world.Server().CheckHeader(name, header));
    std::size_t complete = 0;
    for (const auto& shard : shards) {
      TUTTI_TRY(shard->Announce(name, header));
      const std::uint64_t end = std::min(shard->range().last_chunk + 1, chunks);
      for (std::uint64_t i = shard->range().first_chunk; i < end; ++i) {
        const BytesView rest = BytesView(wire).subspan(i * kChunkBytes);
        TUTTI_ASSIGN(const bool done,
                     shard->Receive(name, i, rest.first(std::min(kChunkBytes, rest.size()))));
        complete += done ? 1 : 0;
      }
    }
    if (complete < shards.size()) {
      return DropEverywhere(name);
    }
    for (const auto& shard : shards) {
      TUTTI_TRY(shard->Include(name));
    }
    return world.Server().AddMasked(name, header);
  }

  Status DropEverywhere(const ClientId& name) {
    for (const auto& shard : shards) {
      TUTTI_TRY(shard->Drop(name));
    }
    return OkStatus();
  }

  std::vector<LeftoverMask> Masks() {
    REQUIRE(world.Server().CloseMasked().ok());
    if (world.config_.level == ThreatLevel::kMalicious) {
      world.CommitAll();
      REQUIRE(world.Server().CloseCommits().ok());
    }
    world.UnmaskAll();
    auto masks = world.Server().Rebuild();
    REQUIRE(TextOf(masks.status()) == "");
    return *masks;
  }

  StatusOr<Bytes> Open(std::span<const LeftoverMask> masks) {
    std::vector<RingVector> parts;
    for (const auto& shard : shards) {
      TUTTI_ASSIGN(RingVector part, shard->Open(world.Server().SurvivorSet(), masks));
      parts.push_back(std::move(part));
    }
    TUTTI_ASSIGN(const RingVector sum, JoinRanges(parts));
    return ToWire(sum);
  }

  World world;
  std::vector<std::unique_ptr<ShardProcess>> shards;
};

constexpr std::uint64_t kAll = 1000;

}  // namespace

TEST_CASE("two processes sum one vector's ranges exactly, with dropouts at every step", "[shard]") {
  for (const ThreatLevel level : {ThreatLevel::kCurious, ThreatLevel::kMalicious}) {
    for (const std::uint32_t value_bits : {8U, 16U, 30U}) {
      RoundConfig config = SmallConfig(level, kClients, kValues);
      config.value_bits = value_bits;
      config.min_cohort = kClients;
      config.dropout_fraction = 0.34;
      config.corrupt_fraction = 0;
      ShardedRound round(config, 40 + value_bits);
      round.world.misses_[5] = Stage::kMask;
      if (level == ThreatLevel::kCurious) {  // the other has no answer to spare at six clients
        round.world.misses_[4] = Stage::kUnmask;
      }
      round.StartMasking();
      for (std::uint32_t client = 0; client < 5; ++client) {
        // Client 3's last chunks never come: the first shard has all it needs of it.
        const std::uint64_t half = round.shards[0]->range().last_chunk + 1;
        REQUIRE(TextOf(round.Upload(client, client == 3 ? half : kAll)) == "");
      }
      round.world.misses_[3] = Stage::kMask;
      const auto masks = round.Masks();
      REQUIRE(round.world.Server().SurvivorSet().size() == 4);
      const auto sum = round.Open(masks);
      REQUIRE(TextOf(sum.status()) == "");
      REQUIRE(*sum == round.world.PlainSum());
    }
  }
}

TEST_CASE("a shard that dies before the sum is opened fails the round and no range is opened",
          "[shard]") {
  ShardedRound round(SmallConfig(ThreatLevel::kCurious, kClients, kValues), 7);
  round.StartMasking();
  for (std::uint32_t client = 0; client < kClients; ++client) {
    REQUIRE(round.Upload(client, kAll).ok());
  }
  const auto masks = round.Masks();
  round.shards[0]->Kill();
  REQUIRE(round.Open(masks).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("a shard refuses seeds for a survivor set that is not its own", "[shard]") {
  ShardedRound round(SmallConfig(ThreatLevel::kCurious, kClients, kValues), 8);
  round.StartMasking();
  for (std::uint32_t client = 0; client < kClients; ++client) {
    REQUIRE(round.Upload(client, kAll).ok());
  }
  const auto masks = round.Masks();
  std::set<ClientId> fewer = round.world.Server().SurvivorSet();
  fewer.erase(fewer.begin());
  REQUIRE(round.shards[1]->Open(fewer, masks).status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(*round.Open(masks) == round.world.PlainSum());
}

}  // namespace tutti::secagg
