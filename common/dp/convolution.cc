#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <optional>

#include "common/base/status.h"
#include "common/dp/fft.h"
#include "common/dp/normal.h"
#include "common/dp/pld.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kUlp = std::numeric_limits<double>::epsilon();
// Mass put aside for rounding: transforms without a tilt know the sum's masses to about an ulp per
// release, and results must not lie below those of good peers that compute so. A share of delta at
// most.
constexpr double kMostReserve = 4e-6;
constexpr double kMostWindowPoints = 1 << 22;
constexpr double kRoundedUp = 1 + 1e-10;  // what sums of millions of masses may have lost
// What is cut from the sum's upper tail, and counted as infinite loss instead.
constexpr double kCutMass = 1e-15;
constexpr double kCutShare = 1e-7;        // of delta, when that is less
constexpr double kLogWrappedShare = -24;  // what may wrap around into the window, tilted
constexpr double kMostCredited = 708;     // e^-loss of larger losses is no normal double

double CutMass(double delta) { return std::min(kCutMass, kCutShare * delta); }

std::int64_t LastOf(const LossGrid& grid) {
  return grid.first + static_cast<std::int64_t>(grid.masses.size()) - 1;
}

// The sum of coefficients[i] * x^i, in chains that do not wait for each other. x^8 must be a double
// when there are that many.
double Polynomial(std::span<const double> coefficients, double x) {
  constexpr std::size_t kChains = 8;
  const double x2 = x * x;
  const double x4 = x2 * x2;
  const double x8 = x4 * x4;
  double chains[kChains] = {};
  std::size_t i = coefficients.size();
  for (; i % kChains != 0; --i) chains[(i - 1) % kChains] = coefficients[i - 1];
  for (; i > 0; i -= kChains) {
    const double* from = coefficients.data() + (i - kChains);
    for (std::size_t k = 0; k < kChains; ++k) chains[k] = chains[k] * x8 + from[k];
  }
  double sum = 0;
  for (std::size_t k = kChains; k > 0; --k) sum = sum * x + chains[k - 1];
  return sum;
}

// log of the sum of mass * e^(theta * loss) over the finite losses, which is never less than the
// grid's: masses are moved to every kThinning-th point, to both sides so that mass and mean stay,
// and e^x is convex. Bounds on tails only get a little wider, and cost that much less.
class LossMoments {
 public:
  LossMoments(const LossGrid& grid, double interval)
      : first_(static_cast<double>(grid.first)), interval_(interval) {
    masses_.assign(grid.masses.size() / kThinning + 2, 0);
    for (std::size_t i = 0; i < grid.masses.size(); ++i) {
      const double part = static_cast<double>(i % kThinning) / kThinning;
      masses_[i / kThinning] += (1 - part) * grid.masses[i];
      masses_[i / kThinning + 1] += part * grid.masses[i];
    }
  }

  double Log(double theta) const {
    // Blocks short enough that their powers of e^step stay doubles.
    const double step = theta * interval_ * kThinning;
    const auto block = static_cast<std::size_t>(std::clamp(400 / std::abs(step), 1.0, 4096.0));
    const double ratio = block > 1 ? std::exp(step) : 0;
    double total = -kInfinity;
    for (std::size_t start = 0; start < masses_.size(); start += block) {
      const std::size_t end = std::min(masses_.size(), start + block);
      const double sum = Polynomial({masses_.data() + start, end - start}, ratio);
      if (sum > 0) total = LogAdd(total, std::log(sum) + static_cast<double>(start) * step);
    }
    return total + first_ * interval_ * theta;
  }

 private:
  static constexpr std::size_t kThinning = 8;
  double first_;
  double interval_;
  std::vector<double> masses_;
};

// A sum of independent losses.
struct Sum {
  std::span<const RepeatedLoss> losses;
  double interval;
  std::vector<LossMoments> moments;

  Sum(std::span<const RepeatedLoss> all, double grid_interval)
      : losses(all), interval(grid_interval) {
    for (const RepeatedLoss& loss : all) moments.emplace_back(loss.grid, grid_interval);
  }
  double LogMoment(double theta) const {
    double sum = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      sum += static_cast<double>(losses[i].times) * moments[i].Log(theta);
    }
    return sum;
  }
};

