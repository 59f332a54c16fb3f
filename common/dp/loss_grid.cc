#include "common/dp/loss_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/status.h"
#include "common/dp/noise_tails.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Noise further out than this many stddevs, of mass e^-50 on both sides, is not spread over the
// grid.
constexpr double kCutStddevs = 9.745474864965935;
constexpr double kDiscreteCutSigmas = 11.6;  // mass beyond below 1e-30

// The mechanism in one dimension: noise, shifted by 1 for a sampled example. Between `from` and
// `to` the unsampled loss grows from `low` to `high` along a straight line; where it is bounded
// (Laplace) it stays at its ends outside.
template <typename Noise>
struct Line {
  Noise noise;
  double q = 1;
  double from = 0;
  double to = 0;
  double low = 0;
  double high = 0;
  bool bounded = false;
};

Line<NormalNoise> LineOf(double q, double sigma) {
  const double cut = kCutStddevs * sigma;
  const auto loss = [&](double x) { return (x - 0.5) / (sigma * sigma); };
  return {NormalNoise(sigma), q, -cut, cut + 1, loss(-cut), loss(cut + 1), false};
}

Line<LaplaceNoise> LaplaceLineOf(double q, double scale) {
  return {LaplaceNoise(scale), q, 0, 1, -1 / scale, 1 / scale, true};
}

// log(1 - q + q e^loss): the loss of removing a sampled example.
double Sampled(double q, double loss) {
  if (q == 1) return loss;
  return loss > 1 ? LogAdd(std::log1p(-q), std::log(q) + loss) : std::log1p(q * std::expm1(loss));
}

// The unsampled loss whose sampled one is `loss`; minus infinity when none is that low.
double Unsampled(double q, double loss) {
  if (q == 1) return loss;
  if (loss > 1) return loss - std::log(q) + std::log1p(-(1 - q) * std::exp(-loss));
  const double ratio = std::expm1(loss) / q;
  return ratio > -1 ? std::log1p(ratio) : -kInfinity;
}

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

std::pair<double, double> Ends(double q, double low, double high, Direction direction) {
  const double sampled_low = Sampled(q, low);
  const double sampled_high = Sampled(q, high);
  if (direction == Direction::kRemove) return {sampled_low, sampled_high};
  return {-sampled_high, -sampled_low};
}

// Walks over the grid from below. P is the distribution the loss is taken under, Q the other.
template <typename Noise>
class Walk {
 public:
  Walk(const Line<Noise>& line, Direction direction) : line_(line), direction_(direction) {}

  struct Cut {
    typename Noise::Point plain;    // relative to noise around 0
    typename Noise::Point shifted;  // relative to noise around 1
  };

  // Where the loss passes `loss`, along the line.
  Cut At(double loss) const {
    const bool remove = direction_ == Direction::kRemove;
    const double unsampled = Unsampled(line_.q, remove ? loss : -loss);
    const double part = (unsampled - line_.low) / (line_.high - line_.low);
    double x = line_.from + part * (line_.to - line_.from);
    // Beyond the ends of a bounded loss lies the rest of the line, on neither side of the cut.
    if (line_.bounded && (remove ? part >= 1 : part > 1)) x = kInfinity;
    if (line_.bounded && (remove ? part < 0 : part <= 0)) x = -kInfinity;
    return {line_.noise.At(x), line_.noise.At(x - 1)};
  }
  Cut Lowest() const { return End(direction_ == Direction::kRemove ? -kInfinity : kInfinity); }
  Cut Highest() const { return End(direction_ == Direction::kRemove ? kInfinity : -kInfinity); }

  // Masses of the losses between two cuts, below before above: under P, and under Q times e^scale.
  double MassP(const Cut& below, const Cut& above) const {
    return direction_ == Direction::kRemove ? Mixed(below, above, 0) : Plain(above, below, 0);
  }
  double MassQ(const Cut& below, const Cut& above, double scale) const {
    return direction_ == Direction::kRemove ? Plain(below, above, scale)
                                            : Mixed(above, below, scale);
  }

 private:
  Cut End(double x) const { return {line_.noise.At(x), line_.noise.At(x)}; }
  double Plain(const Cut& a, const Cut& b, double scale) const {
    return Noise::Mass(a.plain, b.plain, scale);
  }
  double Mixed(const Cut& a, const Cut& b, double scale) const {
    const double shifted = line_.q * Noise::Mass(a.shifted, b.shifted, scale);
    return line_.q == 1 ? shifted : shifted + (1 - line_.q) * Plain(a, b, scale);
  }

  const Line<Noise>& line_;
  Direction direction_;
};

