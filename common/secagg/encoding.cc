#include "common/secagg/encoding.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/secagg/rounding_kernel.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kBlock = 4096;  // values rounded at a time: random words stay in the cache

double LargestLane(const RoundConfig& config) {
  return static_cast<double>((std::uint64_t{1} << (config.value_bits - 1)) - 1);
}

}  // namespace

Status CheckUpdate(const RoundConfig& config, std::span<const float> values, std::uint32_t weight,
                   std::span<const std::uint32_t> metrics) {
  if (values.size() != config.values) {
    return InvalidArgument(Join("update has ", values.size(), " values, the round's layout has ",
                                config.values, "; fetch the task again before training"));
  }
  if (weight < 1 || weight > (std::uint64_t{1} << config.weight_bits)) {
    return InvalidArgument(Join("update has weight ", weight, ", expected 1 to 2^",
                                config.weight_bits, "; clip it before encoding"));
  }
  if (metrics.size() + 1 != config.extra_lanes) {
    return InvalidArgument(
        Join("update has ", metrics.size(), " metrics, expected ", config.extra_lanes - 1));
  }
  const std::uint64_t limit = (std::uint64_t{1} << 32) / config.max_cohort;
  for (const std::uint32_t metric : metrics) {
    if (metric >= limit) {
      return InvalidArgument(Join("update has a metric of ", metric, ", expected below ", limit,
                                  " so that the cohort's sum fits; scale it down"));
    }
  }
  if (!AllFinite(values)) {
    const auto bad =
        std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    return InvalidArgument(Join("update has the value ", *bad, " at place ", bad - values.begin(),
                                ", expected finite values; training diverged"));
  }
  return OkStatus();
}

StatusOr<EncodedUpdate> EncodeUpdate(const RoundConfig& config, std::span<const float> values,
                                     std::uint32_t weight, std::span<const std::uint32_t> metrics,
                                     SecureRng& rng) {
  TUTTI_TRY(CheckUpdate(config, values, weight, metrics));
  Secret32 key;
  rng.Fill(key.mutable_view());
  crypto::AesCtrStream stream(key);
  const double weight_share = std::ldexp(weight, -static_cast<int>(config.weight_bits));
  const double bound = LargestLane(config) * weight_share;
  const RoundingScale scale{
      .clip = config.value_clip, .scale = bound / config.value_clip, .bound = bound};

  EncodedUpdate update{.vector = RingVector(config.layout())};
  std::visit(
      [&](auto& lanes) {
        using Lane = typename std::decay_t<decltype(lanes)>::value_type;
        std::array<std::uint32_t, kBlock> random;
        std::array<std::uint32_t, kBlock> rounded;
        for (std::size_t first = 0; first < values.size(); first += kBlock) {
          const std::size_t count = std::min(kBlock, values.size() - first);
          const std::span<std::uint32_t> words(random.data(), count);
          const std::span<std::uint32_t> block(rounded.data(), count);
          stream.Fill({reinterpret_cast<std::uint8_t*>(words.data()), words.size_bytes()});
          update.clipped_values +=
              RoundStochastically(values.subspan(first, count), words, scale, block);
          std::transform(block.begin(), block.end(),
                         lanes.begin() + static_cast<std::ptrdiff_t>(first),
                         [](std::uint32_t lane) {  // two's complement, wider or narrower
                           return static_cast<Lane>(static_cast<std::int32_t>(lane));
                         });
        }
      },
      update.vector.payload());
  update.vector.extras()[0] = weight;
  std::copy(metrics.begin(), metrics.end(), update.vector.extras().begin() + 1);
  return update;
}

StatusOr<DecodedSum> DecodeSum(const RoundConfig& config, const RingVector& sum,
                               std::uint32_t survivors) {
  const RingLayout layout = config.layout();
  if (sum.layout() != layout || sum.count() != layout.positions() || survivors == 0) {
    return InvalidArgument(Join("sum of ", survivors, " clients has ", sum.count(), " lanes of ",
                                sum.layout().bits, " bits, expected ", layout.positions(),
                                " lanes of ", layout.bits, " bits of at least 1 client"));
  }
  const std::uint64_t weight_sum = sum.extras()[0];
  if (weight_sum < survivors || weight_sum > static_cast<std::uint64_t>(survivors)
                                                 << config.weight_bits) {
    return DataLoss(Join("sum has a total weight of ", weight_sum, ", ", survivors,
                         " clients' weights of 1 to 2^", config.weight_bits,
                         " cannot give that; a client sent a wrong vector, the sum is discarded"));
  }
  const std::int64_t lane_limit = static_cast<std::int64_t>(survivors) << (config.value_bits - 1);
  const double step = config.value_clip / LargestLane(config);
  const double factor = step * std::ldexp(1.0, static_cast<int>(config.weight_bits)) /
                        static_cast<double>(weight_sum);
  DecodedSum decoded;
  decoded.mean.resize(config.values);
  const LaneRange range = std::visit(
      [&](const auto& lanes) {
        return ScaleLanes(std::span(lanes), layout.bits, factor, decoded.mean);
      },
      sum.payload());
  if (range.least < -lane_limit || range.most > lane_limit) {
    return DataLoss(Join("sum has lanes from ", range.least, " to ", range.most, ", ", survivors,
                         " clients' ", config.value_bits, "-bit values lie within ", lane_limit,
                         "; a client sent a wrong vector, the sum is discarded"));
  }
  decoded.weight_sum = weight_sum;
  decoded.metrics.assign(sum.extras().begin() + 1, sum.extras().end());
  return decoded;
}

}  // namespace tutti::secagg