struct Chernoff {
  double bound = 0;
  double exponent = 0;  // the one that shows it
};

// The least over s of (log moment at theta + side * s - log moment at theta - log_mass) / s, which
// has one minimum: of the sum tilted by theta, at most e^log_mass lies further than it to that
// side.
Chernoff TailBound(const Sum& sum, double log_mass, double theta, double log_moment, double side) {
  const auto bound = [&](double log_s) {
    const double s = std::exp(log_s);
    return (sum.LogMoment(theta + side * s) - log_moment - log_mass) / s;
  };
  constexpr double kGolden = 0.6180339887498949;
  double low = std::log(1e-4);
  double high = std::log(1e5);
  double left = high - kGolden * (high - low);
  double right = low + kGolden * (high - low);
  double at_left = bound(left);
  double at_right = bound(right);
  while (high - low > 0.01) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - kGolden * (high - low);
      at_left = bound(left);
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + kGolden * (high - low);
      at_right = bound(right);
    }
  }
  return at_left <= at_right ? Chernoff{at_left, std::exp(left)}
                             : Chernoff{at_right, std::exp(right)};
}

// e^(slope * i) for i from 0 to the end of a run. With them points need one call of exp a run, not
// one each. Runs are short where the slope is so steep that a power would leave the doubles.
std::vector<double> RunOfPowers(double slope) {
  const double longest = std::clamp(200 / std::abs(slope), 1.0, 64.0);
  std::vector<double> powers(static_cast<std::size_t>(longest));
  for (std::size_t i = 0; i < powers.size(); ++i) {
    powers[i] = std::exp(slope * static_cast<double>(i));
  }
  return powers;
}

std::complex<double> Power(std::complex<double> z, std::uint64_t n) {
  std::complex<double> result = 1;
  for (; n > 0; n >>= 1) {
    if ((n & 1) != 0) {
      result = {result.real() * z.real() - result.imag() * z.imag(),
                result.real() * z.imag() + result.imag() * z.real()};
    }
    z = {z.real() * z.real() - z.imag() * z.imag(), 2 * z.real() * z.imag()};
  }
  return result;
}

// The masses of `grid`, times e^(theta * loss - log_moment), at their points modulo the length of
// `values`.
void PutTilted(const LossGrid& grid, double step, double log_moment, std::span<double> values) {
  const auto length = static_cast<std::int64_t>(values.size());
  const std::vector<double> powers = RunOfPowers(step);
  std::int64_t place = ((grid.first % length) + length) % length;
  for (std::size_t start = 0; start < grid.masses.size(); start += powers.size()) {
    const std::size_t count = std::min(powers.size(), grid.masses.size() - start);
    const double point = static_cast<double>(grid.first) + static_cast<double>(start);
    const double factor = std::exp(step * point - log_moment);
    for (std::size_t i = 0; i < count; ++i) {
      const double mass = grid.masses[start + i];
      if (mass > 0) values[static_cast<std::size_t>(place)] += mass * (factor * powers[i]);
      if (++place == length) place = 0;
    }
  }
}

// The transform of the tilted sum, up to the last frequency that matters: the sum of many losses is
// smooth, and few are left.
std::vector<std::complex<double>> SpectrumOfTilted(const Sum& sum, double theta,
                                                   const RealFft& fft) {
  std::vector<std::complex<double>> product;
  std::vector<double> values(fft.length());
  for (std::size_t i = 0; i < sum.losses.size(); ++i) {
    const RepeatedLoss& loss = sum.losses[i];
    std::fill(values.begin(), values.end(), 0);
    PutTilted(loss.grid, theta * sum.interval, sum.moments[i].Log(theta), values);
    auto spectrum = fft.Forward(values);
    // Powers below e^-90 matter no more, and would become slow denormals.
    const double least_norm = std::exp(-180 / static_cast<double>(loss.times));
    for (std::complex<double>& value : spectrum) {
      value = std::norm(value) > least_norm ? Power(value, loss.times) : 0;
    }
    if (i == 0) {
      product = std::move(spectrum);
    } else {
      for (std::size_t k = 0; k < product.size(); ++k) product[k] *= spectrum[k];
    }
    while (product.size() > 1 && product.back() == 0.0) product.pop_back();
  }
  product.shrink_to_fit();
  return product;
}

