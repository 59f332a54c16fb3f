// Numbers known to lie between two fixed-point numbers of any length: what decides a comparison
// with a real number without error, however close it is. Thread safety: value types.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti::noise {

// A non-negative number of 512 bits before the point and 64 * limbs after it.
class FixedPoint {
 public:
  static constexpr std::size_t kWholeLimbs = 8;
  // `fraction`: most significant limb first.
  explicit FixedPoint(std::span<const std::uint64_t> fraction);
  FixedPoint(std::uint64_t whole, std::size_t fraction_limbs);

  // Exact. Ends the process when 512 bits do not hold the result.
  void Multiply(std::uint64_t factor);
  void Add(const FixedPoint& other);  // of the same length
  void AddLastPlace();                // 2^(-64 * limbs)
  // To the next number below or above; `divisor` > 0.
  void Divide(std::uint64_t divisor, bool upwards);
  bool AtMostLastPlace() const;
  bool operator<(const FixedPoint& other) const;
  bool operator<=(const FixedPoint& other) const { return !(other < *this); }

 private:
  std::vector<std::uint64_t> limbs_;  // least significant first
};

// lower <= the number <= upper.
struct Bounds {
  FixedPoint lower;
  FixedPoint upper;

  void Multiply(std::uint64_t factor);
  void Divide(std::uint64_t divisor);
  void MultiplyByPowerOfTwo(int exponent);  // any sign
  void Add(const Bounds& other);
};

// An exponent given as a rational number: a product of whole numbers over another, times a power of
// two. At most 2^8.
struct Rational {
  std::uint64_t factors[2] = {1, 1};
  std::uint64_t divisors[2] = {1, 1};
  int power_of_two = 0;

  void Scale(Bounds& number) const;
  double Value() const;
};

// `number` times e^exponent, by the power series with a bound for its rest.
Bounds TimesExp(const Bounds& number, const Rational& exponent);

// value = mantissa * 2^exponent with a whole mantissa below 2^53; value > 0.
struct Dyadic {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};
Dyadic ToDyadic(double value);

}  // namespace tutti::noise
