#include "common/secagg/noised_encoding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/text.h"
#include "common/secagg/noised_range.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

using Kind = NoiseShare::Kind;

RoundConfig Config(std::uint64_t values, std::uint32_t bits, double value_clip,
                   std::uint32_t clients = 4) {
  RoundConfig config;
  config.level = ThreatLevel::kCurious;
  config.job = "noised";
  config.round = 1;
  config.values = values;
  config.value_bits = bits;
  config.value_clip = value_clip;
  config.min_cohort = 2;
  config.min_survivors = 2;
  config.max_cohort = clients;
  REQUIRE(TextOf(CheckRoundConfig(config)) == "");
  return config;
}

// The payload as signed numbers of the ring.
std::vector<std::int64_t> Numbers(const RingVector& vector) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < vector.layout().values; ++i) {
    numbers.push_back(SignedValue(vector, i));
  }
  return numbers;
}

double Length(const std::vector<std::int64_t>& numbers) {
  double sum = 0;
  for (const std::int64_t number : numbers) {
    sum += static_cast<double>(number) * static_cast<double>(number);
  }
  return std::sqrt(sum);
}

std::vector<std::int64_t> Encoded(const RoundConfig& config, std::span<const float> values,
                                  const IntegerNoise& noise, SecureRng& rng) {
  StatusOr<EncodedUpdate> update = EncodeNoised(config, values, noise, rng);
  REQUIRE(TextOf(update.status()) == "");
  return Numbers(update->vector);
}

}  // namespace

TEST_CASE("without noise a value becomes one of its two neighbours on the grid, without bias",
          "[secagg][statistical]") {
  const RoundConfig config = Config(2, 8, 12.7);
  REQUIRE(GridStep(config) == Approx(0.1));
  SeededSecureRng rng(1);
  const std::vector<float> values{0.325F, -0.325F};
  double sums[2] = {0, 0};
  constexpr int kDraws = 40'000;
  for (int i = 0; i < kDraws; ++i) {
    const auto numbers = Encoded(config, values, {.clip_limit = 1}, rng);
    REQUIRE((numbers[0] == 3 || numbers[0] == 4));
    REQUIRE((numbers[1] == -3 || numbers[1] == -4));
    sums[0] += static_cast<double>(numbers[0]);
    sums[1] += static_cast<double>(numbers[1]);
  }
  // Five standard errors of a coin of probability 1/4: 0.011.
  REQUIRE(std::abs(sums[0] / kDraws - 3.25) < 0.011);
  REQUIRE(std::abs(sums[1] / kDraws + 3.25) < 0.011);
}

TEST_CASE("values are clamped before the noise and never after", "[secagg]") {
  const RoundConfig config = Config(1000, 12, 4);
  const double step = GridStep(config);
  SeededSecureRng rng(2);
  const std::vector<float> large(1000, 100.0F);
  const IntegerNoise noise{.share = {Kind::kDiscreteGaussian, 0.5}, .clip_limit = 1};
  StatusOr<EncodedUpdate> update = EncodeNoised(config, large, noise, rng);
  REQUIRE(update.ok());
  REQUIRE(update->clipped_values == 1000);
  REQUIRE(update->vector.extras()[0] == 1);
  const auto numbers = Numbers(update->vector);
  const double limit = 1 / step;
  double mean = 0;
  for (const std::int64_t number : numbers) {
    mean += static_cast<double>(number) / 1000;
  }
  REQUIRE(std::abs(mean - limit) < 5 * 0.5 / step / std::sqrt(1000.0));
  const auto above = std::count_if(numbers.begin(), numbers.end(), [&](std::int64_t number) {
    return static_cast<double>(number) > limit + 1;
  });
  REQUIRE(above > 400);  // half of the noise is above the clamp
}

