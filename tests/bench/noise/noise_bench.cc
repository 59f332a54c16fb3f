#include "tests/bench/noise/noise_bench.h"

#include <algorithm>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/noise/gaussian.h"
#include "common/noise/integer_noise.h"
#include "common/secagg/noised_encoding.h"
#include "common/secagg/rotation.h"
#include "tests/bench/secagg/cpu_time.h"

namespace tutti::bench {
namespace {

constexpr std::size_t kValues = 1'000'000;

// Of some, because all that disturbs a run makes it slower.
template <typename Work>
double BestMilliseconds(Work work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 20; ++i) {
    double seconds = 0;
    Timed(seconds, [&] {
      work();
      return 0;
    });
    best = std::min(best, 1e3 * seconds);
  }
  return best;
}

crypto::AesCtrStream FreshStream(SecureRng& rng) {
  Secret32 key;
  rng.Fill(key.mutable_view());
  return crypto::AesCtrStream(key);
}

double Gaussian(SecureRng& rng) {
  std::vector<float> values(kValues);
  return BestMilliseconds([&] {
    crypto::AesCtrStream bits = FreshStream(rng);
    noise::Gaussian draws(bits);
    noise::AddGridNoise({.stddev = 1, .step = 0x1p-24}, draws, values);
  });
}

// The tables are made anew each time, as in a round.
template <typename Sampler>
StatusOr<nlohmann::json> Integers(const std::vector<double>& parameters, SecureRng& rng) {
  nlohmann::json by_parameter;
  std::vector<std::int64_t> values(kValues);
  for (const double parameter : parameters) {
    TUTTI_TRY(Sampler::Make(parameter, rng).status());
    by_parameter[Join(parameter)] =
        BestMilliseconds([&] { Sampler::Make(parameter, rng)->AddTo(values); });
  }
  return by_parameter;
}

nlohmann::json Rotations() {
  nlohmann::json by_bits;
  for (const std::uint32_t bits : {12U, 16U, 20U}) {
    const secagg::RotationShape shape{.values = kValues, .block_bits = bits};
    std::vector<float> data(shape.padded_values(), 1.0F);
    const double milliseconds =
        BestMilliseconds([&] { secagg::Rotate(shape, {}, data).IgnoreError(); });
    by_bits[std::to_string(bits)] = milliseconds * 1e6 / static_cast<double>(data.size());
  }
  return by_bits;
}

secagg::RoundConfig EncodingConfig() {
  secagg::RoundConfig config;
  config.values = kValues;
  config.value_bits = 16;
  config.value_clip = 1;
  config.max_cohort = 100;
  return config;
}

}  // namespace

StatusOr<nlohmann::json> MeasureNoise() {
  crypto::SystemRng rng;
  nlohmann::json line{{"bench", "noise"},
                      {"build", TUTTI_BUILD_TYPE},
                      {"cores", std::thread::hardware_concurrency()},
                      {"values", kValues}};
  std::vector<std::uint8_t> bytes(8 * kValues);
  line["limit_cipher_ms"] = BestMilliseconds([&] { FreshStream(rng).Fill(bytes); });
  line["gaussian_ms"] = Gaussian(rng);
  TUTTI_ASSIGN(line["discrete_gaussian_ms"],
               Integers<noise::DiscreteGaussian>({2, 42, 1024, 65536, 1e9}, rng));
  TUTTI_ASSIGN(line["skellam_ms"], Integers<noise::Skellam>({8, 1e4, 1e10}, rng));
  TUTTI_ASSIGN(line["discrete_laplace_ms"], Integers<noise::DiscreteLaplace>({0.5, 1e-3}, rng));
  line["rotation_ms"] = Rotations();

  const secagg::RoundConfig config = EncodingConfig();
  const std::vector<float> values(kValues, 0.01F);
  line["encode_ms"] =
      BestMilliseconds([&] { secagg::EncodeUpdate(config, values, 1, {}, rng).IgnoreError(); });
  const secagg::IntegerNoise noise{.share = {secagg::NoiseShare::Kind::kDiscreteGaussian, 0.01},
                                   .clip_limit = 0.5,
                                   .l2_bound = 1e9};
  line["encode_noised_ms"] =
      BestMilliseconds([&] { secagg::EncodeNoised(config, values, noise, rng).IgnoreError(); });
  return line;
}

}  // namespace tutti::bench
