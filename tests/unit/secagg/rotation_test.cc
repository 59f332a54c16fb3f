#include "common/secagg/rotation.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "common/base/rng.h"
#include "tests/catch.h"

namespace tutti::secagg {
namespace {

ByteArray<32> Seed(std::uint8_t first) {
  ByteArray<32> seed{};
  seed[0] = first;
  return seed;
}

double Length(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

double Distance(std::span<const float> a, std::span<const float> b) {
  std::vector<float> difference(a.size());
  std::transform(a.begin(), a.end(), b.begin(), difference.begin(), std::minus<>());
  return Length(difference);
}

std::vector<float> Padded(const RotationShape& shape, std::uint64_t seed) {
  TestRng rng(seed);
  std::vector<float> data(shape.padded_values());
  for (std::uint64_t i = 0; i < shape.values; ++i) {
    data[i] = static_cast<float>(2 * rng.Unit() - 1);
  }
  return data;
}

const std::vector<RotationShape> kShapes = {
    {.values = 0, .block_bits = 4},      {.values = 1, .block_bits = 0},
    {.values = 1, .block_bits = 12},     {.values = 5, .block_bits = 2},
    {.values = 7, .block_bits = 12},     {.values = 8, .block_bits = 3},
    {.values = 63, .block_bits = 4},     {.values = 1000, .block_bits = 6},
    {.values = 4096, .block_bits = 12},  {.values = 4097, .block_bits = 12},
    {.values = 9000, .block_bits = 13},  {.values = 33000, .block_bits = 15},
    {.values = 70001, .block_bits = 16}, {.values = 300000, .block_bits = 20}};

}  // namespace

TEST_CASE("only a rotation's last block is padded, to a power of two", "[rotation]") {
  REQUIRE(RotationShape{.values = 0, .block_bits = 3}.padded_values() == 0);
  REQUIRE(RotationShape{.values = 8, .block_bits = 3}.padded_values() == 8);
  REQUIRE(RotationShape{.values = 9, .block_bits = 3}.padded_values() == 9);
  REQUIRE(RotationShape{.values = 13, .block_bits = 3}.padded_values() == 16);
  REQUIRE(RotationShape{.values = 11, .block_bits = 3}.padded_values() == 12);
  REQUIRE(RotationShape{.values = 1000, .block_bits = 16}.padded_values() == 1024);
}

TEST_CASE("the transform is the one of its definition", "[rotation]") {
  // Entry (i, j) is sign_j (-1)^(ones in i & j) / sqrt(block): signs are read off the columns.
  for (const std::uint32_t bits : {1U, 2U, 3U, 4U, 6U, 7U, 9U}) {
    const RotationShape shape{.values = std::uint64_t{1} << bits, .block_bits = bits};
    const std::size_t size = shape.values;
    std::size_t negative = 0;
    for (std::size_t j = 0; j<size; j += size> 64 ? 37 : 1) {
      std::vector<float> unit(size);
      unit[j] = 1;
      REQUIRE(Rotate(shape, Seed(1), unit).ok());
      const float sign = unit[0] < 0 ? -1.0F : 1.0F;
      negative += sign < 0 ? 1 : 0;
      for (std::size_t i = 0; i < size; ++i) {
        const double entry = (std::popcount(i & j) % 2 == 0 ? 1 : -1) / std::sqrt(size);
        REQUIRE(static_cast<double>(unit[i] * sign) == Approx(entry).epsilon(1e-6));
      }
    }
    REQUIRE((bits < 6 || negative > 0));
  }
}

TEST_CASE("a rotation keeps lengths and its inverse gives the values back", "[rotation]") {
  for (const RotationShape& shape : kShapes) {
    const std::vector<float> original = Padded(shape, 3);
    std::vector<float> data = original;
    REQUIRE(Rotate(shape, Seed(2), data).ok());
    // The header's bound, for either way.
    const double allowed = (shape.block_bits + 2) * 0x1p-24 * Length(original);
    INFO(shape.values << " values in blocks of 2^" << shape.block_bits);
    REQUIRE(std::abs(Length(data) - Length(original)) <= allowed);
    REQUIRE((shape.values < 2 || Distance(data, original) > 0));
    REQUIRE(InverseRotate(shape, Seed(2), data).ok());
    REQUIRE(Distance(data, original) <= 2 * allowed);
  }
}

TEST_CASE("blocks do not mix and the rotated sum is the sum of the rotated", "[rotation]") {
  const RotationShape shape{.values = 1000, .block_bits = 8};
  std::vector<float> one = Padded(shape, 4);
  std::vector<float> other = Padded(shape, 5);
  std::vector<float> sum(one.size());
  std::transform(one.begin(), one.end(), other.begin(), sum.begin(), std::plus<>());
  REQUIRE(Rotate(shape, Seed(3), one).ok());
  REQUIRE(Rotate(shape, Seed(3), other).ok());
  REQUIRE(Rotate(shape, Seed(3), sum).ok());
  std::vector<float> of_rotated(one.size());
  std::transform(one.begin(), one.end(), other.begin(), of_rotated.begin(), std::plus<>());
  REQUIRE(Distance(sum, of_rotated) < 1e-4);

  std::vector<float> first(shape.padded_values());
  first[3] = 1;
  REQUIRE(Rotate(shape, Seed(3), first).ok());
  REQUIRE(std::all_of(first.begin(), first.begin() + 256, [](float v) { return v != 0; }));
  REQUIRE(std::all_of(first.begin() + 256, first.end(), [](float v) { return v == 0; }));
}

TEST_CASE("a rotation flattens the vectors it should", "[rotation][statistical]") {
  // Each rotated value is a sum of 2^16 independent signs: below t lengths / 256 but for
  // probability 2 e^(-t^2 / 2) (Hoeffding). t = 8.2 for 2^16 values: 4e-10 in all.
  const RotationShape shape{.values = 65536, .block_bits = 16};
  for (const int kind : {0, 1, 2}) {
    std::vector<float> data(shape.padded_values());
    TestRng rng(9);
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = kind == 0   ? 1.0F
                : kind == 1 ? (i < 10 ? 30.0F : 0.0F)
                            : static_cast<float>(std::pow(rng.Unit(), 9));
    }
    const double length = Length(data);
    REQUIRE(Rotate(shape, Seed(4), data).ok());
    const float largest = *std::max_element(
        data.begin(), data.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
    REQUIRE(std::abs(static_cast<double>(largest)) < 8.2 * length / 256);
  }
}

TEST_CASE("another seed is another rotation", "[rotation]") {
  const RotationShape shape{.values = 512, .block_bits = 9};
  std::vector<float> one = Padded(shape, 6);
  std::vector<float> other = one;
  std::vector<float> same = one;
  REQUIRE(Rotate(shape, Seed(5), one).ok());
  REQUIRE(Rotate(shape, Seed(6), other).ok());
  REQUIRE(Rotate(shape, Seed(5), same).ok());
  REQUIRE(one == same);
  REQUIRE(Distance(one, other) > 1);
}

TEST_CASE("a rotation of the wrong size is refused", "[rotation]") {
  std::vector<float> data(17);
  REQUIRE(Rotate({.values = 17, .block_bits = 25}, Seed(1), data).code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(Rotate({.values = 16, .block_bits = 4}, Seed(1), data).code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(InverseRotate({.values = 18, .block_bits = 4}, Seed(1), data).code() ==
          StatusCode::kInvalidArgument);
}

}  // namespace tutti::secagg
