// Epsilon from privacy loss distributions: the losses of all releases are convolved with Fourier
// transforms, in both neighbouring directions, and the larger epsilon counts. Always an upper
// bound. Thread safety: pure functions. Sources: Sommer, Meiser, Mohammadi 2019 (privacy loss
// classes); Koskela, Jaelkoe, Honkela 2020 (Fourier accountant); common/dp/loss_grid.h. The tilting
// before the transform is that of large-deviation estimates: it keeps relative accuracy in the tail
// that decides epsilon.
#pragma once

#include <span>
#include <vector>

#include "common/dp/loss_grid.h"
#include "common/dp/mechanisms.h"

namespace tutti::dp {

// One loss, many times.
struct RepeatedLoss {
  LossGrid grid;
  std::uint64_t times = 1;
};

// The smallest epsilon >= 0 of the sum of all losses, on one grid of `interval`. `delta` in (0, 1).
// Infinity when the infinite masses alone pass delta, or the part of the sum that decides spans
// more than 2^22 grid points. Losses above 708 get no credit for their distance to epsilon: their
// e^-loss is no normal double.
double EpsilonOfLosses(std::span<const RepeatedLoss> losses, double interval, double delta);

// The grid interval for histories whose Renyi epsilon is this: 1e-4 below 20, 1e-3 below 500, else
// 1e-2. Coarser is faster and never less than the truth.
double IntervalFor(double rdp_epsilon);

struct PldBudget {
  double epsilon = 0;
  double interval = 0;  // of the grid; 0: no grid was needed, or none was possible
};

// The epsilon of all `events` together: by their loss distributions, with what has none (sampling
// without replacement, Skellam, distributed discrete Gaussian, vectors of discrete Gaussians)
// entering as the loss distribution that their summed Renyi curve allows; and never above what the
// Renyi curves say of the whole history. `interval` 0: IntervalFor, and coarser by tens when the
// grid would have more than kMostGridPoints. Errors: InvalidArgument for events or a delta out of
// range and for events whose neighbouring relations exclude each other; OutOfRange for an
// `interval` of the caller's that is too fine.
StatusOr<PldBudget> SpentEpsilonByPld(std::span<const Event> events, double delta,
                                      double interval = 0);

}  // namespace tutti::dp
