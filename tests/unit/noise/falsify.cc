#include "tests/unit/noise/falsify.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tutti::noise {
namespace {

constexpr double kCut = 12;  // standard deviations that masses are computed for

double GOf(std::span<const double> observed, std::span<const double> expected) {
  double sum = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    sum += observed[i] > 0 ? observed[i] * std::log(observed[i] / expected[i]) : 0;
  }
  return 2 * sum;
}

// Which cell each number of `masses` belongs to, and the cells' expected counts.
struct Cells {
  std::vector<std::size_t> of;
  std::vector<double> expected;
};

Cells Pool(const Masses& masses, double draws, double least) {
  Cells cells{.of = std::vector<std::size_t>(masses.mass.size()), .expected = {0}};
  double left = draws;
  for (std::size_t i = 0; i < masses.mass.size(); ++i) {
    if (cells.expected.back() >= least && left >= least) {
      cells.expected.push_back(0);
    }
    cells.of[i] = cells.expected.size() - 1;
    const auto here = static_cast<double>(masses.mass[i] * static_cast<long double>(draws));
    cells.expected.back() += here;
    left -= here;
  }
  return cells;
}

}  // namespace

double ChiSquaredTail(double value, double freedom) {
  const double a = freedom / 2;
  const double x = value / 2;
  if (x <= 0) {
    return 1;
  }
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {  // series of the lower function
    double term = 1 / a;
    double sum = term;
    for (double n = a + 1; term > sum * 1e-16; n += 1) {
      term *= x / n;
      sum += term;
    }
    return std::max(0.0, 1 - front * sum);
  }
  double b = x + 1 - a;  // continued fraction, evaluated from the front (Lentz)
  double c = 1e300;
  double d = 1 / b;
  double h = d;
  for (double i = 1; i < 100000; i += 1) {
    const double numerator = -i * (i - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-15) {
      break;
    }
  }
  return front * h;
}

Masses Normalised(std::int64_t first, std::vector<long double> weights) {
  const long double sum = std::accumulate(weights.begin(), weights.end(), 0.0L);
  for (long double& weight : weights) {
    weight /= sum;
  }
  return {first, std::move(weights)};
}

Masses DiscreteGaussianMasses(double sigma) {
  const auto reach = static_cast<std::int64_t>(std::ceil(kCut * sigma)) + 1;
  std::vector<long double> weights;
  for (std::int64_t x = -reach; x <= reach; ++x) {
    const long double z = static_cast<long double>(x) / static_cast<long double>(sigma);
    weights.push_back(std::exp(-z * z / 2));
  }
  return Normalised(-reach, std::move(weights));
}

Masses DiscreteLaplaceMasses(double decay) {
  const auto reach = static_cast<std::int64_t>(std::ceil(70 / decay));
  std::vector<long double> weights;
  for (std::int64_t x = -reach; x <= reach; ++x) {
    weights.push_back(
        std::exp(-static_cast<long double>(decay) * static_cast<long double>(std::abs(x))));
  }
  return Normalised(-reach, std::move(weights));
}

Masses PoissonMasses(double mean) {
  const double reach = kCut * std::sqrt(mean) + 60;
  const auto first = static_cast<std::int64_t>(std::max(0.0, std::floor(mean - reach)));
  const auto last = static_cast<std::int64_t>(std::ceil(mean + reach));
  std::vector<long double> weights;
  for (std::int64_t k = first; k <= last; ++k) {
    const auto n = static_cast<long double>(k);
    weights.push_back(std::exp(n * std::log(static_cast<long double>(mean)) -
                               static_cast<long double>(mean) - std::lgamma(n + 1)));
  }
  return Normalised(first, std::move(weights));
}

Masses SkellamMasses(double variance) {
  const Masses poisson = PoissonMasses(variance / 2);
  const auto size = static_cast<std::int64_t>(poisson.mass.size());
  std::vector<long double> weights(static_cast<std::size_t>(2 * size - 1));
  for (std::int64_t plus = 0; plus < size; ++plus) {
    for (std::int64_t minus = 0; minus < size; ++minus) {
      weights[static_cast<std::size_t>(plus - minus + size - 1)] +=
          poisson.mass[static_cast<std::size_t>(plus)] *
          poisson.mass[static_cast<std::size_t>(minus)];
    }
  }
  return Normalised(-(size - 1), std::move(weights));
}

double VarianceOf(const Masses& masses) {
  long double mean = 0;
  long double square = 0;
  for (std::size_t i = 0; i < masses.mass.size(); ++i) {
    const auto x = static_cast<long double>(masses.first + static_cast<std::int64_t>(i));
    mean += x * masses.mass[i];
    square += x * x * masses.mass[i];
  }
  return static_cast<double>(square - mean * mean);
}

double GTest(std::span<const std::int64_t> draws, const Masses& masses, double least) {
  const Cells cells = Pool(masses, static_cast<double>(draws.size()), least);
  std::vector<double> observed(cells.expected.size());
  for (const std::int64_t draw : draws) {
    const std::int64_t place = draw - masses.first;
    if (place < 0 || place >= static_cast<std::int64_t>(cells.of.size())) {
      return 0;
    }
    observed[cells.of[static_cast<std::size_t>(place)]] += 1;
  }
  return ChiSquaredTail(GOf(observed, cells.expected), static_cast<double>(observed.size()) - 1);
}

double GTestOfCells(std::span<const std::int64_t> draws,
                    const std::function<std::size_t(std::int64_t)>& cell,
                    std::span<const double> probabilities) {
  std::vector<double> observed(probabilities.size());
  std::vector<double> expected(probabilities.size());
  for (const std::int64_t draw : draws) {
    observed[cell(draw)] += 1;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = probabilities[i] * static_cast<double>(draws.size());
  }
  return ChiSquaredTail(GOf(observed, expected), static_cast<double>(observed.size()) - 1);
}

double IndependenceTest(std::span<const std::int64_t> draws, const Masses& masses,
                        std::size_t lag) {
  constexpr std::size_t kParts = 8;
  std::vector<std::size_t> part(masses.mass.size());
  std::vector<double> share(kParts);
  long double below = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const long double middle = below + masses.mass[i] / 2;
    part[i] = std::min<std::size_t>(kParts - 1, static_cast<std::size_t>(middle * kParts));
    share[part[i]] += static_cast<double>(masses.mass[i]);
    below += masses.mass[i];
  }
  const auto part_of = [&](std::int64_t draw) {
    return part[static_cast<std::size_t>(draw - masses.first)];
  };
  std::vector<double> observed;
  std::vector<double> expected;
  const std::size_t pairs = draws.size() / (2 * lag) * lag;  // disjoint ones
  std::vector<double> table(kParts * kParts);
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t first = i / lag * 2 * lag + i % lag;
    table[part_of(draws[first]) * kParts + part_of(draws[first + lag])] += 1;
  }
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double probability = share[i / kParts] * share[i % kParts];
    if (probability > 0) {
      observed.push_back(table[i]);
      expected.push_back(probability * static_cast<double>(pairs));
    }
  }
  return ChiSquaredTail(GOf(observed, expected), static_cast<double>(observed.size()) - 1);
}

}  // namespace tutti::noise
