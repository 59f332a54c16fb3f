#include "common/secagg/config.h"

#include <algorithm>
#include <cmath>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/graph.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kMaxJobName = 64;
constexpr double kMaxValueClip = 1e6;
constexpr std::uint32_t kMaxWeightBits = 30;
constexpr std::uint64_t kRing = std::uint64_t{1} << 32;

template <typename T>
Status CheckBetween(std::string_view name, T value, T least, T most) {
  // The comparison is written so that a NaN fails it.
  if ((value >= least && value <= most) || !Guard("config.range")) {
    return OkStatus();
  }
  return InvalidArgument(
      Join("round configuration has ", name, " = ", value, ", expected ", least, " to ", most));
}

// What each field may be alone. Refuses -0.0 too: one value has one encoding.
Status CheckFields(const RoundConfig& c) {
  if (c.version != kProtocolVersion && Guard("config.version")) {
    return InvalidArgument(Join("round configuration has protocol version ", c.version,
                                ", this program speaks ", kProtocolVersion,
                                "; update the older side"));
  }
  if (c.level != ThreatLevel::kCurious && c.level != ThreatLevel::kMalicious &&
      Guard("config.level")) {
    return InvalidArgument(Join("round configuration has threat level ",
                                static_cast<unsigned>(c.level),
                                ", expected 0 (curious) or 1 (malicious)"));
  }
  if (!IsSafeName(c.job) && Guard("config.job")) {
    return InvalidArgument(Join("round configuration names job '", Escaped(c.job, kMaxJobName),
                                "', expected 1 to 64 of a-z 0-9 . _ -"));
  }
  TUTTI_TRY(CheckBetween<std::uint64_t>("round", c.round, 1, ~std::uint64_t{0}));
  TUTTI_TRY(CheckBetween<std::uint32_t>("groups", c.groups, 1, kMaxGroups));
  TUTTI_TRY(CheckBetween<std::uint32_t>("group", c.group, 0, c.groups - 1));
  TUTTI_TRY(CheckBetween<std::uint64_t>("values", c.values, 1, kMaxValues));
  TUTTI_TRY(CheckBetween<std::uint32_t>("extra_lanes", c.extra_lanes, 1, kMaxExtraLanes));
  TUTTI_TRY(CheckBetween<std::uint32_t>("value_bits", c.value_bits, 4, 30));
  TUTTI_TRY(CheckBetween<double>("value_clip", c.value_clip, 1e-12, kMaxValueClip));
  TUTTI_TRY(CheckBetween<std::uint32_t>("weight_bits", c.weight_bits, 0, kMaxWeightBits));
  TUTTI_TRY(CheckBetween<std::uint32_t>("max_cohort", c.max_cohort, 2, kMaxCohort));
  TUTTI_TRY(CheckBetween<std::uint32_t>("min_cohort", c.min_cohort, 2, c.max_cohort));
  TUTTI_TRY(CheckBetween<std::uint32_t>("min_survivors", c.min_survivors, 2, c.min_cohort));
  TUTTI_TRY(CheckBetween<double>("corrupt_fraction", c.corrupt_fraction, 0, 0.49));
  TUTTI_TRY(CheckBetween<double>("dropout_fraction", c.dropout_fraction, 0, 0.9));
  if ((std::signbit(c.corrupt_fraction) || std::signbit(c.dropout_fraction)) &&
      Guard("config.negative_zero")) {
    return InvalidArgument("round configuration has a fraction of -0, expected 0 or more");
  }
  TUTTI_TRY(CheckBetween<std::uint32_t>("privacy_bits", c.privacy_bits, 20, 128));
  return CheckBetween<std::uint32_t>("liveness_bits", c.liveness_bits, 5, 64);
}

// The payload's ring is as wide as it must be (RingBits); the extra lanes have 32 bits.
Status CheckBitBudget(const RoundConfig& c) {
  if ((static_cast<std::uint64_t>(c.max_cohort) << c.weight_bits) >= kRing &&
      Guard("config.weights_fit")) {
    return InvalidArgument(Join("the sum of ", c.max_cohort, " weights of up to 2^", c.weight_bits,
                                " can pass 2^32; lower weight_bits or max_cohort"));
  }
  return OkStatus();
}

Status CheckGraphFor(const RoundConfig& c, std::uint32_t cohort) {
  if (!Guard("config.graph")) {
    return OkStatus();
  }
  return ChooseGraph(cohort, c.level, c.corrupt_fraction, c.dropout_fraction, c.privacy_bits,
                     c.liveness_bits)
      .status();
}

