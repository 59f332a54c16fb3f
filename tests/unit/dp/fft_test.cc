#include "common/dp/fft.h"

#include <cmath>
#include <complex>

#include "common/base/rng.h"
#include "tests/catch.h"

namespace tutti::dp {
namespace {

TEST_CASE("the transform of a short signal is its definition", "[dp]") {
  TestRng rng(1);
  const RealFft fft(48);
  std::vector<double> values(48);
  for (double& value : values) value = rng.Unit() - 0.5;
  const auto spectrum = fft.Forward(values);
  REQUIRE(spectrum.size() == 25);
  for (std::size_t k = 0; k < spectrum.size(); ++k) {
    std::complex<double> sum = 0;
    for (std::size_t n = 0; n < 48; ++n) {
      sum += values[n] *
             std::polar(1.0, -2 * 3.14159265358979323846 * static_cast<double>(k * n) / 48);
    }
    REQUIRE(std::abs(spectrum[k] - sum) < 1e-13);
  }
}

TEST_CASE("frequencies of a long signal are their definition", "[dp]") {
  TestRng rng(3);
  for (const std::size_t at_least : {2000UL, 9000UL}) {
    const RealFft fft(RealFft::FastLength(at_least));
    std::vector<double> values(fft.length());
    for (double& value : values) value = rng.Unit() - 0.5;
    const auto spectrum = fft.Forward(values);
    const std::size_t half = fft.length() / 2;
    for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{77}, half / 2, half}) {
      std::complex<double> sum = 0;
      for (std::size_t n = 0; n < values.size(); ++n) {
        const double turn =
            static_cast<double>(k * n % fft.length()) / static_cast<double>(fft.length());
        sum += values[n] * std::polar(1.0, -2 * 3.14159265358979323846 * turn);
      }
      REQUIRE(std::abs(spectrum[k] - sum) < 1e-11);  // sums of thousands, one after the other
    }
  }
}

TEST_CASE("the inverse of a few low frequencies is that of the same with zeros above", "[dp]") {
  TestRng rng(4);
  for (const std::size_t at_least : {16UL, 700UL, 5000UL, 70000UL}) {
    const RealFft fft(RealFft::FastLength(at_least));
    for (const std::size_t few : {1UL, 2UL, 60UL, 300UL}) {
      if (few > fft.length() / 2 + 1) continue;
      std::vector<std::complex<double>> spectrum(few);
      for (auto& value : spectrum) value = {rng.Unit(), rng.Unit()};
      spectrum[0] = 1;
      const std::vector<double> values = fft.Inverse(spectrum);
      spectrum.resize(fft.length() / 2 + 1);
      const std::vector<double> same = fft.Inverse(spectrum);
      double worst = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        worst = std::max(worst, std::abs(values[i] - same[i]));
      }
      // Relative to the largest number there can be.
      REQUIRE(worst * static_cast<double>(fft.length()) < 1e-14 * static_cast<double>(4 * few + 4));
    }
  }
}

TEST_CASE("the inverse gives the signal back at every kind of length", "[dp]") {
  TestRng rng(2);
  for (const std::size_t at_least : {1UL, 17UL, 100UL, 700UL, 5000UL, 70000UL}) {
    const RealFft fft(RealFft::FastLength(at_least));
    REQUIRE(fft.length() >= at_least);
    REQUIRE(fft.length() <= std::max<std::size_t>(16, 2 * at_least + 16));
    std::vector<double> values(fft.length());
    for (double& value : values) value = rng.Unit();
    const std::vector<double> again = fft.Inverse(fft.Forward(values));
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::abs(values[i] - again[i]));
    }
    REQUIRE(worst < 1e-14);
  }
}

}  // namespace
}  // namespace tutti::dp
