#include "common/secagg/noised_encoding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/noise/integer_noise.h"
#include "common/secagg/rounding_kernel.h"

namespace tutti::secagg {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::size_t kBlock = 4096;
constexpr int kTries = 32;  // each fits with probability 1 - e^-1/2 = 0.39 or more

Status CheckNoise(const RoundConfig& config, const IntegerNoise& noise) {
  if (config.extra_lanes == 0) {
    return InvalidArgument("the round has no extra lane, expected one for the weights");
  }
  if (config.weight_bits != 0) {
    return InvalidArgument(Join("noised values have weight 1; the round has weight_bits = ",
                                config.weight_bits, ", expected 0"));
  }
  if (!(noise.clip_limit > 0 && noise.clip_limit <= config.value_clip)) {
    return InvalidArgument(Join("clip limit of the signal is ", noise.clip_limit,
                                ", expected above 0 and at most the round's value_clip ",
                                config.value_clip));
  }
  if (!(noise.l2_bound >= 0 && std::isfinite(noise.l2_bound))) {
    return InvalidArgument(
        Join("l2 bound is ", noise.l2_bound, " grid units, expected 0 or a positive number"));
  }
  return OkStatus();
}

// Exact: numbers are below 2^30, and 16 squares of them below 2^64.
Wide SquaredLength(std::span<const std::int32_t> numbers) {
  Wide sum = 0;
  while (!numbers.empty()) {
    const std::size_t count = std::min<std::size_t>(16, numbers.size());
    std::uint64_t part = 0;
    for (const std::int64_t number : numbers.first(count)) {
      part += static_cast<std::uint64_t>(number * number);
    }
    sum += part;
    numbers = numbers.subspan(count);
  }
  return sum;
}

// Not above bound^2: the product's rounding is taken off.
Wide LargestSquare(double bound) {
  const double square = std::nextafter(bound * bound, 0.0);
  return square < 0x1p120 ? static_cast<Wide>(square) : static_cast<Wide>(1) << 120;
}

std::uint64_t RoundAtRandom(std::span<const float> values, const RoundingScale& scale,
                            SecureRng& stream, std::span<std::int32_t> numbers) {
  std::array<std::uint32_t, kBlock> random;
  std::array<std::uint32_t, kBlock> lanes;
  std::uint64_t clipped = 0;
  for (std::size_t first = 0; first < values.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - first);
    const std::span<std::uint32_t> words(random.data(), count);
    const std::span<std::uint32_t> rounded(lanes.data(), count);
    stream.Fill({reinterpret_cast<std::uint8_t*>(words.data()), words.size_bytes()});
    clipped += RoundStochastically(values.subspan(first, count), words, scale, rounded);
    std::transform(rounded.begin(), rounded.end(),
                   numbers.begin() + static_cast<std::ptrdiff_t>(first),
                   [](std::uint32_t lane) { return static_cast<std::int32_t>(lane); });
  }
  return clipped;
}

void RoundTowardsZero(std::span<const float> values, const RoundingScale& scale,
                      std::span<std::int32_t> numbers) {
  std::transform(values.begin(), values.end(), numbers.begin(), [&](double value) {
    return static_cast<std::int32_t>(std::clamp(value * scale.scale, -scale.bound, scale.bound));
  });
}

struct Rounded {
  std::vector<std::int32_t> numbers;
  std::uint64_t clipped = 0;
};

StatusOr<Rounded> RoundWithin(std::span<const float> values, const RoundingScale& scale,
                              double l2_bound, SecureRng& stream) {
  Rounded rounded{.numbers = std::vector<std::int32_t>(values.size())};
  const Wide most = LargestSquare(l2_bound);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    rounded.clipped = RoundAtRandom(values, scale, stream, rounded.numbers);
    if (l2_bound == 0 || SquaredLength(rounded.numbers) <= most) {
      return rounded;
    }
  }
  RoundTowardsZero(values, scale, rounded.numbers);
  const Wide square = SquaredLength(rounded.numbers);
  if (square <= most) {
    return rounded;
  }
  return InvalidArgument(Join("update is ", std::sqrt(static_cast<double>(square)),
                              " grid units long even rounded towards zero, expected at most ",
                              l2_bound, "; clip it to the length the bound was made for"));
}

class ShareOfNoise {
 public:
  static StatusOr<ShareOfNoise> Make(const NoiseShare& share, double step, SecureRng& rng) {
    const double sigma = share.stddev / step;
    ShareOfNoise made;
    switch (share.kind) {
      case NoiseShare::Kind::kNone:
        break;
      case NoiseShare::Kind::kDiscreteGaussian: {
        TUTTI_ASSIGN(made.gaussian_, noise::DiscreteGaussian::Make(sigma, rng));
        break;
      }
      case NoiseShare::Kind::kSkellam: {
        TUTTI_ASSIGN(made.skellam_, noise::Skellam::Make(sigma * sigma, rng));
        break;
      }
    }
    return made;
  }
  void AddTo(std::span<std::int64_t> values) {
    if (gaussian_) {
      gaussian_->AddTo(values);
    }
    if (skellam_) {
      skellam_->AddTo(values);
    }
  }

 private:
  std::optional<noise::DiscreteGaussian> gaussian_;
  std::optional<noise::Skellam> skellam_;
};

void AddToLanes(std::span<const std::int32_t> numbers, ShareOfNoise& noise, RingVector& vector) {
  std::visit(
      [&](auto& lanes) {
        using Lane = typename std::decay_t<decltype(lanes)>::value_type;
        std::array<std::int64_t, kBlock> sums;
        for (std::size_t first = 0; first < numbers.size(); first += kBlock) {
          const std::size_t count = std::min(kBlock, numbers.size() - first);
          const std::span<std::int64_t> block(sums.data(), count);
          std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(first), count, block.begin());
          noise.AddTo(block);
          std::transform(block.begin(), block.end(),
                         lanes.begin() + static_cast<std::ptrdiff_t>(first),
                         [](std::int64_t sum) { return static_cast<Lane>(sum); });
        }
      },
      vector.payload());
}

}  // namespace

double GridStep(const RoundConfig& config) {
  return config.value_clip / static_cast<double>((std::uint64_t{1} << (config.value_bits - 1)) - 1);
}

StatusOr<EncodedUpdate> EncodeNoised(const RoundConfig& config, std::span<const float> values,
                                     const IntegerNoise& noise, SecureRng& rng) {
  TUTTI_TRY(CheckNoise(config, noise));
  const std::vector<std::uint32_t> no_metrics(config.extra_lanes - 1);
  TUTTI_TRY(CheckUpdate(config, values, 1, no_metrics));
  const double step = GridStep(config);
  TUTTI_ASSIGN(ShareOfNoise share, ShareOfNoise::Make(noise.share, step, rng));
  const RoundingScale scale{
      .clip = noise.clip_limit, .scale = 1 / step, .bound = noise.clip_limit / step};
  Secret32 key;
  rng.Fill(key.mutable_view());
  crypto::AesCtrStream stream(key);
  TUTTI_ASSIGN(const Rounded rounded, RoundWithin(values, scale, noise.l2_bound, stream));

  EncodedUpdate update{.vector = RingVector(config.layout()), .clipped_values = rounded.clipped};
  AddToLanes(rounded.numbers, share, update.vector);
  update.vector.extras()[0] = 1;
  return update;
}

}  // namespace tutti::secagg
