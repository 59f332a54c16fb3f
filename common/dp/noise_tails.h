// Masses of Gaussian and Laplace noise between two points, by walking over the points in order.
// Thread safety: value types. Accuracy: masses keep about 1e-12 of relative accuracy in either
// tail.
#pragma once

#include <algorithm>
#include <cmath>

#include "common/dp/normal.h"

namespace tutti::dp {

// Noise of stddev sigma. A point is what the mass up to it needs: computed once, used twice.
class NormalNoise {
 public:
  struct Point {
    double z = 0;
    double tail = 0;  // of the side of the middle that z is on
  };

  explicit NormalNoise(double sigma) : sigma_(sigma) {}
  Point At(double x) const {
    const double z = x / sigma_;
    return {z, NormalTail(std::abs(z))};
  }
  // The mass between two points, a before b.
  static double Mass(const Point& a, const Point& b) {
    double mass = 0;
    if (a.z > 0) {
      mass = a.tail - b.tail;
    } else if (b.z < 0) {
      mass = b.tail - a.tail;
    } else {
      mass = 1 - a.tail - b.tail;
    }
    return std::max(mass, 0.0);
  }
  // The same times e^log_scale, which may be an ordinary number where the mass alone is none.
  static double ScaledMass(const Point& a, const Point& b, double log_scale) {
    if (a.z <= 0) return std::exp(log_scale) * Mass(a, b);
    const double high = LogNormalCdf(-a.z);
    const double ratio = LogNormalCdf(-b.z) - high;
    return std::exp(high + log_scale) * -std::expm1(std::min(ratio, 0.0));
  }

 private:
  double sigma_;
};

// Noise of density e^(-|x| / scale) / (2 scale).
class LaplaceNoise {
 public:
  struct Point {
    double z = 0;
  };

  explicit LaplaceNoise(double scale) : scale_(scale) {}
  Point At(double x) const { return {x / scale_}; }
  static double Mass(const Point& a, const Point& b) { return ScaledMass(a, b, 0); }
  static double ScaledMass(const Point& a, const Point& b, double log_scale) {
    const auto tail = [&](double z) { return 0.5 * std::exp(log_scale - z); };
    if (a.z >= 0) return std::max(tail(a.z) - tail(b.z), 0.0);
    if (b.z <= 0) return std::max(tail(-b.z) - tail(-a.z), 0.0);
    return std::max(std::exp(log_scale) - tail(-a.z) - tail(b.z), 0.0);
  }

 private:
  double scale_;
};

}  // namespace tutti::dp
