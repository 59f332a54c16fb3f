#include "common/noise/bounds.h"

#include <array>
#include <cmath>

#include "common/base/rng.h"
#include "tests/catch.h"

namespace tutti::noise {
namespace {

Bounds Exactly(std::uint64_t whole, std::size_t limbs) {
  return {.lower = FixedPoint(whole, limbs), .upper = FixedPoint(whole, limbs)};
}

FixedPoint Scaled(std::uint64_t whole, std::size_t limbs, std::uint64_t times, std::uint64_t over) {
  FixedPoint number(whole, limbs);
  number.Multiply(times);
  number.Divide(over, false);
  return number;
}

}  // namespace

TEST_CASE("dividing rounds to the two neighbours of the true number", "[noise]") {
  FixedPoint below(1, 2);
  FixedPoint above(1, 2);
  below.Divide(3, false);
  above.Divide(3, true);
  REQUIRE(below < above);
  FixedPoint next = below;
  next.AddLastPlace();
  REQUIRE(next <= above);
  REQUIRE(above <= next);
  below.Multiply(3);
  above.Multiply(3);
  REQUIRE(below < FixedPoint(1, 2));
  REQUIRE(FixedPoint(1, 2) < above);
  FixedPoint whole(12, 2);
  whole.Divide(4, true);  // nothing to round
  REQUIRE(whole <= FixedPoint(3, 2));
  REQUIRE(FixedPoint(3, 2) <= whole);
}

TEST_CASE("a fraction's limbs come in the order of its digits", "[noise]") {
  const std::array<std::uint64_t, 2> three_quarters{0xc000000000000000U, 0};
  FixedPoint number(three_quarters);
  number.Multiply(4);
  REQUIRE(number <= FixedPoint(3, 2));
  REQUIRE(FixedPoint(3, 2) <= number);
}

TEST_CASE("the bounds of e to known powers hold 18 digits of it", "[noise]") {
  // e = 2.71828182845904523536..., e^10 = 22026.4657948067165169..., e^-1 by dividing.
  const Bounds e = TimesExp(Exactly(1, 4), {});
  REQUIRE(Scaled(2718281828459045235U, 4, 1, 1000000000000000000U) < e.lower);
  REQUIRE(e.upper < Scaled(2718281828459045236U, 4, 1, 1000000000000000000U));
  const Bounds ten = TimesExp(Exactly(1, 4), {.factors = {20, 1}, .power_of_two = -1});
  REQUIRE(Scaled(2202646579480671651U, 4, 1, 100000000000000U) < ten.lower);
  REQUIRE(ten.upper < Scaled(2202646579480671652U, 4, 1, 100000000000000U));
}

TEST_CASE("bounds enclose the number and close in on it with more limbs", "[noise]") {
  TestRng rng(1);
  for (int i = 0; i < 300; ++i) {
    const double sigma = std::ldexp(1 + rng.Unit(), static_cast<int>(rng.Below(20)));
    const auto x = static_cast<std::uint64_t>(rng.Unit() * 12 * sigma);
    const auto [mantissa, exponent] = ToDyadic(sigma);
    REQUIRE(std::ldexp(static_cast<double>(mantissa), exponent) == sigma);
    const Rational power{
        .factors = {x, x}, .divisors = {mantissa, mantissa}, .power_of_two = -2 * exponent - 1};
    const double z = static_cast<double>(x) / sigma;
    REQUIRE(power.Value() == Approx(z * z / 2).epsilon(1e-14));
    const Bounds narrow = TimesExp(Exactly(1, 6), power);
    const Bounds wide = TimesExp(Exactly(1, 3), power);
    REQUIRE((x == 0 || wide.lower < wide.upper));
    const auto expected = static_cast<std::uint64_t>(std::min(std::exp(z * z / 2), 1e18));
    if (expected < 1'000'000'000'000) {
      REQUIRE(FixedPoint(expected - expected / 1000000, 6) <= narrow.upper);
      REQUIRE(narrow.lower <= FixedPoint(expected + expected / 1000000 + 1, 6));
    }
    FixedPoint gap = narrow.lower;
    gap.Multiply(1'000'000'001);
    gap.Divide(1'000'000'000, true);
    REQUIRE(narrow.upper <= gap);
    REQUIRE(narrow.lower <= narrow.upper);
  }
}

}  // namespace tutti::noise
