// The Gaussian mechanism exactly, without sampling. Thread safety: pure functions.
// Source: Balle, Wang 2018, "Improving the Gaussian mechanism for differential privacy", Theorem 8.
#pragma once

namespace tutti::dp {

// The smallest delta for which one Gaussian of stddev noise_multiplier * sensitivity is
// (epsilon, delta)-DP. `noise_multiplier` > 0, `epsilon` >= 0. Relative error about 1e-10 while the
// result is above 1e-300; for a noise multiplier below 5e-5 up to 1e-3 too large.
double DeltaOfGaussian(double noise_multiplier, double epsilon);

// The smallest epsilon >= 0 for `delta` in (0, 1), rounded up by less than 1e-12 relative; infinity
// for noise 0 or so little that epsilon leaves the range of a double. T such releases are one with
// noise_multiplier / sqrt(T).
double EpsilonOfGaussian(double noise_multiplier, double delta);

}  // namespace tutti::dp
