#include "common/secagg/config.h"

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "common/secagg/graph.h"
#include "tests/catch.h"

namespace tutti::secagg {
namespace {

RoundConfig Filled() {
  RoundConfig config;
  config.level = ThreatLevel::kCurious;
  config.job = "fashion-mnist.1";
  config.round = 17;
  config.attempt = 2;
  config.group = 2;
  config.groups = 3;
  config.model_hash.fill(1);
  config.task_hash.fill(2);
  config.values = 431080;
  config.extra_lanes = 3;
  config.value_bits = 18;
  config.value_clip = 0.75;
  config.weight_bits = 12;
  config.min_cohort = 6;
  config.min_survivors = 5;
  config.max_cohort = 120;
  config.corrupt_fraction = 0.05;
  config.dropout_fraction = 0.2;
  config.privacy_bits = 80;
  config.liveness_bits = 30;
  config.server_nonce.fill(3);
  return config;
}

using Change = std::function<void(RoundConfig&)>;

RoundConfig With(const Change& change) {
  RoundConfig config = Filled();
  change(config);
  return config;
}

}  // namespace

TEST_CASE("a round configuration survives its encoding", "[secagg]") {
  const RoundConfig config = Filled();
  const Bytes bytes = Encode(config);
  const StatusOr<RoundConfig> decoded = DecodeRoundConfig(bytes);
  REQUIRE(decoded.ok());
  REQUIRE(*decoded == config);
  REQUIRE(Encode(*decoded) == bytes);
}

TEST_CASE("a cut or lengthened round configuration is refused at every length", "[secagg]") {
  Bytes bytes = Encode(Filled());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const StatusOr<RoundConfig> decoded = DecodeRoundConfig(BytesView(bytes).first(length));
    REQUIRE(decoded.status().code() == StatusCode::kInvalidArgument);
  }
  bytes.push_back(0);
  REQUIRE(DecodeRoundConfig(bytes).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("every field of a round configuration changes its hash", "[secagg]") {
  const std::vector<Change> changes = {
      [](RoundConfig& c) { c.level = ThreatLevel::kMalicious; },
      [](RoundConfig& c) { c.job = "fashion-mnist.2"; },
      [](RoundConfig& c) { ++c.round; },
      [](RoundConfig& c) { ++c.attempt; },
      [](RoundConfig& c) { c.model_hash[31] ^= 1; },
      [](RoundConfig& c) { c.task_hash[0] ^= 1; },
      [](RoundConfig& c) { ++c.values; },
      [](RoundConfig& c) { ++c.extra_lanes; },
      [](RoundConfig& c) { ++c.value_bits; },
      [](RoundConfig& c) { c.value_clip *= 2; },
      [](RoundConfig& c) { ++c.weight_bits; },
      [](RoundConfig& c) { ++c.min_cohort; },
      [](RoundConfig& c) { --c.min_survivors; },
      [](RoundConfig& c) { ++c.max_cohort; },
      [](RoundConfig& c) { c.corrupt_fraction = 0.06; },
      [](RoundConfig& c) { c.dropout_fraction = 0.1; },
      [](RoundConfig& c) { ++c.groups; },
      [](RoundConfig& c) { --c.group; },
      [](RoundConfig& c) { ++c.privacy_bits; },
      [](RoundConfig& c) { ++c.liveness_bits; },
      [](RoundConfig& c) { c.server_nonce[5] ^= 1; },
  };
  std::set<Digest> hashes = {ConfigHash(Filled())};
  for (const Change& change : changes) {
    hashes.insert(ConfigHash(With(change)));
  }
  REQUIRE(hashes.size() == changes.size() + 1);
}

TEST_CASE("a field out of its range is refused on the wire and before the round", "[secagg]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Change> changes = {
      [](RoundConfig& c) { c.version = 2; },
      [](RoundConfig& c) { c.level = static_cast<ThreatLevel>(2); },
      [](RoundConfig& c) { c.job = ""; },
      [](RoundConfig& c) { c.job = "../x"; },
      [](RoundConfig& c) { c.round = 0; },
      [](RoundConfig& c) { c.group = c.groups; },
      [](RoundConfig& c) { c.groups = 0; },
      [](RoundConfig& c) { c.groups = kMaxGroups + 1; },
      [](RoundConfig& c) { c.values = 0; },
      [](RoundConfig& c) { c.values = kMaxValues + 1; },
      [](RoundConfig& c) { c.extra_lanes = 0; },
      [](RoundConfig& c) { c.extra_lanes = kMaxExtraLanes + 1; },
      [](RoundConfig& c) { c.value_bits = 3; },
      [](RoundConfig& c) { c.value_bits = 31; },
      [](RoundConfig& c) { c.value_clip = 0; },
      [](RoundConfig& c) { c.value_clip = -1; },
      [nan](RoundConfig& c) { c.value_clip = nan; },
      [infinity](RoundConfig& c) { c.value_clip = infinity; },
      [](RoundConfig& c) { c.weight_bits = 31; },
      [](RoundConfig& c) { c.max_cohort = kMaxCohort + 1; },
      [](RoundConfig& c) { c.max_cohort = 5; },
      [](RoundConfig& c) { c.min_cohort = 1; },
      [](RoundConfig& c) { c.min_survivors = 1; },
      [](RoundConfig& c) { c.min_survivors = 7; },
      [](RoundConfig& c) { c.corrupt_fraction = 0.5; },
      [](RoundConfig& c) { c.corrupt_fraction = -0.0; },
      [nan](RoundConfig& c) { c.dropout_fraction = nan; },
      [](RoundConfig& c) { c.dropout_fraction = 0.95; },
      [](RoundConfig& c) { c.privacy_bits = 10; },
      [](RoundConfig& c) { c.liveness_bits = 65; },
  };
  REQUIRE(CheckRoundConfig(Filled()).ok());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    INFO("change " << i);
    const RoundConfig changed = With(changes[i]);
    REQUIRE(CheckRoundConfig(changed).code() == StatusCode::kInvalidArgument);
    REQUIRE(DecodeRoundConfig(Encode(changed)).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a sum that could overflow its ring is refused with the bits that would fit",
          "[secagg]") {
  RoundConfig config = Filled();
  config.level = ThreatLevel::kCurious;
  config.corrupt_fraction = config.dropout_fraction = 0.1;
  config.max_cohort = 4095;
  config.value_bits = 20;
  config.weight_bits = 0;
  REQUIRE(CheckRoundConfig(config).ok());
  REQUIRE(config.layout().bits == 32);  // 4095 * (2^19 + 1) < 2^31
  config.max_cohort = 4096;
  REQUIRE(CheckRoundConfig(config).ok());
  REQUIRE(config.layout().lane_bits() == 64);  // the ring grows with the cohort
  config.max_cohort = 100;
  config.weight_bits = 25;
  REQUIRE(CheckRoundConfig(config).ok());  // 100 * 2^25 < 2^32
  config.weight_bits = 26;
  REQUIRE(CheckRoundConfig(config).code() == StatusCode::kInvalidArgument);
}

TEST_CASE("a configuration without safe thresholds is refused before the round", "[secagg]") {
  RoundConfig config = Filled();
  config.level = ThreatLevel::kMalicious;
  config.privacy_bits = 40;
  config.liveness_bits = 20;
  REQUIRE(CheckRoundConfig(config).ok());
  SECTION("more dropouts than the commits allow") {
    config.dropout_fraction = 0.5;
    REQUIRE(TextOf(CheckRoundConfig(config)).find("commits") != std::string::npos);
  }
  SECTION("corrupt and twice the dropouts reach one") {
    config.level = ThreatLevel::kCurious;
    config.corrupt_fraction = 0.4;
    config.dropout_fraction = 0.7;
    REQUIRE(CheckRoundConfig(config).code() == StatusCode::kInvalidArgument);
  }
  SECTION("a cohort whose certificate would grow too large") {
    config.value_bits = 16;
    config.max_cohort = kMaxMaliciousCohort + 1;
    REQUIRE(TextOf(CheckRoundConfig(config)).find("at most 2000") != std::string::npos);
  }
  SECTION("more neighbours than the field has points") {
    config.value_bits = 16;
    config.max_cohort = 1000;
    config.corrupt_fraction = config.dropout_fraction = 0.2;
    REQUIRE(TextOf(CheckRoundConfig(config)).find("at most 254") != std::string::npos);
  }
}

TEST_CASE("the session id depends on configuration, roster and cohort", "[secagg]") {
  Digest a{}, b{};
  b[0] = 1;
  const Digest id = SessionId(a, a, 5);
  REQUIRE(id != SessionId(b, a, 5));
  REQUIRE(id != SessionId(a, b, 5));
  REQUIRE(id != SessionId(a, a, 6));
}

}  // namespace tutti::secagg
