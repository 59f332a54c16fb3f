// Renyi curves of every mechanism an event can name. Thread safety: pure functions.
// Sources: Mironov 2017 (Laplace, Proposition 6); Canonne, Kamath, Steinke 2020 (discrete
// Gaussian); Zhu, Wang 2019 (Poisson sampling of any mechanism, Theorem 5; of Laplace, Theorem 6);
// the headers of common/dp for the others.
#pragma once

#include <functional>

#include "common/dp/mechanisms.h"
#include "common/dp/rdp.h"

namespace tutti::dp {

// One release of `event`, whatever its steps: an upper bound at every order of the grid, infinite
// for an unknown release or one without noise. `event` must pass CheckEvent. About 1 ms.
RdpCurve RdpCurveOf(const Event& event);

// A mechanism over a Poisson sample of rate q in (0, 1], given its own Renyi divergence `rdp` at
// whole orders from 2 on. Never above `unamplified`, the mechanism's curve.
RdpCurve PoissonAmplified(double q, const std::function<double(int)>& rdp,
                          const RdpCurve& unamplified);

}  // namespace tutti::dp