// Adds losses from the highest down until epsilon lies above the next one. Each comes as its
// `credit`, e^-loss, or 0 above kMostCredited.
class Descent {
 public:
  Descent(double infinite, double delta) : above_(infinite), delta_(delta) {}

  // Whether epsilon is at least this loss, given what was added, all of which is above it.
  bool DoneAt(double credit) const {
    return above_ > delta_ && scaled_ > 0 && (above_ - delta_) * credit >= scaled_;
  }
  void Add(double credit, double mass) {
    above_ += mass;
    scaled_ += credit * mass;
  }
  bool Overflowed() const { return above_ >= delta_ && scaled_ == 0; }
  double Epsilon() const {
    if (above_ <= scaled_ + delta_) return 0;
    return std::max(0.0, std::log(above_ - delta_) - std::log(scaled_));
  }

 private:
  double above_;
  double scaled_ = 0;  // sum of mass * e^-loss
  double delta_;
};

double CreditOf(double loss) { return loss > kMostCredited ? 0 : std::exp(-loss); }

double EpsilonOfOne(const LossGrid& grid, double interval, double delta) {
  if (grid.infinite > delta) return kInfinity;
  Descent descent(grid.infinite, delta);
  for (std::size_t i = grid.masses.size(); i > 0; --i) {
    const double loss =
        static_cast<double>(grid.first + static_cast<std::int64_t>(i) - 1) * interval;
    const double credit = CreditOf(loss);
    if (descent.DoneAt(credit)) break;
    descent.Add(credit, grid.masses[i - 1]);
    if (descent.Overflowed()) return std::max(0.0, loss);
  }
  return descent.Epsilon();
}

double InfiniteMass(std::span<const RepeatedLoss> losses) {
  double log_finite = 0;
  for (const RepeatedLoss& loss : losses) {
    log_finite += static_cast<double>(loss.times) * std::log1p(-std::min(loss.grid.infinite, 1.0));
  }
  return -std::expm1(log_finite);
}

// Where the sum is looked at, in grid points, and how it is tilted to see the tail at delta
// sharply. The transform gives the tilted sum modulo `length`. What lies outside of the window is
// so added to what is read between `trusted` and `top`, never taken away, and is little enough.
struct Window {
  double top = 0;      // without the tilt, next to nothing is above
  double trusted = 0;  // what is read off below it would be rounding
  double length = 0;
  double theta = 0;  // 0: not at all
  double log_moment = 0;
};

Window WindowFor(const Sum& sum, double delta, double theta, double most, double cut_at) {
  Window window{.theta = theta};
  window.log_moment = sum.LogMoment(theta);
  window.top = std::min(most, std::ceil(cut_at / sum.interval));
  // Without a tilt what wraps around is of the size it has as it stands.
  const double log_share = theta > 0 ? kLogWrappedShare : std::log(CutMass(delta));
  const double lower = -TailBound(sum, log_share, theta, window.log_moment, -1).bound;
  const double bottom = std::min(window.top - 1, std::floor(lower / sum.interval));
  window.trusted = bottom;
  if (theta > 0) {
    // Rounding in the transform, seen without the tilt, grows towards lower losses and reaches 1e-8
    // of delta here.
    const double noisy = (window.log_moment - std::log(delta) - 9) / theta;
    window.trusted = std::max(bottom, std::floor(noisy / sum.interval));
  }
  // Long enough that what is below `bottom` does not reach the top, and what is above `end` does
  // not reach what is trusted.
  const double upper = TailBound(sum, log_share, theta, window.log_moment, 1).bound;
  const double end = std::min(most, std::ceil(upper / sum.interval));
  window.length = std::max(window.top - bottom, end - window.trusted) + 1;
  return window;
}

