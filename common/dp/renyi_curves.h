// Renyi curves of every mechanism an event can name. Thread safety: pure functions.
// Sources: Mironov 2017 (Laplace, Proposition 6); Canonne, Kamath, Steinke 2020 (discrete
// Gaussian); Mironov, Talwar, Zhang 2019 (Poisson sampling: section 3.3, Theorem 5);
// the headers of common/dp for the others.
#pragma once

#include <functional>

#include "common/dp/mechanisms.h"
#include "common/dp/rdp.h"

namespace tutti::dp {

// One release of `event`, whatever its steps: an upper bound at every order of the grid, infinite
// for an unknown release or one without noise. `event` must pass CheckEvent. About 1 ms.
RdpCurve RdpCurveOf(const Event& event);

// Additive noise that is symmetric about zero, over a Poisson sample of rate q in (0, 1], given the
// mechanism's own Renyi divergence `rdp` (or a bound) at whole orders from 2 on. Never above
// `unamplified`, the mechanism's curve. With P the noise moved by one contribution and Q the noise:
//   exp((n - 1) D_n(qP + (1-q)Q || Q)) = sum over k of C(n, k) (1-q)^(n-k) q^k E_Q[(P/Q)^k],
// every term positive, E_Q[(P/Q)^k] = exp((k - 1) D_k(P || Q)). The other direction is never worse:
// x -> (the contribution) - x swaps P and Q, is its own inverse and keeps the measure, also that of
// whole numbers, which is all the proof of Theorem 5 uses.
RdpCurve PoissonAmplified(double q, const std::function<double(int)>& rdp,
                          const RdpCurve& unamplified);

}  // namespace tutti::dp
