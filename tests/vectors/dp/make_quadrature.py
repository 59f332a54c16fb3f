#!/usr/bin/env python3
"""Renyi divergence of the Poisson-subsampled Gaussian by numerical quadrature with 50 digits (needs mpmath).

Takes some minutes. Writes rdp_quadrature.csv: an independent check of the series in common/dp/rdp.cc, chosen where series lose digits
(tiny rates, fractional orders near 1, rates above one half) and where doubles overflow.
"""
import mpmath as mp

mp.mp.dps = 50


def rdp(q, sigma, order):
    q, sigma, order = mp.mpf(q), mp.mpf(sigma), mp.mpf(order)

    def integrand(z):
        ratio = 1 - q + q * mp.exp((2 * z - 1) / (2 * sigma**2))
        return mp.npdf(z, 0, sigma) * ratio**order

    crossing = sigma**2 * mp.log(1 / q - 1) + mp.mpf(1) / 2
    marks = sorted({mp.mpf(0), crossing, order, mp.mpf(1)})
    low, high = marks[0] - 40 * sigma, marks[-1] + 40 * sigma
    # Pieces of at most two standard deviations keep the quadrature exact.
    grid = [low]
    for mark in [*marks, high]:
        pieces = max(1, int(mp.ceil((mark - grid[-1]) / (2 * sigma))))
        start = grid[-1]
        grid += [start + (mark - start) * (i + 1) / pieces for i in range(pieces)]
    return mp.log(mp.quad(integrand, grid)) / (order - 1)


def main():
    with open("rdp_quadrature.csv", "w", encoding="ascii") as out:
        out.write("q,sigma,order,rdp\n")
        for q in ["0.000001", "0.001", "0.01", "0.2", "0.5", "0.75", "0.99"]:
            for sigma in ["0.3", "0.7", "1.3", "4", "20"]:
                for order in ["1.1", "1.9", "2.5", "4.1", "7", "10.9", "32"]:
                    out.write(f"{q},{sigma},{order},{mp.nstr(rdp(q, sigma, order), 17)}\n")


main()
