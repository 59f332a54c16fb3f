// Tails of the standard normal distribution with their relative accuracy kept, and sums of
// logarithms. Thread safety: pure functions.
#pragma once

namespace tutti::dp {

// log(e^a + e^b); either may be minus infinity.
double LogAdd(double a, double b);

// log of the standard normal distribution function at x; relative error about 1e-14 of the result
// for every finite x.
double LogNormalCdf(double x);

// P(Z > x) for x >= 0; relative error of a few ulp while the result is a normal double.
double NormalTail(double x);

}  // namespace tutti::dp
