#!/usr/bin/env python3
"""Makes golden scattering features for tests/unit/model, independently of common/model.

  make_features.py > features.txt      about a minute; Python's standard library only

Filters are sampled in space and summed over their periods, convolutions are the sums of their definition: no Fourier
transform of an image anywhere, where common/model works with spectra only. Definition: common/model/scattering.h.
Output: for each image height and width, a line of pixels, a line of features.
"""
import cmath
import math

MARGIN, STEP, SCALES, ANGLES = 4, 4, 2, 8


def gabor(height, width, stddev, angle, wave):
    """A Gaussian twice as long across the wave as along it, times the wave; its sum over the plane is 1 without wave."""
    out = [[0j] * width for _ in range(height)]
    for y in range(height):
        for x in range(width):
            for period_y in range(-2, 3):
                for period_x in range(-2, 3):
                    v, u = y + period_y * height, x + period_x * width
                    along = v * math.cos(angle) + u * math.sin(angle)
                    across = u * math.cos(angle) - v * math.sin(angle)
                    out[y][x] += cmath.exp(-(along ** 2 + across ** 2 / 4) / (2 * stddev ** 2) + 1j * wave * along)
    return [[value / (2 * math.pi * stddev ** 2 * 2) for value in row] for row in out]


def morlet(height, width, scale, angle_index):
    stddev, angle, wave = 0.8 * 2 ** scale, (3 - angle_index) * math.pi / ANGLES, 0.75 * math.pi / 2 ** scale
    waving = gabor(height, width, stddev, angle, wave)
    bare = gabor(height, width, stddev, angle, 0)
    share = sum(map(sum, waving)) / sum(map(sum, bare))
    return [[a - share * b for a, b in zip(*rows)] for rows in zip(waving, bare)]


def modulus_of_convolution(field, kernel, keep):
    """|field * kernel| on the torus, at every keep-th place."""
    height, width = len(field), len(field[0])
    out = []
    for y in range(0, height, keep):
        row = []
        for x in range(0, width, keep):
            total = 0j
            for v in range(height):
                kernel_row = kernel[(y - v) % height]
                field_row = field[v]
                total += sum(field_row[u] * kernel_row[x - u] for u in range(width))  # a negative index counts from the end
            row.append(abs(total))
        out.append(row)
    return out


def average_kernel(length, kept):
    """The Gaussian of stddev 1.6 pixels, on the grid of every kept-th pixel: only what that grid can tell apart."""
    fine = [sum(math.exp(-(n + p * length) ** 2 / (2 * 1.6 ** 2)) for p in range(-2, 3)) / (math.sqrt(2 * math.pi) * 1.6)
            for n in range(length)]
    size = length // kept
    frequencies = range(-size // 2, size - size // 2) if kept > 1 else range(length)
    spectrum = {k: sum(f * cmath.exp(-2j * math.pi * k * n / length) for n, f in enumerate(fine)) for k in frequencies}
    return [sum(s * cmath.exp(2j * math.pi * k * n / size) for k, s in spectrum.items()).real / size for n in range(size)]


def averaged(field, kept):
    """At every fourth pixel between the margins."""
    height, width = len(field), len(field[0])
    down, across = average_kernel(height * kept, kept), average_kernel(width * kept, kept)
    places = [[(i + 1) * STEP // kept for i in range(size * kept // STEP - 2)] for size in (height, width)]
    return [sum(down[(y - v) % height] * sum(across[(x - u) % width] * field[v][u] for u in range(width))
                for v in range(height)) for y in places[0] for x in places[1]]


def mirrored(image):
    def index(position, size):
        position = abs(position)
        return 2 * (size - 1) - position if position >= size else position
    height, width = len(image), len(image[0])
    return [[image[index(y, height)][index(x, width)] for x in range(-MARGIN, width + MARGIN)]
            for y in range(-MARGIN, height + MARGIN)]


def scattering(image):
    field = mirrored(image)
    height, width = len(field), len(field[0])
    wavelets = [[morlet(height, width, scale, angle) for angle in range(ANGLES)] for scale in range(SCALES)]
    first, second = averaged(field, 1), []
    for angle in range(ANGLES):
        modulus = modulus_of_convolution(field, wavelets[0][angle], 1)
        first += averaged(modulus, 1)
        for wavelet in wavelets[1]:
            second += averaged(modulus_of_convolution(modulus, wavelet, 2), 2)
    for wavelet in wavelets[1]:
        first += averaged(modulus_of_convolution(field, wavelet, 2), 2)
    return first + second


def picture(height, width):
    """Edges, a slope and something irregular."""
    return [[round((0.4 * (y * 3 > x * 2) + 0.3 * x / width + 0.3 * ((x * x * 7 + y * 13 + x * y * 5) % 31) / 30) * 255) / 255
             for x in range(width)] for y in range(height)]


for size in ((28, 28), (8, 12)):
    pixels = picture(*size)
    print(*size)
    print(*(f"{value:.8g}" for row in pixels for value in row))
    print(*(f"{value:.8g}" for value in scattering(pixels)))
