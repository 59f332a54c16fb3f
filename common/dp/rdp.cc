#include "common/dp/rdp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/status.h"
#include "common/dp/normal.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kUlp = std::numeric_limits<double>::epsilon();

// log(e^x - 1) for x > 0.
double LogExpm1(double x) { return x > 40 ? x : std::log(std::expm1(x)); }

// log(e^x + 1).
double Log1pExp(double x) { return x > 40 ? x : std::log1p(std::exp(x)); }

// One mechanism: q, sigma and what every order needs of them.
struct Mechanism {
  double q = 0;
  double log_q = 0;
  double log_1mq = 0;
  double sigma = 0;
  double two_variance = 0;
  double crossing = 0;  // z where both parts of the mixture are equal: sigma^2 log(1/q - 1) + 1/2
};

Mechanism Prepare(double q, double sigma) {
  Mechanism m;
  m.q = q;
  m.log_q = std::log(q);
  m.log_1mq = std::log1p(-q);
  m.sigma = sigma;
  m.two_variance = 2 * sigma * sigma;
  m.crossing = sigma * sigma * (m.log_1mq - m.log_q) + 0.5;
  return m;
}

// log A(n) for integer n >= 2, A the n-th moment of the likelihood ratio. A - 1 is summed rather
// than A, because the binomial weights alone add to 1: every term is positive and tiny spends keep
// their digits.
double LogMoment(const Mechanism& m, int n) {
  double log_excess = -kInfinity;
  double log_binomial = std::log(static_cast<double>(n));
  for (int k = 2; k <= n; ++k) {
    log_binomial += std::log(static_cast<double>(n - k + 1)) - std::log(static_cast<double>(k));
    const double exponent = static_cast<double>(k) * (k - 1) / m.two_variance;
    log_excess =
        LogAdd(log_excess, log_binomial + (n - k) * m.log_1mq + k * m.log_q + LogExpm1(exponent));
  }
  return Log1pExp(log_excess);
}

// A sum of terms e^x with signs, its scale, and how far rounding may have moved it.
class SignedSum {
 public:
  explicit SignedSum(double log_scale) : log_scale_(log_scale) {}
  // `log_term` came from parts of absolute size `magnitude`, so it is known to magnitude * a few
  // ulp.
  void Add(double log_term, double sign, double magnitude) {
    const double term = std::exp(log_term - log_scale_);
    value_ += sign * term;
    error_ += term * (4 + 2 * magnitude) * kUlp;
  }
  double UpperLog() const {
    const double upper = value_ + error_;
    return upper > 0 ? std::log(upper) + log_scale_ : kInfinity;
  }

 private:
  double log_scale_;
  double value_ = 0;
  double error_ = 0;
};

// The two series of section 3.3 for a fractional order. Up to term ceil(order) all signs are +.
// After it they alternate and decay only like a power, so the rest is summed by algorithm 1 of
// Cohen, Rodriguez Villegas and Zagier 2000, whose error is below 6^-kTail of the sum for moments
// of a positive measure. The terms are such moments: the generalised binomials are Beta integrals,
// the Gaussian parts are powers of a likelihood ratio in [0, 1], and products of moment sequences
// are moment sequences.
constexpr int kTail = 22;

struct Term {
  double log_value = 0;
  double magnitude = 0;
};

// Term i of the series below (`lower`) or above the crossing, without its sign.
Term SeriesTerm(const Mechanism& m, double order, int i, double log_binomial, bool lower) {
  const double j = order - i;
  const double power = lower ? i : j;  // of the shifted part
  const double weight = power * m.log_q + (order - power) * m.log_1mq;
  const double growth = (power * power - power) / m.two_variance;
  const double tail = LogNormalCdf((lower ? m.crossing - power : power - m.crossing) / m.sigma);
  return {log_binomial + weight + growth + tail,
          std::abs(log_binomial) + std::abs(weight) + std::abs(growth) + std::abs(tail)};
}

// Weights of algorithm 1: sum over k of (-1)^k a_k is about sum over k of Weights[k] (-1)^k a_k.
std::array<double, kTail> AlternatingWeights() {
  std::array<double, kTail> weights{};
  double d = std::pow(3 + std::sqrt(8.0), kTail);
  d = (d + 1 / d) / 2;
  double b = -1;
  double c = -d;
  for (int k = 0; k < kTail; ++k) {
    c = b - c;
    weights[static_cast<std::size_t>(k)] = (k % 2 == 0 ? c : -c) / d;
    b *= (k + static_cast<double>(kTail)) * (k - static_cast<double>(kTail)) /
         ((k + 0.5) * (k + 1.0));
  }
  return weights;
}

