#include "common/dp/fft.h"

#include <algorithm>
#include <array>
#include <bit>
#include <kissfft/kissfft.hh>
#include <numbers>

#include "common/base/status.h"

namespace tutti::dp {

using Complex = std::complex<double>;

// A real transform of length n is one complex transform of length n / 2 and a step that takes the
// even and odd numbers' spectra apart.
struct RealFft::Plan {
  explicit Plan(std::size_t half) : forward(half, false), twiddles(half / 2 + 1) {
    for (std::size_t k = 0; k < twiddles.size(); ++k) {
      const double turn = static_cast<double>(k) / static_cast<double>(half);
      twiddles[k] = std::polar(1.0, -std::numbers::pi * turn);
    }
  }
  kissfft<double> forward;
  std::vector<Complex> twiddles;
};

std::size_t RealFft::FastLength(std::size_t at_least) {
  const std::size_t units = std::max<std::size_t>(1, (at_least + 15) / 16);
  std::size_t best = std::bit_ceil(units);
  for (const std::size_t odd : std::array<std::size_t, 4>{3, 5, 9, 15}) {
    const std::size_t rest = std::bit_ceil((units + odd - 1) / odd);
    best = std::min(best, rest * odd);
  }
  return best * 16;
}

RealFft::RealFft(std::size_t length) : length_(length), plan_(std::make_unique<Plan>(length / 2)) {
  TUTTI_CHECK(length >= 16 && length % 16 == 0);
}
RealFft::~RealFft() = default;

std::vector<Complex> RealFft::Forward(std::span<const double> values) const {
  TUTTI_CHECK(values.size() == length_);
  const std::size_t half = length_ / 2;
  std::vector<Complex> packed(half);
  for (std::size_t k = 0; k < half; ++k) packed[k] = {values[2 * k], values[2 * k + 1]};
  std::vector<Complex> z(half + 1);
  plan_->forward.transform(packed.data(), z.data());
  z[half] = z[0];
  for (std::size_t k = 0; k <= half / 2; ++k) {
    const Complex a = z[k];
    const Complex b = std::conj(z[half - k]);
    const Complex even = 0.5 * (a + b);
    const Complex difference = 0.5 * (a - b);
    const Complex odd{difference.imag(), -difference.real()};
    const Complex turned = plan_->twiddles[k] * odd;
    z[k] = even + turned;
    z[half - k] = std::conj(even - turned);
  }
  return z;
}

std::vector<double> RealFft::Inverse(std::span<const Complex> spectrum) const {
  const std::size_t half = length_ / 2;
  TUTTI_CHECK(spectrum.size() == half + 1);
  // The inverse is the conjugate of the transform of the conjugate.
  std::vector<Complex> packed(half);
  for (std::size_t k = 0; k <= half / 2; ++k) {
    const Complex a = spectrum[k];
    const Complex b = std::conj(spectrum[half - k]);
    const Complex even = 0.5 * (a + b);
    const Complex odd = 0.5 * (a - b) * std::conj(plan_->twiddles[k]);
    packed[k] = {even.real() - odd.imag(), -even.imag() - odd.real()};
    if (k > 0) packed[half - k] = {even.real() + odd.imag(), even.imag() - odd.real()};
  }
  std::vector<Complex> z(half);
  plan_->forward.transform(packed.data(), z.data());
  std::vector<double> values(length_);
  const double scale = 1 / static_cast<double>(half);
  for (std::size_t k = 0; k < half; ++k) {
    values[2 * k] = z[k].real() * scale;
    values[2 * k + 1] = -z[k].imag() * scale;
  }
  return values;
}

}  // namespace tutti::dp
