// Whole rounds of real sessions: the opened sum is the plain sum of exactly the survivors, whoever
// drops when.
#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {
namespace {

constexpr ThreatLevel kLevels[] = {ThreatLevel::kCurious, ThreatLevel::kMalicious};

struct Counts {
  std::uint32_t joined = 0, shared = 0, masked = 0, committed = 0, answering = 0;
};

Counts CountsOf(const World& world, ThreatLevel level) {
  Counts counts;
  for (std::uint32_t i = 0; i < world.misses_.size(); ++i) {
    counts.joined += world.Reaches(i, Stage::kJoin);
    counts.shared += world.Reaches(i, Stage::kShare);
    counts.masked += world.Reaches(i, Stage::kMask);
    counts.committed += world.Reaches(i, Stage::kCommit);
    counts.answering += world.Reaches(i, Stage::kUnmask);
  }
  if (level == ThreatLevel::kCurious) {
    counts.committed = counts.masked;
  }
  return counts;
}

// In the complete graph everyone is everyone's neighbour, so counting is enough to say which rounds
// can be opened.
bool CanSucceed(const Counts& c, const RoundConfig& config, std::uint32_t threshold) {
  const std::uint32_t commits =
      config.level == ThreatLevel::kMalicious
          ? static_cast<std::uint32_t>((1 + config.corrupt_fraction) * c.joined / 2 + 1e-9) + 1
          : 0;
  const std::uint32_t needed = std::max(config.min_survivors, commits);
  // The seed of a client that answers is rebuilt from the others' answers.
  return c.shared >= needed && c.masked >= needed && c.committed >= commits &&
         c.answering >= threshold + 1;
}

}  // namespace

TEST_CASE("the opened sum is bit for bit the survivors' plain sum over random drop-outs",
          "[secagg]") {
  TestRng draw(20240611);
  std::uint32_t opened = 0;
  std::uint32_t refused = 0;
  for (std::uint32_t trial = 0; trial < 240; ++trial) {
    const auto n = static_cast<std::uint32_t>(2 + draw.Below(11));
    const ThreatLevel level = kLevels[draw.Below(2)];
    RoundConfig config = SmallConfig(level, n, 1 + draw.Below(300));
    config.extra_lanes = static_cast<std::uint32_t>(1 + draw.Below(3));
    World world(config, n, trial);
    for (Stage& stage : world.misses_) {
      if (draw.Below(6) == 0) {
        stage = static_cast<Stage>(draw.Below(5));
      }
    }
    Counts counts = CountsOf(world, level);
    const StatusOr<Bytes> sum = world.Run();
    const std::uint32_t threshold = world.Server().threshold();
    INFO("trial " << trial << " n " << n << " level " << static_cast<int>(level) << " joined "
                  << counts.joined << " shared " << counts.shared << " masked " << counts.masked
                  << " committed " << counts.committed << " answering " << counts.answering << " t "
                  << threshold << " " << TextOf(sum.status()));
    const bool enough_joined = counts.joined >= config.min_cohort;
    REQUIRE(sum.ok() == (enough_joined && CanSucceed(counts, config, threshold)));
    if (sum.ok()) {
      REQUIRE(*sum == world.PlainSum());
      REQUIRE(world.Server().SurvivorSet().size() == counts.masked);
      ++opened;
    } else {
      ++refused;
    }
  }
  REQUIRE(opened > 80);
  REQUIRE(refused > 20);
}

TEST_CASE("one client may die at any step after joining in a cohort of four or more", "[secagg]") {
  for (const ThreatLevel level : kLevels) {
    for (const std::uint32_t n : {4U, 5U, 8U}) {
      for (const Stage stage : {Stage::kShare, Stage::kMask, Stage::kCommit, Stage::kUnmask}) {
        World world(SmallConfig(level, n, 33), n, n);
        world.misses_[1] = stage;
        INFO("n " << n << " level " << static_cast<int>(level) << " stage "
                  << static_cast<int>(stage));
        const StatusOr<Bytes> sum = world.Run();
        REQUIRE(TextOf(sum.status()) == "");
        REQUIRE(*sum == world.PlainSum());
      }
    }
  }
}

