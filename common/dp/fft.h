// The discrete Fourier transform of real numbers, for convolutions. Thread safety: confined to one
// thread. Source: kissfft (its C++ header, in double precision).
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tutti::dp {

// Transforms of one even length. Round trip error about 1e-16 * log2(length) of the largest value.
class RealFft {
 public:
  // The smallest length >= `at_least` (and >= 16) that transforms fast: 16 times a product of small
  // primes.
  static std::size_t FastLength(std::size_t at_least);

  explicit RealFft(std::size_t length);  // as FastLength gives it
  ~RealFft();
  RealFft(const RealFft&) = delete;
  RealFft& operator=(const RealFft&) = delete;

  std::size_t length() const { return length_; }
  // length / 2 + 1 values: frequencies 0 to length / 2. `values` has `length` numbers.
  std::vector<std::complex<double>> Forward(std::span<const double> values) const;
  // The numbers whose transform `spectrum` is; frequencies above those given are 0, which saves
  // time.
  std::vector<double> Inverse(std::span<const std::complex<double>> spectrum) const;

 private:
  std::vector<double> InverseInParts(std::span<const std::complex<double>> spectrum,
                                     std::size_t part) const;

  struct Plan;
  std::size_t length_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace tutti::dp
