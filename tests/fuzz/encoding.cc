// Updates into the ring and sums out of it: any floats, any sum. A sum that is published lies
// within what its clients could have sent.
#include <cmath>
#include <cstring>

#include "common/secagg/encoding.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/target.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::fuzz {
namespace {

secagg::RoundConfig TakeConfig(Source& source) {
  secagg::RoundConfig config;
  config.level = secagg::ThreatLevel::kCurious;
  config.job = "fuzz";
  config.round = 1;
  config.values = 1 + source.Below(80);
  config.extra_lanes = 1 + source.U8() % 3U;
  config.value_bits = 4 + source.U8() % 27U;
  config.value_clip = std::ldexp(1 + source.U8(), source.U8() % 28 - 20);
  config.weight_bits = source.U8() % 24U;
  config.max_cohort = 3 + source.U8() % 60U;
  return config;
}

void Encode(const secagg::RoundConfig& config, Source& source) {
  std::vector<float> values(config.values);
  for (float& value : values) {
    const std::uint32_t word = source.U32();
    std::memcpy(&value, &word, sizeof value);
  }
  const auto weight = static_cast<std::uint32_t>(1 + source.U32() % (1ULL << config.weight_bits));
  const std::vector<std::uint32_t> metrics(config.extra_lanes - 1, source.U16());
  SeededSecureRng rng(source.U64());
  const StatusOr<secagg::EncodedUpdate> update =
      secagg::EncodeUpdate(config, values, weight, metrics, rng);
  bool finite = true;
  for (const float value : values) finite = finite && std::isfinite(value);
  Expect(update.ok() == finite, "every finite update can be encoded, no other");
  if (!update.ok()) return;
  const std::int64_t most = (std::int64_t{1} << (config.value_bits - 1)) - 1;
  for (std::size_t i = 0; i < config.values; ++i) {
    Expect(std::abs(secagg::SignedValue(update->vector, i)) <= most + 1, "q bits hold every value");
  }
  const StatusOr<secagg::DecodedSum> decoded = secagg::DecodeSum(config, update->vector, 1);
  Expect(decoded.ok() && decoded->weight_sum == weight, "one client's sum is its update");
  const double step = config.value_clip / static_cast<double>(most) *
                      std::ldexp(1.0, static_cast<int>(config.weight_bits)) / weight;
  for (std::size_t i = 0; i < config.values; ++i) {
    const double clipped =
        std::min(std::max(static_cast<double>(values[i]), -config.value_clip), config.value_clip);
    // One step of rounding, and single precision of the mean.
    Expect(std::abs(static_cast<double>(decoded->mean[i]) - clipped) <=
               step * (1 + 1e-6) + 1e-6 * config.value_clip,
           "decoding is within one step of the value");
  }
}

void Decode(const secagg::RoundConfig& config, Source& source) {
  secagg::RingVector sum(config.layout());
  const bool small = source.U8() % 2 == 0;
  secagg::FillVector(sum, [&] { return small ? source.U8() : source.U64(); });
  const std::uint32_t survivors = source.U8() % (config.max_cohort + 1);
  const StatusOr<secagg::DecodedSum> decoded = secagg::DecodeSum(config, sum, survivors);
  if (!decoded.ok()) return;
  Expect(survivors > 0 && decoded->weight_sum >= survivors &&
             decoded->weight_sum <= std::uint64_t{survivors} << config.weight_bits,
         "the weights of a published sum are possible");
  for (const float mean : decoded->mean) {
    Expect(std::isfinite(mean), "a published mean is a number");
  }
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  fuzz::Source source(bytes);
  const secagg::RoundConfig config = fuzz::TakeConfig(source);
  if (!secagg::CheckRoundConfig(config).ok()) {
    return 0;
  }
  if (choice % 2 == 0) {
    fuzz::Encode(config, source);
  } else {
    fuzz::Decode(config, source);
  }
  return 0;
}