TEST_CASE("sparse cohorts of 70 and 100 open exactly with drop-outs at every step", "[secagg]") {
  for (const ThreatLevel level : kLevels) {
    for (const std::uint32_t n : {70U, 100U}) {
      World world(SmallConfig(level, n, 257), n, n);
      world.misses_[3] = Stage::kShare;
      world.misses_[4] = Stage::kMask;
      world.misses_[50] = Stage::kMask;
      world.misses_[51] = Stage::kCommit;
      world.misses_[69] = Stage::kUnmask;
      const StatusOr<Bytes> sum = world.Run();
      REQUIRE(TextOf(sum.status()) == "");
      REQUIRE(world.Server().neighbours() < n - 1);
      REQUIRE(world.Server().SurvivorSet().size() == n - 3);
      REQUIRE(*sum == world.PlainSum());
    }
  }
}

TEST_CASE("a sharer with too few sharing neighbours is left out before anyone masks with it",
          "[secagg]") {
  World world(SmallConfig(ThreatLevel::kCurious, 70, 9), 70, 5);
  world.JoinAll();
  REQUIRE(world.Server().CloseJoins().ok());
  const std::uint32_t threshold = world.Server().threshold();
  const Roster roster = *world.Server().RosterFor(world.Name(0));
  std::uint32_t silent = 0;
  for (const RosterEntry& entry : roster.entries) {
    if (silent + threshold <= world.Server().neighbours()) {
      world.misses_[entry.index] = Stage::kShare;
      ++silent;
    }
  }
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  REQUIRE_FALSE(world.Server().Sharers().contains(world.Name(0)));
  REQUIRE(world.Server().BoxesFor(world.Name(0)).status().code() == StatusCode::kNotFound);
}

TEST_CASE("updates of nothing but zeros are summed like any others", "[secagg]") {
  for (const ThreatLevel level : kLevels) {
    World world(SmallConfig(level, 4, 30), 4, 78);
    for (RingVector& vector : world.vectors_) {
      vector = RingVector(vector.layout());
    }
    const StatusOr<Bytes> sum = world.Run();
    REQUIRE(TextOf(sum.status()) == "");
    REQUIRE(*sum == Bytes(world.config_.layout().wire_bytes()));
  }
}

TEST_CASE("a masked vector looks uniform", "[secagg]") {
  // Chi-square over 256 byte values of 64 Ki bytes of an all-zero update. With 255 degrees of
  // freedom 357 is exceeded by a uniform source with probability 2.5e-5; the seed is fixed.
  World world(SmallConfig(ThreatLevel::kCurious, 4, 16384), 4, 77);
  for (RingVector& vector : world.vectors_) {
    vector = RingVector(vector.layout());
  }
  world.JoinAll();
  REQUIRE(world.Server().CloseJoins().ok());
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  world.MaskAll();
  const Bytes masked = world.Masked(2);
  std::vector<double> seen(256, 0);
  for (const std::uint8_t byte : masked) {
    ++seen[byte];
  }
  const double expected = static_cast<double>(masked.size()) / 256;
  double chi_square = 0;
  for (const double count : seen) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  REQUIRE(chi_square < 357);
  REQUIRE(chi_square > 170);
}

TEST_CASE("two rounds of the same updates share no masked part", "[secagg]") {
  std::vector<Bytes> sent;
  for (const std::uint64_t attempt : {1U, 2U}) {
    RoundConfig config = SmallConfig(ThreatLevel::kCurious, 3, 200);
    config.attempt = attempt;
    World world(config, 3, 9);  // the same randomness: only the configuration differs
    world.JoinAll();
    REQUIRE(world.Server().CloseJoins().ok());
    world.ShareAll();
    REQUIRE(world.Server().CloseShares().ok());
    world.MaskAll();
    sent.push_back(world.Masked(0));
  }
  std::size_t equal = 0;
  for (std::size_t i = 0; i + 4 <= sent[0].size(); i += 4) {
    equal += std::equal(&sent[0][i], &sent[0][i] + 4, &sent[1][i]);
  }
  REQUIRE(equal == 0);
}

}  // namespace tutti::secagg
