// Shares and differences estimated from counts that may carry privacy noise, with how far they may
// be off: by the sample the counts are of, and by the noise. Thread safety: value types and pure
// functions.
#pragma once

#include <limits>

namespace tutti::measure {

// 95 % of a normal distribution lie within this many standard deviations.
inline constexpr double kTwoSided95 = 1.959963984540054;

// Not known: value is NaN, because nothing was counted or the noise hides how much.
struct Estimate {
  double value = std::numeric_limits<double>::quiet_NaN();
  double sampling_stddev = 0;  // other examples of the same people would move it by so much
  double noise_stddev = 0;     // and the privacy noise moved it by so much
  bool known() const { return value == value; }
  double stddev() const;
  // 95 % of the time the true value is no further away. 0 when not known.
  double half_width() const { return kTwoSided95 * stddev(); }
  bool noise_dominates() const { return noise_stddev > sampling_stddev; }
};

// A count with the standard deviation of its noise; below 0 because of noise alone.
struct Count {
  double value = 0;
  double noise_stddev = 0;
};
Count operator+(Count a, Count b);  // of independent noise

// part / (part + rest), within [0, 1]; not known when the sum is below 1 or within four standard
// deviations of its noise. Sampling: the wider side of the score interval (Wilson 1927), so that
// shares of 0 and 1 are not taken for certain. Noise: to first order.
Estimate ShareOf(Count part, Count rest);

// The same of counts of a part and of the whole, each with noise of its own.
Estimate ShareOfAll(Count part, Count all);

// a - b of independent estimates; the sampling part as Newcombe 1998, method 10, with the wider
// sides.
Estimate Difference(const Estimate& a, const Estimate& b);

// x with P(|Z| > x) = probability for Z standard normal; probability in (0, 1), to 1e-9.
double TwoSidedQuantile(double probability);

}  // namespace tutti::measure