TEST_CASE("the noise has the stddev asked for and leaves the ring's sum whole", "[secagg]") {
  // Shares so large that single values wrap around: the sum is right, for its own range is kept.
  for (const Kind kind : {Kind::kDiscreteGaussian, Kind::kSkellam}) {
    const RoundConfig config = Config(20'000, 10, 8, 3);
    const double step = GridStep(config);
    SeededSecureRng rng(3);
    const std::vector<float> values(20'000, 0.25F);
    RingVector sum(config.layout());
    for (int client = 0; client < 3; ++client) {
      const IntegerNoise noise{.share = {kind, 1.5}, .clip_limit = 1};
      StatusOr<EncodedUpdate> update = EncodeNoised(config, values, noise, rng);
      REQUIRE(TextOf(update.status()) == "");
      REQUIRE(sum.AddWire(ToWire(update->vector), 0).ok());
    }
    const StatusOr<DecodedSum> decoded = DecodeSum(config, sum, 3);
    REQUIRE(TextOf(decoded.status()) == "");
    double mean = 0;
    double square = 0;
    for (const float value : decoded->mean) {
      mean += static_cast<double>(value) / 20'000;
      square += std::pow(static_cast<double>(value) - 0.25, 2) / 20'000;
    }
    const double expected = 1.5 * 1.5 / 3;  // of the mean; rounding adds at most step^2 / 4
    REQUIRE(std::abs(mean - 0.25) < 5 * std::sqrt(expected / 20'000));
    REQUIRE(std::abs(square - expected) < 5 * expected * std::sqrt(2.0 / 20'000) + step * step / 4);
  }
}

TEST_CASE("no rounding is longer than the bound, however often it is drawn", "[secagg]") {
  TestRng draw(5);
  SeededSecureRng rng(6);
  constexpr std::size_t kValues = 400;
  const RoundConfig config = Config(kValues, 16, 32.767);  // step 0.001
  std::vector<float> values(kValues);
  for (int i = 0; i < 200; ++i) {
    double square = 0;
    for (float& value : values) {
      value = static_cast<float>((2 * draw.Unit() - 1) * 0.005);
      square += std::pow(static_cast<double>(value) / GridStep(config), 2);
    }
    // Kairouz, Liu, Steinke 2021, Theorem 1, beta = e^-1/2.
    const double length = std::sqrt(square);
    const double root = std::sqrt(static_cast<double>(kValues));
    const double bound =
        std::min(length + root, std::sqrt(square + kValues / 4.0 + length + root / 2));
    REQUIRE(Length(Encoded(config, values, {.clip_limit = 1, .l2_bound = bound}, rng)) <= bound);
    // A bound that only rounding every value towards zero fits.
    std::vector<std::int64_t> towards_zero(kValues);
    std::transform(values.begin(), values.end(), towards_zero.begin(), [&](double value) {
      return static_cast<std::int64_t>(value / GridStep(config));
    });
    const double least = Length(towards_zero) * (1 + 1e-12);
    REQUIRE(Encoded(config, values, {.clip_limit = 1, .l2_bound = least}, rng) == towards_zero);
  }
}

TEST_CASE("a bound is kept to the last unit of the squared length", "[secagg]") {
  // 3, 4 on the grid: length 5 exactly. The bound's own square must not round up.
  const RoundConfig config = Config(2, 16, 32767);
  SeededSecureRng rng(7);
  const std::vector<float> values{3, 4};
  REQUIRE(EncodeNoised(config, values, {.clip_limit = 10, .l2_bound = 5.000001}, rng).ok());
  for (const double bound : {4.999999, 4.0, 1e-300}) {
    const auto refused =
        EncodeNoised(config, values, {.clip_limit = 10, .l2_bound = bound}, rng).status();
    REQUIRE(refused.code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(refused).find("5 grid units long") != std::string::npos);
  }
}

TEST_CASE("the norm is taken of the signal, so noise neither helps nor hurts", "[secagg]") {
  const RoundConfig config = Config(100, 16, 32767);
  SeededSecureRng rng(8);
  const std::vector<float> zeros(100, 0.0F);
  const IntegerNoise noise{
      .share = {Kind::kDiscreteGaussian, 50}, .clip_limit = 1, .l2_bound = 0.5};
  REQUIRE(Length(Encoded(config, zeros, noise, rng)) > 250);
}

TEST_CASE("lanes for metrics are there beside noised values, and empty", "[secagg]") {
  SeededSecureRng rng(8);
  RoundConfig config = Config(3, 16, 1);
  config.extra_lanes = 9;
  const std::vector<float> values(3, 0.1F);
  const auto update =
      EncodeNoised(config, values, {.share = {Kind::kSkellam, 0.01}, .clip_limit = 0.5}, rng);
  REQUIRE(TextOf(update.status()) == "");
  REQUIRE(update->vector.extras().size() == 9);
  REQUIRE(update->vector.extras()[0] == 1);
  for (const std::uint32_t lane : update->vector.extras().subspan(1)) REQUIRE(lane == 0);
}

TEST_CASE("noised values are refused where they do not fit the round", "[secagg]") {
  SeededSecureRng rng(9);
  const RoundConfig good = Config(3, 16, 1);
  const std::vector<float> values(3, 0.1F);
  const IntegerNoise noise{.share = {Kind::kSkellam, 0.01}, .clip_limit = 0.5};
  REQUIRE(EncodeNoised(good, values, noise, rng).ok());
  const auto refuses = [&](const RoundConfig& config, std::span<const float> update,
                           const IntegerNoise& asked) {
    return EncodeNoised(config, update, asked, rng).status().code() == StatusCode::kInvalidArgument;
  };
  RoundConfig weighted = good;
  weighted.weight_bits = 4;
  REQUIRE(refuses(weighted, values, noise));
  RoundConfig laneless = good;
  laneless.extra_lanes = 0;
  REQUIRE(refuses(laneless, values, noise));
  REQUIRE(refuses(good, std::span(values).first(2), noise));
  const float bad[3] = {0, std::numeric_limits<float>::quiet_NaN(), 0};
  REQUIRE(refuses(good, bad, noise));
  for (const double limit : {0.0, -1.0, 1.5, std::nan("")}) {
    REQUIRE(refuses(good, values, {.share = noise.share, .clip_limit = limit}));
  }
  for (const double bound : {-1.0, std::nan(""), HUGE_VAL}) {
    REQUIRE(refuses(good, values, {.share = noise.share, .clip_limit = 0.5, .l2_bound = bound}));
  }
  for (const double stddev : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    REQUIRE(refuses(good, values, {.share = {Kind::kDiscreteGaussian, stddev}, .clip_limit = 0.5}));
  }
}

TEST_CASE("a planned range holds the signal, the noise and the rounding", "[secagg]") {
  NoisedRangeRequest request{.signal_clip = 0.5,
                             .share = {Kind::kDiscreteGaussian, 0.3},
                             .fewest_clients = 10,
                             .values = 1'000'000,
                             .value_bits = 16};
  for (const Kind kind : {Kind::kDiscreteGaussian, Kind::kSkellam}) {
    request.share.kind = kind;
    const StatusOr<NoisedRange> range = PlanNoisedRange(request);
    REQUIRE(TextOf(range.status()) == "");
    // 2 d e^(-K^2 / 2) = 2^-40: K = 9.19 for a normal number.
    REQUIRE(range->stddevs == Approx(9.19).epsilon(kind == Kind::kSkellam ? 0.02 : 1e-3));
    REQUIRE(range->overflow_probability <= 0x1p-40);
    REQUIRE(range->step == Approx(GridStep(Config(4, 16, range->value_clip))));
    REQUIRE(range->share_steps == Approx(0.3 / range->step));
    const double room = range->stddevs * 0.3 / std::sqrt(10.0);
    REQUIRE(range->value_clip >= 0.5 + room + range->step * 0.999999);
    REQUIRE(range->value_clip < (0.5 + room) * 1.001);
  }
}

TEST_CASE("a small probability of leaving the range is one that is met", "[secagg][statistical]") {
  // Asked for 2 %, the bound is met by 400 sums of 50 values; Chernoff gives away about a factor of
  // 5, so some leave it.
  for (const Kind kind : {Kind::kDiscreteGaussian, Kind::kSkellam}) {
    const NoisedRangeRequest request{.signal_clip = 0.001,
                                     .share = {kind, 1},
                                     .fewest_clients = 2,
                                     .values = 50,
                                     .value_bits = 6,
                                     .overflow_probability = 0.5};
    const StatusOr<NoisedRange> range = PlanNoisedRange(request);
    REQUIRE(TextOf(range.status()) == "");
    const RoundConfig config = Config(50, 6, range->value_clip, 2);
    SeededSecureRng rng(10);
    const std::vector<float> values(50, 1.0F);
    int left = 0;
    for (int i = 0; i < 400; ++i) {
      std::vector<std::int64_t> sum(50);
      for (int client = 0; client < 2; ++client) {
        // In a wider ring, so that nothing wraps.
        RoundConfig wide = config;
        wide.max_cohort = 1000;
        const auto numbers =
            Encoded(wide, values, {.share = request.share, .clip_limit = 0.001}, rng);
        std::transform(sum.begin(), sum.end(), numbers.begin(), sum.begin(), std::plus<>());
      }
      left += std::any_of(sum.begin(), sum.end(),
                          [](std::int64_t value) { return std::abs(value) > 2 * 31; })
                  ? 1
                  : 0;
    }
    REQUIRE(left <= 200 + 50);  // five standard errors above a half
    REQUIRE(left > 10);
  }
}

TEST_CASE("a share below two grid units is refused with what would do", "[secagg]") {
  NoisedRangeRequest request{.signal_clip = 1,
                             .share = {Kind::kDiscreteGaussian, 0.001},
                             .fewest_clients = 100,
                             .values = 1000,
                             .value_bits = 8};
  const Status refused = PlanNoisedRange(request).status();
  REQUIRE(refused.code() == StatusCode::kInvalidArgument);
  INFO(TextOf(refused));
  REQUIRE(TextOf(refused).find("raise value_bits to 12") != std::string::npos);
  request.value_bits = 12;
  REQUIRE(PlanNoisedRange(request).ok());
  REQUIRE(PlanNoisedRange(request)->share_steps >= kLeastShareSteps);
  request.value_bits = 11;
  REQUIRE_FALSE(PlanNoisedRange(request).ok());
  request.share.stddev = 1e-12;
  REQUIRE(TextOf(PlanNoisedRange(request).status()).find("not even 30 bits") != std::string::npos);
}

TEST_CASE("impossible requests for a range are refused", "[secagg]") {
  const NoisedRangeRequest good{.signal_clip = 1,
                                .share = {Kind::kSkellam, 1},
                                .fewest_clients = 3,
                                .values = 10,
                                .value_bits = 20};
  REQUIRE(PlanNoisedRange(good).ok());
  std::vector<NoisedRangeRequest> bad(9, good);
  bad[0].signal_clip = 0;
  bad[1].signal_clip = std::nan("");
  bad[2].share.stddev = -1;
  bad[3].share.kind = Kind::kNone;
  bad[4].fewest_clients = 0;
  bad[5].values = 0;
  bad[6].value_bits = 31;
  bad[7].overflow_probability = 0;
  bad[8].overflow_probability = 1;
  for (const NoisedRangeRequest& request : bad) {
    REQUIRE(PlanNoisedRange(request).status().code() == StatusCode::kInvalidArgument);
  }
}

}  // namespace tutti::secagg
