#include "common/dp/renyi_curves.h"

#include <chrono>
#include <cmath>
#include <vector>

#include "common/dp/accountant.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

using testing::ReadRows;

double Epsilon(const Event& event, double delta) {
  const StatusOr<SpentBudget> spent = SpentEpsilon(std::vector<Event>{event}, delta);
  REQUIRE(spent.ok());
  return spent->epsilon;
}

TEST_CASE("sampling without replacement equals Google's accountant", "[dp]") {
  const auto rows = ReadRows("sampled_wor.csv");
  REQUIRE(rows.size() == 36);
  for (const auto& row : rows) {
    const GaussianWithoutReplacement event{static_cast<std::uint64_t>(row.at("n")),
                                           static_cast<std::uint64_t>(row.at("k")), row.at("sigma"),
                                           static_cast<std::uint64_t>(row.at("steps"))};
    INFO("n " << row.at("n") << " k " << row.at("k") << " sigma " << row.at("sigma"));
    REQUIRE(Epsilon(event, row.at("delta")) == Approx(row.at("eps_rdp")).epsilon(1e-9));
  }
}

TEST_CASE("all of the population is the plain Gaussian, less of it costs less", "[dp]") {
  double last = 0;
  for (std::uint64_t sample = 1; sample <= 1000; sample *= 10) {
    const double epsilon = Epsilon(GaussianWithoutReplacement{1000, sample, 2, 10}, 1e-5);
    REQUIRE(epsilon > last);
    last = epsilon;
  }
  REQUIRE(last == Epsilon(SubsampledGaussian{1, 2, 10}, 1e-5));
  for (const double sigma : {1e-9, 0.01, 50.0, 1e5}) {
    REQUIRE(std::isfinite(Epsilon(GaussianWithoutReplacement{1000, 10, sigma, 10}, 1e-5)));
  }
  REQUIRE(std::isinf(Epsilon(GaussianWithoutReplacement{1000, 10, 0, 1}, 1e-5)));
}

TEST_CASE("tree aggregation equals Google's accountant", "[dp]") {
  const auto rows = ReadRows("tree.csv");
  REQUIRE(rows.size() == 126);
  for (const auto& row : rows) {
    const TreeAggregation event{row.at("sigma"),
                                static_cast<std::uint64_t>(row.at("steps_per_tree")), 1};
    const StatusOr<SpentBudget> spent = SpentEpsilon(std::vector<Event>{event}, row.at("delta"));
    REQUIRE(spent->epsilon == Approx(row.at("eps_rdp")).epsilon(1e-12));
    REQUIRE(spent->order == row.at("order"));
  }
  REQUIRE(NoisePerTree({4, 15, 1}) == 2);
  REQUIRE(NoisePerTree({4, 16, 1}) == Approx(4 / std::sqrt(5.0)));
}

// Both directions' divergence of one sampled Laplace release: the two flat ends in closed form, the
// slope between them by Simpson's rule.
double LaplaceDivergence(double q, double scale, double order, bool remove) {
  const auto plain = [&](double x) { return std::exp(-std::abs(x) / scale) / (2 * scale); };
  const auto mixed = [&](double x) { return (1 - q) * plain(x) + q * plain(x - 1); };
  const auto integrand = [&](double x) {
    const double p = remove ? mixed(x) : plain(x);
    const double other = remove ? plain(x) : mixed(x);
    return std::pow(p / other, order) * other;
  };
  double sum = scale * (integrand(0) + integrand(1));  // both densities fall with this scale there
  const int pieces = 1000;
  for (int i = 0; i < pieces; ++i) {
    const double a = static_cast<double>(i) / pieces;
    const double h = 1.0 / pieces;
    sum += h / 6 * (integrand(a) + 4 * integrand(a + h / 2) + integrand(a + h));
  }
  return std::log(sum) / (order - 1);
}

TEST_CASE("Laplace curves equal numerical integration, sampled or not, both ways", "[dp]") {
  for (const double q : {0.01, 0.2, 1.0}) {
    for (const double scale : {0.5, 1.0, 4.0}) {
      const RdpCurve curve = RdpCurveOf(SubsampledLaplace{q, scale, 1});
      for (std::size_t i = 0; i < kOrderCount; ++i) {
        const double order = Orders()[i];
        if (order > 20) break;
        if (i % 3 != 0 && order != std::floor(order)) continue;
        const double removed = LaplaceDivergence(q, scale, order, true);
        const double added = LaplaceDivergence(q, scale, order, false);
        INFO("q " << q << " scale " << scale << " order " << order);
        REQUIRE(curve[i] >= removed * (1 - 1e-9) - 1e-13);
        REQUIRE(curve[i] >= added * (1 - 1e-9) - 1e-13);
        if (order == std::floor(order)) REQUIRE(curve[i] <= removed * (1 + 1e-9) + 1e-12);
      }
    }
  }
}

TEST_CASE("the discrete Laplace curve equals the direct sum", "[dp]") {
  for (const double decay : {0.05, 0.5, 2.0}) {
    for (const std::uint64_t shift : {1UL, 2UL, 7UL}) {
      const RdpCurve curve = RdpCurveOf(DiscreteLaplace{decay, shift, 1});
      for (const std::size_t i :
           {std::size_t{0}, std::size_t{9}, std::size_t{50}, std::size_t{120}}) {
        const double order = Orders()[i];
        double sum = 0;
        const int half = static_cast<int>(60 / decay);
        for (int x = -half; x <= half; ++x) {
          const double p = std::exp(-decay * std::abs(x)) * std::tanh(decay / 2);
          const double loss = decay * (std::abs(x - static_cast<int>(shift)) - std::abs(x));
          sum += p * std::exp((order - 1) * loss);
        }
        INFO("decay " << decay << " shift " << shift << " order " << order);
        REQUIRE(curve[i] == Approx(std::log(sum) / (order - 1)).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("pure mechanisms never cost more than their pure epsilon", "[dp]") {
  for (const double loss : {1e-9, 1e-4, 0.1, 1.0, 50.0}) {
    for (const double rdp : RdpCurveOf(SubsampledLaplace{1, 1 / loss, 1})) {
      REQUIRE(rdp > 0);
      REQUIRE(rdp <= loss);
    }
    for (const double rdp : RdpCurveOf(DiscreteLaplace{loss, 1, 1})) {
      REQUIRE(rdp >= 0);
      REQUIRE(rdp <= loss);
    }
  }
}

TEST_CASE("every mechanism has a curve without holes", "[dp]") {
  const std::vector<Event> events = {SubsampledGaussian{0.1, 1, 1},
                                     GaussianWithoutReplacement{1000, 10, 1, 1},
                                     SubsampledLaplace{0.1, 1, 1},
                                     DiscreteGaussian{2, 1, 1, 1},
                                     DiscreteLaplace{0.5, 2, 1},
                                     Skellam{50, 5, 5, 0.1, 1},
                                     DistributedDiscreteGaussian{3, 10, 5, 5, 10, 0.1, 1},
                                     TreeAggregation{2, 100, 1}};
  for (const Event& event : events) {
    const RdpCurve curve = RdpCurveOf(event);
    INFO(NameOf(event));
    for (std::size_t i = 0; i < kOrderCount; ++i) {
      REQUIRE(std::isfinite(curve[i]));
      REQUIRE(curve[i] > 0);
      if (i > 0) REQUIRE(curve[i] >= curve[i - 1] * (1 - 1e-9));
    }
  }
  for (const double rdp : RdpCurveOf(UnknownRelease{})) REQUIRE(std::isinf(rdp));
}

}  // namespace
}  // namespace tutti::dp