template <typename Noise>
LossGrid Discretise(const Line<Noise>& line, Direction direction, double interval) {
  const auto [low, high] = Ends(line.q, line.low, line.high, direction);
  LossGrid grid;
  grid.first = static_cast<std::int64_t>(std::floor(low / interval));
  const auto last = static_cast<std::int64_t>(std::ceil(high / interval));
  grid.masses.assign(static_cast<std::size_t>(last - grid.first) + 1, 0);
  const Walk<Noise> walk(line, direction);
  const auto loss_at = [&](std::size_t i) {
    return static_cast<double>(grid.first + static_cast<std::int64_t>(i)) * interval;
  };
  const double up = -std::expm1(-interval);
  const double shrink = std::exp(-interval);
  auto below = walk.At(loss_at(0));
  grid.masses[0] = walk.MassP(walk.Lowest(), below);
  for (std::size_t i = 0; i + 1 < grid.masses.size(); ++i) {
    const auto above = walk.At(loss_at(i + 1));
    // Of p between two points, `upper` goes up, so that p - upper + upper e^-interval = q e^loss.
    const double p = walk.MassP(below, above);
    const double q = walk.MassQ(below, above, loss_at(i));
    const double upper = std::clamp((p - std::clamp(q, p * shrink, p)) / up, 0.0, p);
    grid.masses[i] += p - upper;
    grid.masses[i + 1] += upper;
    below = above;
  }
  const double p = walk.MassP(below, walk.Highest());
  const double q = std::min(p, walk.MassQ(below, walk.Highest(), loss_at(grid.masses.size() - 1)));
  grid.masses.back() += q;
  grid.infinite = p - q;
  return grid;
}

// Adds losses with their masses, each rounded up to the grid.
class Rounded {
 public:
  Rounded(double lowest, double highest, double interval) : interval_(interval) {
    grid_.first = Index(lowest);
    grid_.masses.assign(static_cast<std::size_t>(Index(highest) - grid_.first) + 1, 0);
  }
  void Add(double loss, double mass) {
    grid_.masses[static_cast<std::size_t>(Index(loss) - grid_.first)] += mass;
  }
  void AddInfinite(double mass) { grid_.infinite += mass; }
  LossGrid Take() { return std::move(grid_); }

 private:
  std::int64_t Index(double loss) const {
    return static_cast<std::int64_t>(std::ceil(loss / interval_));
  }
  double interval_;
  LossGrid grid_;
};

LossGrid GridOfDiscreteGaussian(const DiscreteGaussian& event, double interval) {
  const auto cut = static_cast<std::int64_t>(std::ceil(kDiscreteCutSigmas * event.sigma));
  const auto shift = static_cast<std::int64_t>(event.sensitivity);
  const double variance = event.sigma * event.sigma;
  const auto weight = [&](std::int64_t x) {
    return std::exp(-0.5 * static_cast<double>(x) * static_cast<double>(x) / variance);
  };
  double total = 0;
  for (std::int64_t x = cut; x > 0; --x) total += 2 * weight(x);
  total += 1;
  const auto loss = [&](std::int64_t x) {  // at noise x - shift around the shifted value
    return event.sensitivity * (-0.5 * event.sensitivity - static_cast<double>(x)) / variance;
  };
  if (2 * cut < shift) return {0, {0}, 1};
  Rounded grid(loss(cut - shift), loss(-cut), interval);
  for (std::int64_t x = -cut - shift; x <= cut - shift; ++x) {
    const double mass = weight(x + shift) / total;
    if (x < -cut) {
      grid.AddInfinite(mass);  // a sampler that is cut off never gives this without the example
    } else {
      grid.Add(loss(x), mass);
    }
  }
  return grid.Take();
}

LossGrid GridOfDiscreteLaplace(const DiscreteLaplace& event, double interval) {
  const double a = event.decay;
  const auto shift = static_cast<std::int64_t>(event.sensitivity);
  const double top = static_cast<double>(shift) * a;
  Rounded grid(-top, top, interval);
  const double end = 1 / (1 + std::exp(-a));
  grid.Add(top, end);  // noise of 0 or more on the example's side
  grid.Add(-top, end * std::exp(-top));
  for (std::int64_t k = 1; k < shift; ++k) {
    const auto x = static_cast<double>(k);
    grid.Add(static_cast<double>(shift - 2 * k) * a, -std::expm1(-a) * end * std::exp(-a * x));
  }
  return grid.Take();
}

double PointsOf(std::pair<double, double> ends, double interval) {
  return (ends.second - ends.first) / interval + 3;
}

}  // namespace

bool HasLossGrid(const Event& event) {
  if (const auto* discrete = std::get_if<DiscreteGaussian>(&event)) return discrete->values == 1;
  return std::holds_alternative<SubsampledGaussian>(event) ||
         std::holds_alternative<SubsampledLaplace>(event) ||
         std::holds_alternative<DiscreteLaplace>(event) ||
         std::holds_alternative<TreeAggregation>(event);
}

