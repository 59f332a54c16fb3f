// The privacy loss of one release, made discrete on a grid so that what it says is never less than
// the truth ("connect the dots"): the mass between two grid points is shared out to both so that
// the masses under both neighbouring data sets stay what they are; above the grid it becomes
// infinite loss. Thread safety: value types, pure functions. Source: Doroshenko, Ghazi, Kamath,
// Kumar, Manurangsi 2022, "Connect the dots: tighter discrete approximations of privacy loss
// distributions" (arXiv:2207.04380), Algorithm 1; dominating pairs of subsampled mechanisms: Zhu,
// Dong, Wang 2022, "Optimal accounting of differential privacy via characteristic function",
// section 4.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/dp/mechanisms.h"

namespace tutti::dp {

// Masses of the losses (first + i) * interval under the data set that has (kRemove) or has not
// (kAdd) the example in question.
struct LossGrid {
  std::int64_t first = 0;
  std::vector<double> masses;  // >= 0
  double infinite = 0;         // mass of unbounded loss
};

// The losses of one release in both directions.
struct LossGridPair {
  LossGrid remove;
  LossGrid add;
};

// Which of two neighbours the loss is taken under. Both have to be accounted.
enum class Direction { kRemove, kAdd };

// How many grid points one release may need: memory of 8 bytes each.
inline constexpr double kMostGridPoints = 1 << 23;

// Grid points GridOf would make; may be infinite.
double GridPointsOf(const Event& event, double interval);

// Whether the loss of `event` is the same in both directions.
bool IsSymmetric(const Event& event);

// Whether GridOf knows the mechanism: Gaussian and Laplace with Poisson sampling, tree aggregation,
// discrete Gaussian and discrete Laplace on one value. Others are bounded by their Renyi curve
// only.
bool HasLossGrid(const Event& event);

// One release of `event`, which must pass CheckEvent, HasLossGrid, have noise, and need at most
// kMostGridPoints. Discrete mechanisms' few losses are rounded up to the grid. The two directions
// share their work: the loss of the one is minus that of the other, so both are cut at the same
// points.
LossGridPair GridsOf(const Event& event, double interval);

// One of the two.
LossGrid GridOf(const Event& event, Direction direction, double interval);

// The grid of the pair of distributions whose delta at each epsilon is at least `delta_at`, which
// must not increase. Between `lowest` and `highest` loss; used for bounds that come as a curve.
LossGrid GridOfProfile(const std::function<double(double)>& delta_at, double lowest, double highest,
                       double interval);

}  // namespace tutti::dp
