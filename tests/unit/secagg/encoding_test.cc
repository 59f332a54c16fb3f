#include "common/secagg/encoding.h"

#include <cmath>
#include <limits>

#include "common/base/text.h"
#include "common/secagg/accumulator.h"
#include "common/secagg/rounding_kernel.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

RoundConfig EncodingConfig(std::uint64_t values, std::uint32_t bits, std::uint32_t weight_bits,
                           std::uint32_t clients) {
  RoundConfig config;
  config.level = ThreatLevel::kCurious;
  config.job = "encoding";
  config.round = 1;
  config.values = values;
  config.value_bits = bits;
  config.value_clip = 0.5;
  config.weight_bits = weight_bits;
  config.min_cohort = 2;
  config.min_survivors = 2;
  config.max_cohort = clients;
  REQUIRE(TextOf(CheckRoundConfig(config)) == "");
  return config;
}

std::vector<float> Values(std::uint64_t count, TestRng& draw, double size) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>((2 * draw.Unit() - 1) * size);
  }
  return values;
}

// Sum of the clients' encodings without masks.
RingVector SumOf(const std::vector<EncodedUpdate>& updates) {
  RingVector sum(updates.front().vector.layout());
  for (const EncodedUpdate& update : updates) {
    REQUIRE(sum.AddWire(ToWire(update.vector), 0).ok());
  }
  return sum;
}

}  // namespace

TEST_CASE("the decoded mean is within the stated error of the true one at every width",
          "[secagg]") {
  TestRng draw(6);
  SeededSecureRng rng(7);
  for (const std::uint32_t bits : {4U, 8U, 16U, 20U, 24U, 29U}) {
    for (const std::uint32_t weight_bits : {0U, 10U}) {
      const std::uint32_t clients = 4;
      const RoundConfig config = EncodingConfig(500, bits, weight_bits, clients);
      std::vector<EncodedUpdate> updates;
      std::vector<double> exact(500, 0.0);
      double weight_sum = 0;
      for (std::uint32_t i = 0; i < clients; ++i) {
        const std::vector<float> values = Values(500, draw, 0.5);
        const auto weight =
            static_cast<std::uint32_t>(1 + draw.Below(std::uint64_t{1} << weight_bits));
        weight_sum += weight;
        for (std::size_t v = 0; v < values.size(); ++v) {
          exact[v] += static_cast<double>(values[v]) * weight;
        }
        StatusOr<EncodedUpdate> update = EncodeUpdate(config, values, weight, {}, rng);
        REQUIRE(TextOf(update.status()) == "");
        updates.push_back(*std::move(update));
      }
      const StatusOr<DecodedSum> decoded = DecodeSum(config, SumOf(updates), clients);
      REQUIRE(TextOf(decoded.status()) == "");
      REQUIRE(static_cast<double>(decoded->weight_sum) == weight_sum);
      const double step = 0.5 / (std::exp2(bits - 1.0) - 1);
      const double bound = clients * std::exp2(weight_bits) / weight_sum * step;
      for (std::size_t v = 0; v < exact.size(); ++v) {
        INFO("bits " << bits << " weight bits " << weight_bits << " value " << v);
        // A float holds 24 bits: the mean, below 0.5, is rounded by at most 2^-25 of 0.5.
        REQUIRE(std::abs(static_cast<double>(decoded->mean[v]) - exact[v] / weight_sum) <=
                bound + 0x1.0p-25);
      }
    }
  }
}