// The window with the exponent that is best at delta, or with a smaller one that needs less room
// and knows no less: a tilt makes large and very rare losses so likely that their sums reach far.
Window SmallestWindow(const Sum& sum, double delta, double theta, double most, double cut_at) {
  Window best = WindowFor(sum, delta, theta, most, cut_at);
  const double trusted = best.trusted;
  while (theta > 1e-3) {
    theta *= 0.9;
    const Window next = WindowFor(sum, delta, theta, most, cut_at);
    if (next.trusted > trusted || next.length >= best.length) break;
    best = next;
  }
  return best;
}

// Epsilon, or nothing when it lies below what can be trusted.
std::optional<double> EpsilonIn(const Window& window, const Sum& sum, double infinite,
                                double delta) {
  const RealFft fft(RealFft::FastLength(static_cast<std::size_t>(window.length)));
  const std::vector<double> masses = fft.Inverse(SpectrumOfTilted(sum, window.theta, fft));
  const double interval = sum.interval;
  double steps = 0;
  for (const RepeatedLoss& loss : sum.losses) steps += static_cast<double>(loss.times);
  // Masses lose about an ulp / interval per release where those of both neighbours cancel, powers
  // and transforms a few ulp; paid for here, on the safe side.
  const double rounding = 1 + 16 * (steps + 64) * (1 + 1 / interval) * kUlp;
  const auto length = static_cast<std::int64_t>(fft.length());
  const auto trusted = static_cast<std::int64_t>(window.trusted);
  const std::vector<double> upright = RunOfPowers(window.theta * interval);
  const std::vector<double> credits = RunOfPowers(interval);
  Descent descent(infinite, delta);
  auto point = static_cast<std::int64_t>(window.top);
  auto place = static_cast<std::size_t>(((point % length) + length) % length);
  while (point > trusted) {
    const double first = static_cast<double>(point) * interval;
    const double factor = std::exp(window.log_moment - window.theta * first) * rounding;
    const double first_credit = CreditOf(first);
    const std::size_t run = std::min(upright.size(), credits.size());
    for (std::size_t i = 0; i < run && point > trusted; ++i, --point) {
      const double credit = first_credit * credits[i];
      if (descent.DoneAt(credit)) return descent.Epsilon();
      descent.Add(credit, std::max(masses[place], 0.0) * (factor * upright[i]));
      if (descent.Overflowed()) return std::max(0.0, static_cast<double>(point) * interval);
      place = (place == 0 ? masses.size() : place) - 1;
    }
  }
  if (window.theta == 0 || window.trusted <= 0) {
    return std::max(descent.Epsilon(), window.trusted * interval);
  }
  return std::nullopt;
}

double EpsilonOfSum(std::span<const RepeatedLoss> losses, double interval, double delta) {
  const double cut = CutMass(delta);
  double steps = 0;
  for (const RepeatedLoss& loss : losses) steps += static_cast<double>(loss.times);
  const double reserve = std::min(2 * steps * kUlp, kMostReserve * delta);
  const double infinite = InfiniteMass(losses) + cut + reserve;
  if (infinite > delta) return kInfinity;
  double most = 0;  // the sum is never above
  for (const RepeatedLoss& loss : losses) {
    most += static_cast<double>(loss.times) * static_cast<double>(LastOf(loss.grid));
  }
  const Sum sum(losses, interval);
  const double upper = TailBound(sum, std::log(cut), 0, 0, 1).bound;
  double theta = TailBound(sum, std::log(delta), 0, 0, 1).exponent;
  for (;; theta = theta > 1e-3 ? theta / 4 : 0) {
    // Where the loss is bounded the best exponent can be so large that only its upper end is seen.
    const Window window = SmallestWindow(sum, delta, theta, most, upper);
    if (!(window.length <= kMostWindowPoints)) return kInfinity;
    const std::optional<double> epsilon = EpsilonIn(window, sum, infinite, delta);
    if (epsilon) return *epsilon;
  }
}

}  // namespace

double EpsilonOfLosses(std::span<const RepeatedLoss> losses, double interval, double delta) {
  TUTTI_CHECK(interval > 0 && delta > 0 && delta < 1);
  if (losses.empty()) return 0;
  if (losses.size() == 1 && losses[0].times == 1) {
    return EpsilonOfOne(losses[0].grid, interval, delta) * kRoundedUp;
  }
  return EpsilonOfSum(losses, interval, delta) * kRoundedUp;
}

}  // namespace tutti::dp
