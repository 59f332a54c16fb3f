#include "common/noise/bounds.h"

#include <algorithm>
#include <cmath>

#include "common/base/status.h"

namespace tutti::noise {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr int kPieceBits = 62;  // of a power of two that is multiplied or divided by

}  // namespace

FixedPoint::FixedPoint(std::span<const std::uint64_t> fraction)
    : limbs_(fraction.rbegin(), fraction.rend()) {
  limbs_.resize(limbs_.size() + kWholeLimbs);
}

FixedPoint::FixedPoint(std::uint64_t whole, std::size_t fraction_limbs)
    : limbs_(fraction_limbs + kWholeLimbs) {
  limbs_[fraction_limbs] = whole;
}

void FixedPoint::Multiply(std::uint64_t factor) {
  Wide carry = 0;
  for (std::uint64_t& limb : limbs_) {
    carry += static_cast<Wide>(limb) * factor;
    limb = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  TUTTI_CHECK(carry == 0);
}

void FixedPoint::Add(const FixedPoint& other) {
  Wide carry = 0;
  for (std::size_t i = 0; i < limbs_.size(); ++i) {
    carry += static_cast<Wide>(limbs_[i]) + other.limbs_[i];
    limbs_[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  TUTTI_CHECK(carry == 0);
}

void FixedPoint::AddLastPlace() {
  for (std::uint64_t& limb : limbs_) {
    if (++limb != 0) {
      return;
    }
  }
  TUTTI_CHECK(false);
}

void FixedPoint::Divide(std::uint64_t divisor, bool upwards) {
  Wide rest = 0;
  for (auto limb = limbs_.rbegin(); limb != limbs_.rend(); ++limb) {
    rest = (rest << 64) | *limb;
    *limb = static_cast<std::uint64_t>(rest / divisor);
    rest %= divisor;
  }
  if (upwards && rest != 0) {
    AddLastPlace();
  }
}

bool FixedPoint::AtMostLastPlace() const {
  return limbs_[0] <= 1 && std::all_of(limbs_.begin() + 1, limbs_.end(),
                                       [](std::uint64_t limb) { return limb == 0; });
}

bool FixedPoint::operator<(const FixedPoint& other) const {
  return std::lexicographical_compare(limbs_.rbegin(), limbs_.rend(), other.limbs_.rbegin(),
                                      other.limbs_.rend());
}

void Bounds::Multiply(std::uint64_t factor) {
  lower.Multiply(factor);
  upper.Multiply(factor);
}

void Bounds::Divide(std::uint64_t divisor) {
  lower.Divide(divisor, false);
  upper.Divide(divisor, true);
}

void Bounds::MultiplyByPowerOfTwo(int exponent) {
  for (int left = std::abs(exponent); left > 0; left -= kPieceBits) {
    const std::uint64_t piece = std::uint64_t{1} << std::min(left, kPieceBits);
    exponent > 0 ? Multiply(piece) : Divide(piece);
  }
}

void Bounds::Add(const Bounds& other) {
  lower.Add(other.lower);
  upper.Add(other.upper);
}

void Rational::Scale(Bounds& number) const {
  // All that makes it larger first: rounding is not multiplied, and a term of a series ends at one
  // last place.
  number.Multiply(factors[0]);
  number.Multiply(factors[1]);
  number.MultiplyByPowerOfTwo(power_of_two);
  number.Divide(divisors[0]);
  number.Divide(divisors[1]);
}

double Rational::Value() const {
  return std::ldexp(static_cast<double>(factors[0]) / static_cast<double>(divisors[0]) *
                        (static_cast<double>(factors[1]) / static_cast<double>(divisors[1])),
                    power_of_two);
}

Bounds TimesExp(const Bounds& number, const Rational& exponent) {
  const double value = exponent.Value();
  TUTTI_CHECK(value <= 256);
  Bounds sum = number;
  Bounds term = number;
  for (std::uint64_t i = 1;; ++i) {
    exponent.Scale(term);
    term.Divide(i);
    sum.Add(term);
    // From here on each term is less than half of the one before: together less than this one.
    if (static_cast<double>(i) > 2.5 * value + 1 && term.upper.AtMostLastPlace()) {
      sum.upper.Add(term.upper);
      return sum;
    }
  }
}

Dyadic ToDyadic(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  return {.mantissa = static_cast<std::uint64_t>(std::ldexp(mantissa, 53)),
          .exponent = exponent - 53};
}

}  // namespace tutti::noise