TEST_CASE("the extremes of the bit budget add up exactly", "[secagg]") {
  SeededSecureRng rng(8);
  struct Case {
    std::uint32_t bits, clients;
  };
  for (const Case c :
       {Case{30, 3}, Case{29, 4}, Case{20, 4095}, Case{16, 60}, Case{9, 100}, Case{30, 500}}) {
    RoundConfig config = EncodingConfig(3, c.bits, 0, c.clients);
    const std::vector<float> update = {0.5F, -0.5F, 0.0F};
    Accumulator sum(config.layout());
    for (std::uint32_t i = 0; i < c.clients; ++i) {
      REQUIRE(sum.Add(ToWire(EncodeUpdate(config, update, 1, {}, rng)->vector), 0).ok());
    }
    const StatusOr<DecodedSum> decoded = DecodeSum(config, sum.sum(), c.clients);
    REQUIRE(TextOf(decoded.status()) == "");
    INFO("bits " << c.bits << " clients " << c.clients);
    REQUIRE(std::abs(decoded->mean[0] - 0.5F) <= 0.5F * 0x1.0p-23F);
    REQUIRE(std::abs(decoded->mean[1] + 0.5F) <= 0.5F * 0x1.0p-23F);
    REQUIRE(std::abs(decoded->mean[2]) == 0);
    const auto most =
        static_cast<std::int64_t>(c.clients) * ((std::int64_t{1} << (c.bits - 1)) - 1);
    REQUIRE(SignedValue(sum.sum(), 0) == most);
    REQUIRE(SignedValue(sum.sum(), 1) == -most);
  }
}

TEST_CASE("stochastic rounding is unbiased", "[secagg]") {
  // Mean of 2^20 roundings of one value between two steps: the standard error is at most 0.5 / 2^10
  // of a step; five of them are passed with probability 1 - 6e-7. Fixed seed.
  SeededSecureRng rng(9);
  const RoundConfig config = EncodingConfig(1 << 20, 4, 0, 4);  // 7 steps to the clip of 0.5
  for (const float value : {0.01F, -0.01F, 0.2F, -0.33F}) {
    const std::vector<float> values(config.values, value);
    const StatusOr<EncodedUpdate> update = EncodeUpdate(config, values, 1, {}, rng);
    double total = 0;
    for (std::size_t i = 0; i < config.values; ++i) {
      total += static_cast<double>(SignedValue(update->vector, i));
    }
    const double mean = total / static_cast<double>(config.values);
    REQUIRE(std::abs(mean - static_cast<double>(value) * 14) < 5 * 0.5 / 1024);
  }
}

TEST_CASE("values beyond the clip are clipped and counted", "[secagg]") {
  SeededSecureRng rng(10);
  const RoundConfig config = EncodingConfig(4, 16, 0, 4);
  const std::vector<float> values = {3.0F, -7.0F, 0.5F, 0.1F};
  const StatusOr<EncodedUpdate> update = EncodeUpdate(config, values, 1, {}, rng);
  REQUIRE(update->clipped_values == 2);
  REQUIRE(SignedValue(update->vector, 0) == 32767);
  REQUIRE(SignedValue(update->vector, 1) == -32767);
  REQUIRE(SignedValue(update->vector, 2) == 32767);
}

TEST_CASE("an update that does not fit the round is refused", "[secagg]") {
  SeededSecureRng rng(11);
  RoundConfig config = EncodingConfig(3, 16, 4, 8);
  config.extra_lanes = 2;
  const std::vector<std::uint32_t> metrics = {5};
  const std::vector<float> good = {0.1F, 0.2F, 0.3F};
  REQUIRE(EncodeUpdate(config, good, 16, metrics, rng).ok());
  REQUIRE_FALSE(EncodeUpdate(config, std::vector<float>{0.1F, 0.2F}, 1, metrics, rng).ok());
  REQUIRE_FALSE(EncodeUpdate(config, good, 0, metrics, rng).ok());
  REQUIRE_FALSE(EncodeUpdate(config, good, 17, metrics, rng).ok());
  REQUIRE_FALSE(EncodeUpdate(config, good, 1, {}, rng).ok());
  REQUIRE_FALSE(EncodeUpdate(config, good, 1, std::vector<std::uint32_t>{1U << 29}, rng).ok());
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const StatusOr<EncodedUpdate> update =
        EncodeUpdate(config, std::vector<float>{0.1F, bad, 0.3F}, 1, metrics, rng);
    REQUIRE(TextOf(update.status()).find("at place 1") != std::string::npos);
  }
}

