#include "common/dp/pld.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "common/base/text.h"
#include "common/dp/accountant.h"
#include "common/dp/renyi_curves.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// The loss that a Renyi curve allows is looked at up to here; beyond, e^loss leaves the doubles.
constexpr double kMostProfileLoss = 500;

// What there is to convolve.
struct History {
  std::map<Event, std::uint64_t> with_grid;  // keys have 1 step
  bool by_curve = false;
  RdpCurve curve{};  // the sum of what has no grid
};

void AddTo(History& history, const Event& event) {
  if (HasLossGrid(event)) {
    history.with_grid[WithSteps(event, 1)] += StepsOf(event);
    return;
  }
  const RdpCurve curve = RdpCurveOf(event);
  for (std::size_t i = 0; i < kOrderCount; ++i) {
    history.curve[i] += static_cast<double>(StepsOf(event)) * curve[i];
  }
  history.by_curve = true;
}

// Gaussians without sampling, trees among them, are one Gaussian together: 1 / sigma^2 adds up.
History Gather(std::span<const Event> events) {
  History history;
  double precision = 0;
  for (const Event& event : events) {
    const auto steps = static_cast<double>(StepsOf(event));
    if (steps == 0) continue;
    double sigma = 0;
    if (const auto* gaussian = std::get_if<SubsampledGaussian>(&event)) {
      if (gaussian->sampling_rate == 1) sigma = gaussian->noise_multiplier;
    } else if (const auto* tree = std::get_if<TreeAggregation>(&event)) {
      sigma = NoisePerTree(*tree);
    }
    if (sigma > 0) {
      precision += steps / (sigma * sigma);
    } else {
      AddTo(history, event);
    }
  }
  if (precision > 0) {
    history.with_grid[SubsampledGaussian{1, 1 / std::sqrt(precision), 1}] += 1;
  }
  return history;
}

// The delta a Renyi curve allows at each epsilon (Canonne, Kamath, Steinke 2020, Proposition 12).
LossGrid GridOfCurve(const RdpCurve& curve, double interval, double delta) {
  const auto delta_at = [&](double epsilon) {
    double log_delta = 0;
    for (std::size_t i = 0; i < kOrderCount; ++i) {
      const double order = Orders()[i];
      log_delta = std::min(
          log_delta, (order - 1) * (curve[i] + std::log1p(-1 / order) - epsilon) - std::log(order));
    }
    return std::exp(log_delta);
  };
  // Where delta itself no longer matters; a coarse answer will do for an end.
  const double end =
      std::min(EpsilonOf(curve, std::max(1e-3 * delta, 1e-300)).epsilon + 1, kMostProfileLoss);
  return GridOfProfile(delta_at, -std::min(end, 5.0), end, interval);
}

double EpsilonOn(const History& history, double interval, double delta) {
  bool symmetric = true;
  std::vector<RepeatedLoss> remove;
  std::vector<RepeatedLoss> add;
  for (const auto& [event, steps] : history.with_grid) {
    symmetric &= IsSymmetric(event);
    LossGridPair grids = GridsOf(event, interval);
    remove.push_back({std::move(grids.remove), steps});
    add.push_back({std::move(grids.add), steps});
  }
  if (history.by_curve) {
    remove.push_back({GridOfCurve(history.curve, interval, delta), 1});
    if (!symmetric) add.push_back(remove.back());
  }
  const double epsilon = EpsilonOfLosses(remove, interval, delta);
  return symmetric ? epsilon : std::max(epsilon, EpsilonOfLosses(add, interval, delta));
}

double PointsOn(const History& history, double interval) {
  double points = history.by_curve ? 2 * kMostProfileLoss / interval : 0;
  for (const auto& [event, steps] : history.with_grid) {
    points = std::max(points, GridPointsOf(event, interval));
  }
  return points;
}

}  // namespace

double IntervalFor(double rdp_epsilon) {
  return rdp_epsilon < 20 ? 1e-4 : rdp_epsilon < 500 ? 1e-3 : 1e-2;
}

StatusOr<PldBudget> SpentEpsilonByPld(std::span<const Event> events, double delta,
                                      double interval) {
  if (!(interval >= 0) || interval > 1) {
    return InvalidArgument(
        Join("loss interval is ", interval, ", expected a number above 0 and at most 1, or 0"));
  }
  TUTTI_ASSIGN(const SpentBudget renyi, SpentEpsilon(events, delta));
  if (renyi.epsilon == 0 || std::isinf(renyi.epsilon)) return PldBudget{renyi.epsilon, 0};
  const History history = Gather(events);
  double step = interval > 0 ? interval : IntervalFor(renyi.epsilon);
  if (interval > 0 && !(PointsOn(history, step) <= kMostGridPoints)) {
    return OutOfRange(Join("loss interval ", interval, " would need ", PointsOn(history, step),
                           " grid points, expected at most ", kMostGridPoints,
                           "; use a larger one"));
  }
  double epsilon = kInfinity;
  // A coarser grid when one release, or their sum, has no room on the finer one.
  for (; step <= 1; step *= 10) {
    if (!(PointsOn(history, step) <= kMostGridPoints)) continue;
    epsilon = EpsilonOn(history, step, delta);
    if (std::isfinite(epsilon) || interval > 0) break;
  }
  if (!(step <= 1)) step = 0;
  return PldBudget{std::min(epsilon, renyi.epsilon), step};
}

}  // namespace tutti::dp
