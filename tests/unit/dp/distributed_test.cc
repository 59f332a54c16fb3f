#include "common/dp/distributed.h"

#include <cmath>
#include <vector>

#include "common/dp/accountant.h"
#include "common/dp/rdp.h"
#include "common/dp/renyi_curves.h"
#include "tests/catch.h"

namespace tutti::dp {
namespace {

// Masses on -half..half, by their place from 0.
using Masses = std::vector<double>;

Masses Convolve(const Masses& a, const Masses& b) {
  Masses sum(a.size() + b.size() - 1, 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) sum[i + j] += a[i] * b[j];
  }
  return sum;
}

// The difference of two Poisson numbers of this variance in all.
Masses SkellamMasses(double variance, int highest) {
  Masses poisson;
  for (int k = 0; k <= highest; ++k) {
    poisson.push_back(std::exp(k * std::log(variance / 2) - variance / 2 - std::lgamma(k + 1.0)));
  }
  return Convolve(poisson, Masses(poisson.rbegin(), poisson.rend()));
}

Masses DiscreteGaussianMasses(double sigma, int half) {
  Masses masses;
  double total = 0;
  for (int x = -half; x <= half; ++x) {
    masses.push_back(std::exp(-x * x / (2 * sigma * sigma)));
    total += masses.back();
  }
  for (double& mass : masses) mass /= total;
  return masses;
}

// The Renyi divergence of noise shifted by `shift` from itself. `margin` places at both ends are
// left out, where cutting the noise off made its masses wrong; that only lowers the sum.
double Divergence(const Masses& noise, std::size_t shift, double order, std::size_t margin) {
  double sum = 0;
  for (std::size_t i = shift + margin; i + margin < noise.size(); ++i) {
    if (noise[i - shift] < 1e-250 || noise[i] < 1e-250) continue;
    sum += std::exp(order * std::log(noise[i - shift]) - (order - 1) * std::log(noise[i]));
  }
  return std::log(sum) / (order - 1);
}

TEST_CASE("sums of Skellam shares are Skellam: direct convolution", "[dp]") {
  const Masses share = SkellamMasses(3, 60);
  const Masses three = Convolve(Convolve(share, share), share);
  const Masses whole = SkellamMasses(9, 180);
  REQUIRE(three.size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) REQUIRE(std::abs(three[i] - whole[i]) < 1e-14);
}

TEST_CASE("the Skellam bound is never below direct convolution, and near it", "[dp]") {
  for (const double variance : {1.0, 4.0, 30.0, 200.0}) {
    const Masses noise = SkellamMasses(variance, static_cast<int>(variance / 2) + 200);
    for (const std::size_t shift : {1UL, 2UL, 5UL}) {
      for (const double order : {1.1, 1.5, 2.0, 2.7, 4.0, 7.3, 16.0}) {
        const auto delta = static_cast<double>(shift);
        const Skellam event{variance, delta, delta, 1, 1};
        const double exact = Divergence(noise, shift, order, 80);
        const double bound = RdpOfSkellam(event, order);
        INFO("variance " << variance << " shift " << shift << " order " << order);
        REQUIRE(bound >= exact * (1 - 1e-9));
        // Close where the noise is large; the chord below order 2 costs more.
        if (variance == 200 && order >= 2) REQUIRE(bound <= exact * 1.1);
      }
    }
  }
}

TEST_CASE("independent values' divergences add up to at most the vector's Skellam bound", "[dp]") {
  const Masses noise = SkellamMasses(20, 200);
  const std::vector<std::size_t> shifts = {1, 1, 2, 3};
  double l1 = 0;
  double squares = 0;
  for (const std::size_t shift : shifts) {
    l1 += static_cast<double>(shift);
    squares += static_cast<double>(shift * shift);
  }
  const Skellam event{20, l1, std::sqrt(squares), 1, 1};
  for (const double order : {1.3, 2.0, 3.0, 8.0}) {
    double exact = 0;
    for (const std::size_t shift : shifts) exact += Divergence(noise, shift, order, 80);
    REQUIRE(RdpOfSkellam(event, order) >= exact);
  }
}

TEST_CASE("the distributed discrete Gaussian bound is never below direct convolution", "[dp]") {
  for (const double sigma : {0.5, 0.8, 1.0, 2.0}) {
    const Masses share = DiscreteGaussianMasses(sigma, 25);
    Masses sum = share;
    for (std::uint64_t shares = 1; shares <= 5; ++shares) {
      if (shares > 1) sum = Convolve(sum, share);
      for (const std::size_t shift : {1UL, 3UL}) {
        const auto delta = static_cast<double>(shift);
        const DistributedDiscreteGaussian event{sigma, shares, delta, delta, 1, 1, 1};
        const double gap = DiscreteGaussianSumGap(sigma, shares);
        for (const double order : {1.2, 2.0, 5.0}) {
          INFO("sigma " << sigma << " shares " << shares << " shift " << shift << " order "
                        << order);
          const double exact = Divergence(sum, shift, order, 0);
          const double bound = RdpOfDistributedDiscreteGaussian(event, gap, order);
          REQUIRE(bound >= exact * (1 - 1e-9));
          if (sigma == 2) REQUIRE(bound <= exact * (1 + 1e-3));
        }
      }
    }
  }
}

TEST_CASE("the gap of a sum of discrete Gaussians is the published sum", "[dp]") {
  REQUIRE(DiscreteGaussianSumGap(1, 1) == 0);
  const double pi_squared = 9.86960440108935861883;
  REQUIRE(DiscreteGaussianSumGap(1, 3) ==
          Approx(10 * (std::exp(-pi_squared) + std::exp(-pi_squared * 4 / 3))).epsilon(1e-12));
  // One grid unit is useless for a model of 430,000 values, two are enough.
  REQUIRE(DiscreteGaussianSumGap(1, 100) * 430000 / 2 > 50);
  REQUIRE(DiscreteGaussianSumGap(2, 100) * 430000 / 2 < 1e-9);
}

TEST_CASE("rounding inflates norms as the papers say", "[dp]") {
  REQUIRE(RoundedL2Norm(3, 16, 0) == 7);
  const double conditional = std::sqrt(9 + 4 + std::sqrt(2 * 0.5) * (3 + 2));
  REQUIRE(RoundedL2Norm(3, 16, std::exp(-0.5)) == Approx(conditional));
  REQUIRE(RoundedL2Norm(1e-3, 1, 1e-300) <= 1 + 1e-3);
  REQUIRE(RoundedL1Norm(2, 100) == 4);
  REQUIRE(RoundedL1Norm(20, 100) == 200);
}

TEST_CASE("the scale fills the modulus and too few bits are refused", "[dp]") {
  ModulusFit fit{.bits = 16,
                 .clip = 1,
                 .share_stddev = 0.5,
                 .contributions = 100,
                 .values = 10000,
                 .stddevs = 4};
  const double scale = *ScaleForModulus(fit);
  // The formula's own promise: stddevs of the rounded, scaled sum fit half the modulus on each
  // side.
  const double per_value = fit.clip * fit.clip * 100 * 100 / 10000;
  const double variance = scale * scale * (per_value + 100 * 0.25) + 100 / 4.0;
  REQUIRE(2 * fit.stddevs * std::sqrt(variance) == Approx(std::exp2(16)).epsilon(1e-9));
  fit.bits = 5;
  REQUIRE(ScaleForModulus(fit).status().code() == StatusCode::kOutOfRange);
  fit.bits = 0;
  REQUIRE(ScaleForModulus(fit).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("sampling contributions never costs, and helps", "[dp]") {
  const Skellam whole{100, 10, 10, 1, 1};
  const DistributedDiscreteGaussian shares{4, 10, 20, 10, 50, 1, 1};
  for (const Event& event : {Event(whole), Event(shares)}) {
    Event sampled = event;
    std::visit(
        [](auto& mechanism) {
          if constexpr (requires { mechanism.sampling_rate; }) mechanism.sampling_rate = 0.01;
        },
        sampled);
    const RdpCurve full = RdpCurveOf(event);
    const RdpCurve part = RdpCurveOf(sampled);
    for (std::size_t i = 0; i < kOrderCount; ++i) REQUIRE(part[i] <= full[i]);
    REQUIRE(part[9] < full[9] / 10);
  }
}

TEST_CASE("the bound for sampling is the Gaussian's exact series at whole orders", "[dp]") {
  const RdpCurve plain = RdpCurveOf(1, 2.0);
  const RdpCurve bound = PoissonAmplified(
      0.02, [](int order) { return order / 8.0; }, plain);
  const RdpCurve exact = RdpCurveOf(0.02, 2.0);
  for (std::size_t i = 0; i < kOrderCount; ++i) {
    REQUIRE(bound[i] >= exact[i] * (1 - 1e-9));
    REQUIRE(bound[i] <= plain[i]);
    if (Orders()[i] >= 11) REQUIRE(bound[i] == Approx(exact[i]).epsilon(1e-6));
  }
}

TEST_CASE("sampled integer noise is bounded in both directions, against direct sums", "[dp]") {
  const double sigma = 3;
  const int shift = 2;
  for (const double q : {0.01, 0.3, 0.9}) {
    const RdpCurve bound = RdpCurveOf(DistributedDiscreteGaussian{sigma, 1, shift, shift, 1, q, 1});
    for (std::size_t i = 0; i < kOrderCount && Orders()[i] <= 40; ++i) {
      const double order = Orders()[i];
      long double removed = 0;
      long double added = 0;
      long double whole = 0;
      for (int x = -150; x <= 150; ++x) {
        const auto mass = [&](int at) {
          return std::exp(-static_cast<long double>(at) * at / (2 * sigma * sigma));
        };
        const long double plain = mass(x);
        const long double mixed = q * mass(x - shift) + (1 - q) * plain;
        whole += plain;
        const long double loss = std::log(mixed / plain);
        removed += plain * std::exp(loss * static_cast<long double>(order));
        added += mixed * std::exp(-loss * static_cast<long double>(order));
      }
      const auto truth = static_cast<double>(std::log(removed / whole) / (order - 1));
      REQUIRE(bound[i] >= truth * (1 - 1e-9));
      REQUIRE(truth >= static_cast<double>(std::log(added / whole) / (order - 1)) * (1 - 1e-9));
      if (order >= 11) REQUIRE(bound[i] == Approx(truth).epsilon(1e-6));
    }
  }
}

}  // namespace
}  // namespace tutti::dp
