// Renyi differential privacy of a Gaussian over a sample drawn without replacement; neighbouring
// data sets differ in one example that is replaced. Thread safety: pure functions.
// Source: Wang, Balle, Kasiviswanathan 2019, "Subsampled Renyi differential privacy and analytical
// moments accountant", Theorem 27 (arXiv:1808.00087).
#pragma once

#include "common/dp/rdp.h"

namespace tutti::dp {

// One release, at every order of the grid. `fraction` = sample / population in (0, 1],
// `noise_multiplier` >= 0 relative to the sensitivity to replacing one. Orders up to 256 use the
// theorem's moments of (likelihood ratio - 1), higher ones only its coarser branch. About 1 ms.
RdpCurve RdpCurveWithoutReplacement(double fraction, double noise_multiplier);

}  // namespace tutti::dp