TEST_CASE("metrics and weights are summed beside the values", "[secagg]") {
  SeededSecureRng rng(12);
  RoundConfig config = EncodingConfig(1, 16, 4, 8);
  config.extra_lanes = 3;
  std::vector<EncodedUpdate> updates;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    updates.push_back(*EncodeUpdate(config, std::vector<float>{0.25F}, 4 * i,
                                    std::vector<std::uint32_t>{i, 100 * i}, rng));
  }
  const StatusOr<DecodedSum> decoded = DecodeSum(config, SumOf(updates), 3);
  REQUIRE(decoded->weight_sum == 24);
  REQUIRE(decoded->metrics == std::vector<std::uint32_t>{6, 600});
}

TEST_CASE("a sum that honest clients cannot give is not decoded", "[secagg]") {
  const RoundConfig config = EncodingConfig(2, 8, 2, 4);
  const auto decode = [&config](std::int64_t first, std::int64_t second, std::uint32_t weight) {
    RingVector sum(config.layout());
    SetValue(sum, 0, first);
    SetValue(sum, 1, second);
    sum.extras()[0] = weight;
    return DecodeSum(config, sum, 3).status().code();
  };
  REQUIRE(decode(384, -384, 3) == StatusCode::kOk);
  REQUIRE(decode(385, 0, 3) == StatusCode::kDataLoss);
  REQUIRE(decode(0, -385, 3) == StatusCode::kDataLoss);
  REQUIRE(decode(0, 0, 2) == StatusCode::kDataLoss);
  REQUIRE(decode(0, 0, 13) == StatusCode::kDataLoss);
  REQUIRE(decode(0, 0, 12) == StatusCode::kOk);
  RingLayout other = config.layout();
  ++other.bits;
  REQUIRE(DecodeSum(config, RingVector(other), 3).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(DecodeSum(config, RingVector(config.layout(), 0, 2), 3).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(DecodeSum(config, RingVector(config.layout()), 0).status().code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("the rounding loop equals its definition value by value", "[secagg]") {
  TestRng draw(13);
  const std::vector<float> values = Values(1003, draw, 0.7);
  std::vector<std::uint32_t> random(values.size());
  for (std::uint32_t& word : random) {
    word = static_cast<std::uint32_t>(draw.Next());
  }
  random[0] = 0;
  random[1] = ~0U;
  const RoundingScale scale{.clip = 0.5, .scale = 65534, .bound = 32767};
  std::vector<std::uint32_t> lanes(values.size());
  std::uint64_t clipped = 0;
  const std::uint64_t counted = RoundStochastically(values, random, scale, lanes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double limited = std::min(0.5, std::max(-0.5, static_cast<double>(values[i])));
    clipped += std::abs(values[i]) > 0.5F;
    const double moved =
        std::min(32767.0, std::max(-32767.0, limited * 65534)) + (random[i] >> 8) * 0x1.0p-24;
    REQUIRE(static_cast<std::int32_t>(lanes[i]) == static_cast<std::int32_t>(std::floor(moved)));
  }
  REQUIRE(counted == clipped);
}

TEST_CASE("removing more masks than one group holds leaves the plain sum", "[secagg]") {
  TestRng draw(14);
  const RingLayout layout{.values = 8999, .extra_lanes = 1, .bits = 27};  // more than 32 KiB
  RingVector vector(layout);
  FillVector(vector, [&draw] { return draw.Next(); });
  const Bytes plain = ToWire(vector);
  std::vector<LeftoverMask> masks(1003);
  SeededSecureRng rng(15);
  for (LeftoverMask& mask : masks) {
    rng.Fill(mask.seed.mutable_view());
    mask.in_sum_positive = draw.Below(2) == 0;
    const RingVector::Mask added[] = {
        {.key = crypto::MaskKey(mask.seed), .subtract = !mask.in_sum_positive}};
    REQUIRE(vector.AddMasks(added, 0, layout.positions()).ok());
  }
  Accumulator sum(layout);
  REQUIRE(sum.Add(ToWire(vector), 0).ok());
  REQUIRE(sum.RemoveMasks(masks, 0, 5000).ok());
  REQUIRE(sum.RemoveMasks(masks, 5000, 4000).ok());
  REQUIRE(ToWire(sum.sum()) == plain);
  REQUIRE(sum.RemoveMasks({}, 0, 9001).code() == StatusCode::kOutOfRange);
}

}  // namespace tutti::secagg
