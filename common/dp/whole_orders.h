// A Renyi curve from a bound that is known at whole orders only. Thread safety: pure function.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/dp/rdp.h"

namespace tutti::dp {

// `log_moment(n)` gives (n - 1) * rdp(n) for whole n >= 2, at least 0. Between whole orders the
// chord is taken, which lies above: log moments are convex in the order and 0 at order 1. Nowhere
// above `cap`.
template <typename LogMoment>
RdpCurve CurveFromWholeOrders(const LogMoment& log_moment, const RdpCurve& cap) {
  std::vector<double> known(static_cast<std::size_t>(Orders().back()) + 1, -1);
  const auto at = [&](double order) {
    if (order < 2) return 0.0;
    double& value = known[static_cast<std::size_t>(order)];
    if (value < 0) value = log_moment(static_cast<int>(order));
    return value;
  };
  RdpCurve curve{};
  for (std::size_t i = 0; i < kOrderCount; ++i) {
    const double order = Orders()[i];
    const double below = std::floor(order);
    const double part = order - below;
    const double low = at(below);
    const double log_a = part == 0 ? low : low + part * (at(below + 1) - low);
    const double rdp = log_a / (order - 1);
    curve[i] = std::isnan(rdp) ? cap[i] : std::min(rdp, cap[i]);
  }
  return curve;
}

}  // namespace tutti::dp
