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
constexpr double kLogWrappedShare = -32;  // what may wrap around from below the window, relative

std::int64_t LastOf(const LossGrid& grid) {
  return grid.first + static_cast<std::int64_t>(grid.masses.size()) - 1;
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
      double sum = 0;
      for (std::size_t i = end; i > start; --i) sum = sum * ratio + masses_[i - 1];
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

// z^n, with results too small to matter cut to zero before they become slow denormals.
std::complex<double> Power(std::complex<double> z, std::uint64_t n) {
  const double norm = std::norm(z);
  if (norm == 0 || 0.5 * static_cast<double>(n) * std::log(norm) < -90) return 0;
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

// The masses of the tilted sum at `window` grid points, modulo the window.
std::vector<double> TiltedSum(const Sum& sum, double theta, const RealFft& fft) {
  std::vector<std::complex<double>> product(fft.length() / 2 + 1, 1);
  const auto length = static_cast<std::int64_t>(fft.length());
  std::vector<double> values(fft.length());
  for (std::size_t i = 0; i < sum.losses.size(); ++i) {
    const RepeatedLoss& loss = sum.losses[i];
    std::fill(values.begin(), values.end(), 0);
    const double log_moment = sum.moments[i].Log(theta);
    std::int64_t place = ((loss.grid.first % length) + length) % length;
    double point = static_cast<double>(loss.grid.first);
    for (const double mass : loss.grid.masses) {
      if (mass > 0) {
        values[static_cast<std::size_t>(place)] +=
            mass * std::exp(theta * sum.interval * point - log_moment);
      }
      point += 1;
      if (++place == length) place = 0;
    }
    const auto spectrum = fft.Forward(values);
    for (std::size_t k = 0; k < product.size(); ++k) product[k] *= Power(spectrum[k], loss.times);
  }
  return fft.Inverse(product);
}

// Adds losses from the highest down until epsilon lies above the next one.
class Descent {
 public:
  Descent(double infinite, double delta) : above_(infinite), delta_(delta) {}

  // Whether epsilon is at least `loss`, given what was added, all of which is above it.
  bool DoneAt(double loss) const {
    return above_ > delta_ && scaled_ > 0 && std::log(above_ - delta_) - std::log(scaled_) >= loss;
  }
  void Add(double loss, double mass) {
    above_ += mass;
    scaled_ += std::exp(-loss) * mass;
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

double EpsilonOfOne(const LossGrid& grid, double interval, double delta) {
  if (grid.infinite > delta) return kInfinity;
  Descent descent(grid.infinite, delta);
  for (std::size_t i = grid.masses.size(); i > 0; --i) {
    const double loss =
        static_cast<double>(grid.first + static_cast<std::int64_t>(i) - 1) * interval;
    if (descent.DoneAt(loss)) break;
    descent.Add(loss, grid.masses[i - 1]);
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
// sharply.
struct Window {
  double bottom = 0;   // next to nothing of the tilted sum is below
  double trusted = 0;  // what is read off below it would be rounding
  double top = 0;
  double theta = 0;  // 0: not at all
  double log_moment = 0;
};

Window WindowFor(const Sum& sum, double delta, double theta, double most, double cut_at) {
  Window window{.theta = theta};
  window.log_moment = sum.LogMoment(theta);
  // What wraps around from above would look like a small loss; of the untilted sum it is cut
  // already.
  const double upper = TailBound(sum, kLogWrappedShare, theta, window.log_moment, 1).bound;
  window.top = std::min(most, std::ceil(std::max(upper, cut_at) / sum.interval));
  const double lower = -TailBound(sum, kLogWrappedShare, theta, window.log_moment, -1).bound;
  window.bottom = std::min(window.top - 1, std::floor(lower / sum.interval));
  window.trusted = window.bottom;
  if (theta > 0) {
    // Rounding in the transform, seen without the tilt, grows towards lower losses and reaches 1e-8
    // of delta here.
    const double noisy = (window.log_moment - std::log(delta) - 9) / theta;
    window.trusted = std::max(window.bottom, std::floor(noisy / sum.interval));
  }
  return window;
}

// Epsilon, or nothing when it lies below what can be trusted.
std::optional<double> EpsilonIn(const Window& window, const Sum& sum, double infinite,
                                double delta) {
  const RealFft fft(RealFft::FastLength(static_cast<std::size_t>(window.top - window.bottom) + 1));
  const std::vector<double> masses = TiltedSum(sum, window.theta, fft);
  const double interval = sum.interval;
  double steps = 0;
  for (const RepeatedLoss& loss : sum.losses) steps += static_cast<double>(loss.times);
  // Masses lose about an ulp / interval per release where those of both neighbours cancel, powers
  // and transforms a few ulp; paid for here, on the safe side.
  const double rounding = 1 + 16 * (steps + 64) * (1 + 1 / interval) * kUlp;
  const auto length = static_cast<std::int64_t>(fft.length());
  Descent descent(infinite, delta);
  for (auto point = static_cast<std::int64_t>(window.top);
       point > static_cast<std::int64_t>(window.trusted); --point) {
    const double loss = static_cast<double>(point) * interval;
    if (descent.DoneAt(loss)) return descent.Epsilon();
    const auto place = static_cast<std::size_t>(((point % length) + length) % length);
    const double tilted = std::max(masses[place], 0.0);
    descent.Add(loss, tilted * std::exp(window.log_moment - window.theta * loss) * rounding);
    if (descent.Overflowed()) return std::max(0.0, loss);
  }
  if (window.theta == 0 || window.trusted <= 0) {
    return std::max(descent.Epsilon(), window.trusted * interval);
  }
  return std::nullopt;
}

double EpsilonOfSum(std::span<const RepeatedLoss> losses, double interval, double delta) {
  const double cut = std::min(kCutMass, kCutShare * delta);
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
    const Window window = WindowFor(sum, delta, theta, most, upper);
    if (!(window.top - window.bottom < kMostWindowPoints)) return kInfinity;
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
