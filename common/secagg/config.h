// What one round of secure aggregation is about: every setting that must be the same for all, in
// one canonical encoding whose hash every key, box and signature is bound to (docs/protocol.md).
// Thread safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/secagg/layout.h"

namespace tutti::secagg {

enum class ThreatLevel : std::uint8_t { kCurious = 0, kMalicious = 1 };

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::uint32_t kMaxCohort = 10000;
inline constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 30;
inline constexpr std::uint32_t kMaxExtraLanes = 65536;
inline constexpr std::uint32_t kMaxGroups = 100;

struct RoundConfig {
  std::uint32_t version = kProtocolVersion;
  ThreatLevel level = ThreatLevel::kMalicious;
  std::string job;            // IsSafeName
  std::uint64_t round = 0;    // 1, 2, ...
  std::uint64_t attempt = 0;  // of this round; a failed round is tried again with a new attempt
  std::uint32_t group = 0;    // 0 .. groups - 1: whose sum this is
  std::uint32_t groups = 1;   // G: the attempt's invited clients are split into so many sums
  Digest model_hash{};        // SHA-256 of the checkpoint clients train from
  Digest task_hash{};         // SHA-256 of the task bytes
  std::uint64_t values = 0;   // D: payload lanes
  std::uint32_t extra_lanes =
      1;  // after the payload: lane 0 is the sum of weights; more for metrics
  std::uint32_t value_bits = 20;     // q
  double value_clip = 1.0;           // c: l-infinity bound of a value before quantisation
  std::uint32_t weight_bits = 0;     // p: weights are 0 .. 2^p; 0: every weight is 1
  std::uint32_t min_cohort = 3;      // n_min: a roster smaller than this is refused
  std::uint32_t min_survivors = 3;   // u_min: a sum of fewer is never opened
  std::uint32_t max_cohort = 0;      // n_max: sizes the bit budget
  double corrupt_fraction = 0.1;     // gamma
  double dropout_fraction = 0.1;     // delta
  std::uint32_t privacy_bits = 40;   // sigma
  std::uint32_t liveness_bits = 20;  // eta
  ByteArray<32> server_nonce{};      // fresh per attempt

  bool operator==(const RoundConfig&) const = default;
  RingLayout layout() const { return {values, extra_lanes, RingBits(max_cohort, value_bits)}; }
};

// The canonical fixed-order encoding, and its strict inverse (bounds, ranges, no trailing bytes:
// InvalidArgument).
Bytes Encode(const RoundConfig& config);
StatusOr<RoundConfig> DecodeRoundConfig(BytesView bytes);

// SHA-256("tutti.secagg.v1/cfg" || Encode(config)).
Digest ConfigHash(const RoundConfig& config);
// The same of an encoding that was not decoded yet.
Digest EncodedConfigHash(BytesView encoded);

// Refuses a configuration whose sum could overflow the ring or whose graph parameters have no safe
// choice for some cohort between min_cohort and max_cohort; InvalidArgument with what to change.
// Checked by both sides.
Status CheckRoundConfig(const RoundConfig& config);

// SHA-256("tutti.secagg.v1/sid" || config_hash || roster_root || n as u32).
Digest SessionId(const Digest& config_hash, const Digest& roster_root, std::uint32_t cohort);

}  // namespace tutti::secagg