double LogMomentFractional(const Mechanism& m, double order,
                           const std::array<double, kTail>& weights) {
  const int first_alternating = static_cast<int>(std::ceil(order));
  const int count = first_alternating + kTail;
  std::vector<Term> terms;
  terms.reserve(static_cast<std::size_t>(2 * count));
  double log_binomial = 0;
  double highest = -kInfinity;
  for (int i = 0; i < count; ++i) {
    if (i > 0) log_binomial += std::log(std::abs(order - i + 1)) - std::log(i);
    for (const bool lower : {true, false}) {
      terms.push_back(SeriesTerm(m, order, i, log_binomial, lower));
      highest = std::max(highest, terms.back().log_value);
    }
  }
  SignedSum sum(highest);
  for (int i = 0; i < count; ++i) {
    const int k = i - first_alternating;
    const double weight = k < 0 ? 1 : weights[static_cast<std::size_t>(k)];
    const double sign = k < 0 || k % 2 == 0 ? 1 : -1;
    if (!(weight > 0)) continue;
    for (const int side : {0, 1}) {
      const Term& term = terms[static_cast<std::size_t>(2 * i + side)];
      sum.Add(term.log_value + std::log(weight), sign, term.magnitude);
    }
  }
  return sum.UpperLog();
}

// log A is convex in the order and 0 at order 1: the chord between the integers around `order`
// bounds it from above. It catches what cancellation costs the series when A is 1 up to rounding.
double Chord(const Mechanism& m, double order) {
  const int below = static_cast<int>(std::floor(order));
  const double low = below < 2 ? 0 : LogMoment(m, below);
  return low + (order - below) * (LogMoment(m, below + 1) - low);
}

double RdpAt(const Mechanism& m, double order, const std::array<double, kTail>& weights) {
  const double unamplified = order / m.two_variance;
  if (!(m.two_variance > 0) || std::isinf(unamplified)) return kInfinity;
  if (m.q >= 1) return unamplified;
  const bool integer = order == std::floor(order);
  double log_moment = 0;
  if (integer) {
    log_moment = LogMoment(m, static_cast<int>(order));
  } else {
    log_moment = std::min(Chord(m, order), LogMomentFractional(m, order, weights));
  }
  // Sampling never costs; the bound also holds when the series left the range of a double.
  const double rdp = log_moment / (order - 1);
  return std::isfinite(rdp) ? std::clamp(rdp, 0.0, unamplified) : unamplified;
}

constexpr std::array<double, kOrderCount> MakeOrders() {
  std::array<double, kOrderCount> orders{};
  std::size_t next = 0;
  for (int tenths = 11; tenths <= 109; ++tenths) orders[next++] = tenths / 10.0;
  for (int order = 11; order <= 63; ++order) orders[next++] = order;
  for (int order = 128; order <= 1024; order *= 2) orders[next++] = order;
  return orders;
}
constexpr std::array<double, kOrderCount> kOrders = MakeOrders();

}  // namespace

const std::array<double, kOrderCount>& Orders() { return kOrders; }

double RdpOfSubsampledGaussian(double sampling_rate, double noise_multiplier, double order) {
  TUTTI_CHECK(sampling_rate > 0 && sampling_rate <= 1 && noise_multiplier >= 0 && order > 1);
  return RdpAt(Prepare(sampling_rate, noise_multiplier), order, AlternatingWeights());
}

RdpCurve RdpCurveOf(double sampling_rate, double noise_multiplier) {
  TUTTI_CHECK(sampling_rate > 0 && sampling_rate <= 1 && noise_multiplier >= 0);
  const Mechanism mechanism = Prepare(sampling_rate, noise_multiplier);
  const std::array<double, kTail> weights = AlternatingWeights();
  RdpCurve curve{};
  for (std::size_t i = 0; i < kOrderCount; ++i) curve[i] = RdpAt(mechanism, kOrders[i], weights);
  return curve;
}

SpentBudget EpsilonOf(const RdpCurve& curve, double delta) {
  TUTTI_CHECK(delta > 0 && delta < 1);
  if (std::all_of(curve.begin(), curve.end(), [](double rdp) { return rdp == 0; })) return {0, 0};
  SpentBudget best{kInfinity, kOrders.front()};
  for (std::size_t i = 0; i < kOrderCount; ++i) {
    const double order = kOrders[i];
    const double epsilon =
        curve[i] + std::log1p(-1 / order) - std::log(delta * order) / (order - 1);
    if (epsilon < best.epsilon) best = {std::max(epsilon, 0.0), order};
  }
  return best;
}

}  // namespace tutti::dp
