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

std::pair<double, double> Ends(double q, double low, double high, Direction direction) {
  const double sampled_low = Sampled(q, low);
  const double sampled_high = Sampled(q, high);
  if (direction == Direction::kRemove) return {sampled_low, sampled_high};
  return {-sampled_high, -sampled_low};
}

// Walks over the grid from below. Losses are those of removing the example; with the opposite sign
// they are those of adding it, between the same cuts.
template <typename Noise>
class Walk {
 public:
  explicit Walk(const Line<Noise>& line)
      : line_(line),
        log_q_(std::log(line.q)),
        stretch_((line.to - line.from) / (line.high - line.low)) {}

  struct Cut {
    typename Noise::Point plain;    // relative to noise around 0
    typename Noise::Point shifted;  // relative to noise around 1
    double loss = 0;
    double growth = 0;  // e^loss
  };
  // What lies between two cuts, without the example and with it.
  struct Masses {
    double without = 0;
    double with = 0;
  };

  // Where the loss passes `loss`, along the line.
  Cut At(double loss) const {
    Cut cut;
    cut.loss = loss;
    double unsampled = loss;
    if (loss > 1) {
      const double shrink = std::exp(-loss);
      cut.growth = 1 / shrink;
      if (line_.q < 1) unsampled = loss - log_q_ + std::log1p(-(1 - line_.q) * shrink);
    } else {
      const double gain = std::expm1(loss);
      cut.growth = loss < -0.5 ? std::exp(loss) : 1 + gain;
      const double ratio = gain / line_.q;
      if (line_.q < 1) unsampled = ratio > -1 ? std::log1p(ratio) : -kInfinity;
    }
    // Beyond the ends of a bounded loss lies the rest of the line, on neither side of the cut.
    double x = line_.from + (unsampled - line_.low) * stretch_;
    if (line_.bounded && unsampled >= line_.high) x = kInfinity;
    if (line_.bounded && unsampled < line_.low) x = -kInfinity;
    cut.plain = line_.noise.At(x);
    cut.shifted = line_.noise.At(x - 1);
    return cut;
  }
  // The ends of the line; their loss does not matter.
  Cut Lowest() const { return End(-kInfinity); }
  Cut Highest() const { return End(kInfinity); }

  Masses Between(const Cut& below, const Cut& above) const {
    const double plain = Noise::Mass(below.plain, above.plain);
    const double shifted = Noise::Mass(below.shifted, above.shifted);
    return {plain, line_.q == 1 ? shifted : line_.q * shifted + (1 - line_.q) * plain};
  }
  // masses.without * e^loss of the lower cut, also where the mass alone is no double.
  double WithoutTimesGrowth(const Cut& below, const Cut& above, const Masses& masses) const {
    if (below.loss > kMostPlainLoss) {
      return Noise::ScaledMass(below.plain, above.plain, below.loss);
    }
    return masses.without * below.growth;
  }

 private:
  static constexpr double kMostPlainLoss = 500;
  Cut End(double x) const { return {line_.noise.At(x), line_.noise.At(x)}; }

  const Line<Noise>& line_;
  double log_q_;
  double stretch_;
};

// Shares out the mass between two neighbouring points.
class Sharing {
 public:
  explicit Sharing(double interval) : up_(-std::expm1(-interval)), shrink_(std::exp(-interval)) {}
  // What of p goes to the upper point so that p - upper + upper e^-interval = q, the mass under the
  // other data set times e^(lower loss).
  double Upper(double p, double q) const {
    return std::clamp((p - std::clamp(q, p * shrink_, p)) / up_, 0.0, p);
  }

 private:
  double up_;
  double shrink_;
};

LossGridPair Twice(const LossGrid& grid) { return {grid, grid}; }

template <typename Noise>
LossGridPair Discretise(const Line<Noise>& line, double interval) {
  const auto [low, high] = Ends(line.q, line.low, line.high, Direction::kRemove);
  const auto first = static_cast<std::int64_t>(std::floor(low / interval));
  const auto last = static_cast<std::int64_t>(std::ceil(high / interval));
  const std::size_t points = static_cast<std::size_t>(last - first) + 1;
  const bool symmetric = line.q == 1;
  LossGrid remove{first, std::vector<double>(points), 0};
  LossGrid add{-last, std::vector<double>(symmetric ? 0 : points), 0};
  const Walk<Noise> walk(line);
  const Sharing sharing(interval);
  auto below = walk.At(static_cast<double>(first) * interval);
  // The rest of the line below: to be rounded up for removing, with unbounded loss for adding.
  const auto lowest = walk.Between(walk.Lowest(), below);
  remove.masses.front() = lowest.with;
  if (!symmetric) {
    add.masses.back() = std::min(lowest.without, lowest.with / below.growth);
    add.infinite = lowest.without - add.masses.back();
  }
  for (std::size_t i = 0; i + 1 < points; ++i) {
    const auto above =
        walk.At(static_cast<double>(first + static_cast<std::int64_t>(i) + 1) * interval);
    const auto masses = walk.Between(below, above);
    const double up = sharing.Upper(masses.with, walk.WithoutTimesGrowth(below, above, masses));
    remove.masses[i] += masses.with - up;
    remove.masses[i + 1] += up;
    if (!symmetric) {
      const double down = sharing.Upper(masses.without, masses.with / above.growth);
      add.masses[points - 1 - i] += down;
      add.masses[points - 2 - i] += masses.without - down;
    }
    below = above;
  }
  // The rest above, the other way round.
  const auto highest = walk.Between(below, walk.Highest());
  const double finite =
      std::min(highest.with, walk.WithoutTimesGrowth(below, walk.Highest(), highest));
  remove.masses.back() += finite;
  remove.infinite = highest.with - finite;
  if (symmetric) return Twice(remove);
  add.masses.front() += highest.without;
  return {std::move(remove), std::move(add)};
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

LossGridPair GridsOf(const Event& event, double interval) {
  TUTTI_CHECK(HasLossGrid(event) && interval > 0);
  TUTTI_CHECK(GridPointsOf(event, interval) <= kMostGridPoints);
  if (const auto* gaussian = std::get_if<SubsampledGaussian>(&event)) {
    return Discretise(LineOf(gaussian->sampling_rate, gaussian->noise_multiplier), interval);
  }
  if (const auto* laplace = std::get_if<SubsampledLaplace>(&event)) {
    return Discretise(LaplaceLineOf(laplace->sampling_rate, laplace->noise_multiplier), interval);
  }
  if (const auto* discrete = std::get_if<DiscreteGaussian>(&event)) {
    return Twice(GridOfDiscreteGaussian(*discrete, interval));
  }
  if (const auto* exponential = std::get_if<DiscreteLaplace>(&event)) {
    return Twice(GridOfDiscreteLaplace(*exponential, interval));
  }
  const auto& tree = std::get<TreeAggregation>(event);
  return GridsOf(SubsampledGaussian{1, NoisePerTree(tree), 1}, interval);
}

LossGrid GridOf(const Event& event, Direction direction, double interval) {
  LossGridPair grids = GridsOf(event, interval);
  return std::move(direction == Direction::kRemove ? grids.remove : grids.add);
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
