// Tries to prove that draws do NOT come from a distribution. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

namespace tutti::noise {

// The false-alarm rate of all statistical tests of a program together is at most 1e-6: each of up
// to 100 looks at its own.
inline constexpr double kFalseAlarm = 1e-6 / 100;

// Probability that a chi-squared number with `freedom` degrees of freedom is at least `value`: the
// upper incomplete gamma function, to about 1e-12 relative.
double ChiSquaredTail(double value, double freedom);

// Masses of the whole numbers first, first + 1, ...; what lies outside counts as impossible.
struct Masses {
  std::int64_t first = 0;
  std::vector<long double> mass;  // adds up to 1
};
Masses Normalised(std::int64_t first, std::vector<long double> weights);
Masses DiscreteGaussianMasses(double sigma);
Masses DiscreteLaplaceMasses(double decay);
Masses PoissonMasses(double mean);
Masses SkellamMasses(double variance);  // up to about 10,000: a convolution
double VarianceOf(const Masses& masses);

// The probability of counts at least as unlikely as those of `draws` (G-test, likelihood ratio).
// Neighbouring numbers are put together until each cell is expected at least `least` times; a draw
// outside `masses` gives 0.
double GTest(std::span<const std::int64_t> draws, const Masses& masses, double least = 50);

// The same for cells given directly: cell(draw) -> index into probabilities.
double GTestOfCells(std::span<const std::int64_t> draws,
                    const std::function<std::size_t(std::int64_t)>& cell,
                    std::span<const double> probabilities);

// That draws are independent of the one `lag` before them: an 8 x 8 table of eighths.
double IndependenceTest(std::span<const std::int64_t> draws, const Masses& masses, std::size_t lag);

}  // namespace tutti::noise