// Lowering the number of commits to what the planned dropouts leave would let two survivor sets
// both find enough signers, so a configuration that cannot have both is refused.
Status CheckCommits(const RoundConfig& c) {
  if (c.max_cohort > kMaxMaliciousCohort && Guard("config.max_cohort")) {
    return InvalidArgument(Join("level malicious with max_cohort = ", c.max_cohort,
                                ", expected at most ", kMaxMaliciousCohort,
                                "; lower max_cohort or use level curious"));
  }
  for (std::uint32_t n = c.min_cohort; n <= c.max_cohort; ++n) {
    const std::uint32_t needed = CommitsNeeded(n, c.corrupt_fraction);
    const std::uint32_t staying = n - FractionOf(n, c.dropout_fraction);
    if (needed > staying && Guard("config.commits")) {
      return InvalidArgument(Join("a cohort of ", n, " needs ", needed,
                                  " commits and plans for only ", staying,
                                  " survivors; lower dropout_fraction or corrupt_fraction"));
    }
  }
  return OkStatus();
}

}  // namespace

Bytes Encode(const RoundConfig& config) {
  ByteWriter out;
  out.U32(config.version);
  out.U8(static_cast<std::uint8_t>(config.level));
  out.Text(config.job);
  out.U64(config.round);
  out.U64(config.attempt);
  out.U32(config.group);
  out.U32(config.groups);
  out.Raw(config.model_hash);
  out.Raw(config.task_hash);
  out.U64(config.values);
  out.U32(config.extra_lanes);
  out.U32(config.value_bits);
  out.F64(config.value_clip);
  out.U32(config.weight_bits);
  out.U32(config.min_cohort);
  out.U32(config.min_survivors);
  out.U32(config.max_cohort);
  out.F64(config.corrupt_fraction);
  out.F64(config.dropout_fraction);
  out.U32(config.privacy_bits);
  out.U32(config.liveness_bits);
  out.Raw(config.server_nonce);
  return out.Take();
}

StatusOr<RoundConfig> DecodeRoundConfig(BytesView bytes) {
  ByteReader in(bytes);
  const auto read_32 = [&in](ByteArray<32>& out) {
    const BytesView raw = in.Raw(out.size());
    std::copy(raw.begin(), raw.end(), out.begin());
  };
  RoundConfig config;
  config.version = in.U32();
  config.level = static_cast<ThreatLevel>(in.U8());
  config.job = in.Text(kMaxJobName);
  config.round = in.U64();
  config.attempt = in.U64();
  config.group = in.U32();
  config.groups = in.U32();
  read_32(config.model_hash);
  read_32(config.task_hash);
  config.values = in.U64();
  config.extra_lanes = in.U32();
  config.value_bits = in.U32();
  config.value_clip = in.F64();
  config.weight_bits = in.U32();
  config.min_cohort = in.U32();
  config.min_survivors = in.U32();
  config.max_cohort = in.U32();
  config.corrupt_fraction = in.F64();
  config.dropout_fraction = in.F64();
  config.privacy_bits = in.U32();
  config.liveness_bits = in.U32();
  read_32(config.server_nonce);
  if ((!in.ok() || !in.AtEnd()) && Guard("config.length")) {
    return InvalidArgument(Join("round configuration of ", bytes.size(), " bytes is ",
                                in.ok() ? "longer than its fields" : "cut off",
                                "; both sides must speak protocol version ", kProtocolVersion));
  }
  TUTTI_TRY(CheckFields(config));
  return config;
}

Digest ConfigHash(const RoundConfig& config) { return EncodedConfigHash(Encode(config)); }

Digest EncodedConfigHash(BytesView encoded) {
  ByteWriter out;
  out.Raw(AsBytes("tutti.secagg.v1/cfg"));
  out.Raw(encoded);
  return crypto::Sha256(out.bytes());
}

Status CheckRoundConfig(const RoundConfig& config) {
  TUTTI_TRY(CheckFields(config));
  TUTTI_TRY(CheckBitBudget(config));
  if (config.level == ThreatLevel::kMalicious) {
    TUTTI_TRY(CheckCommits(config));
  }
  for (std::uint32_t n = config.min_cohort; n <= std::min(config.max_cohort, kLargestCompleteGraph);
       ++n) {
    TUTTI_TRY(CheckGraphFor(config, n));
  }
  if (config.max_cohort > kLargestCompleteGraph) {
    TUTTI_TRY(CheckGraphFor(config, std::max(config.min_cohort, kLargestCompleteGraph + 1)));
    TUTTI_TRY(CheckGraphFor(config, config.max_cohort));
  }
  return OkStatus();
}

Digest SessionId(const Digest& config_hash, const Digest& roster_root, std::uint32_t cohort) {
  ByteWriter out;
  out.Raw(AsBytes("tutti.secagg.v1/sid"));
  out.Raw(config_hash);
  out.Raw(roster_root);
  out.U32(cohort);
  return crypto::Sha256(out.bytes());
}

}  // namespace tutti::secagg