bool IsSymmetric(const Event& event) {
  if (const auto* gaussian = std::get_if<SubsampledGaussian>(&event)) {
    return gaussian->sampling_rate == 1;
  }
  const auto* laplace = std::get_if<SubsampledLaplace>(&event);
  return laplace == nullptr || laplace->sampling_rate == 1;
}

double GridPointsOf(const Event& event, double interval) {
  double points = 0;
  for (const Direction direction : {Direction::kRemove, Direction::kAdd}) {
    double now = 0;
    if (const auto* gaussian = std::get_if<SubsampledGaussian>(&event)) {
      const auto line = LineOf(gaussian->sampling_rate, gaussian->noise_multiplier);
      now = PointsOf(Ends(line.q, line.low, line.high, direction), interval);
    } else if (const auto* laplace = std::get_if<SubsampledLaplace>(&event)) {
      const auto line = LaplaceLineOf(laplace->sampling_rate, laplace->noise_multiplier);
      now = PointsOf(Ends(line.q, line.low, line.high, direction), interval);
    } else if (const auto* discrete = std::get_if<DiscreteGaussian>(&event)) {
      const double cut = kDiscreteCutSigmas * discrete->sigma + 1;
      const double s = discrete->sensitivity;
      const double losses = 2 * s * (cut + s) / (discrete->sigma * discrete->sigma);
      now = std::max(losses / interval + 3, 2 * cut + s);
    } else if (const auto* exponential = std::get_if<DiscreteLaplace>(&event)) {
      const auto s = static_cast<double>(exponential->sensitivity);
      now = std::max(2 * s * exponential->decay / interval + 3, s);
    } else if (const auto* tree = std::get_if<TreeAggregation>(&event)) {
      now = GridPointsOf(SubsampledGaussian{1, NoisePerTree(*tree), 1}, interval);
    }
    points = std::max(points, std::isnan(now) ? kInfinity : now);
  }
  return points;
}

LossGrid GridOf(const Event& event, Direction direction, double interval) {
  TUTTI_CHECK(HasLossGrid(event) && interval > 0);
  TUTTI_CHECK(GridPointsOf(event, interval) <= kMostGridPoints);
  if (const auto* gaussian = std::get_if<SubsampledGaussian>(&event)) {
    return Discretise(LineOf(gaussian->sampling_rate, gaussian->noise_multiplier), direction,
                      interval);
  }
  if (const auto* laplace = std::get_if<SubsampledLaplace>(&event)) {
    return Discretise(LaplaceLineOf(laplace->sampling_rate, laplace->noise_multiplier), direction,
                      interval);
  }
  if (const auto* discrete = std::get_if<DiscreteGaussian>(&event)) {
    return GridOfDiscreteGaussian(*discrete, interval);
  }
  if (const auto* exponential = std::get_if<DiscreteLaplace>(&event)) {
    return GridOfDiscreteLaplace(*exponential, interval);
  }
  const auto& tree = std::get<TreeAggregation>(event);
  return GridOf(SubsampledGaussian{1, NoisePerTree(tree), 1}, direction, interval);
}

LossGrid GridOfProfile(const std::function<double(double)>& delta_at, double lowest, double highest,
                       double interval) {
  LossGrid grid;
  grid.first = static_cast<std::int64_t>(std::floor(lowest / interval));
  const auto last = static_cast<std::int64_t>(std::ceil(highest / interval));
  grid.masses.assign(static_cast<std::size_t>(last - grid.first) + 1, 0);
  // A true profile is convex in e^epsilon and 1 at 0: the lower hull of points on or above it, seen
  // from there, is on or above it too, and is itself the profile of the masses at its corners.
  struct Corner {
    std::size_t index = 0;
    double y = 0;  // e^epsilon
    double delta = 1;
  };
  std::vector<Corner> hull;
  const auto slope = [](const Corner& a, const Corner& b) {
    return (b.delta - a.delta) / (b.y - a.y);
  };
  const Corner origin;
  double least = 1;
  for (std::size_t i = 0; i < grid.masses.size(); ++i) {
    const double loss = static_cast<double>(grid.first + static_cast<std::int64_t>(i)) * interval;
    least = std::min(least, delta_at(loss));
    const Corner next{i, std::exp(loss), least};
    while (!hull.empty()) {
      const Corner& before = hull.size() > 1 ? hull[hull.size() - 2] : origin;
      if (slope(before, hull.back()) < slope(hull.back(), next)) break;
      hull.pop_back();
    }
    hull.push_back(next);
  }
  double before = slope(origin, hull.front());
  for (std::size_t i = 0; i < hull.size(); ++i) {
    const double after = i + 1 < hull.size() ? slope(hull[i], hull[i + 1]) : 0;
    grid.masses[hull[i].index] += std::max(hull[i].y * (after - before), 0.0);
    before = after;
  }
  grid.infinite = hull.back().delta;
  return grid;
}

}  // namespace tutti::dp
