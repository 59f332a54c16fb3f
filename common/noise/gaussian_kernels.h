// The loops over a block of normal draws, for each kind of processor. Internal to common/noise. All
// kernels give the same bits. Thread safety: pure functions over the caller's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutti::noise {

inline constexpr std::size_t kGaussianLayers = 256;
inline constexpr std::size_t kGaussianBlock = 1024;
inline constexpr double kGridStepsPerStddev =
    16777216.0;  // 2^24: a float has no finer digits at this size

enum class GaussianKernel { kBest, kAvx512, kAvx2, kPortable };
bool KernelAvailable(GaussianKernel kernel);

// Of the ziggurat: the right end of each layer, and the share of the layer that lies under the
// density for certain.
struct LayerTable {
  std::array<double, kGaussianLayers + 1> edge;
  std::array<double, kGaussianLayers> inner;
};

using BlockWords = std::array<std::uint64_t, kGaussianBlock>;
using BlockDraws = std::array<double, kGaussianBlock>;
using BlockPlaces = std::array<std::uint16_t, kGaussianBlock>;

// The usual case of each word's draw. Returns how many are not decided by it; their places are the
// first of `outside`, in order, and their draws are yet to be made.
std::size_t UsualDraws(const BlockWords& words, const LayerTable& table, BlockDraws& draws,
                       BlockPlaces& outside, GaussianKernel kernel = GaussianKernel::kBest);

// values[i] = step * (whole steps of values[i] + whole steps of draws[i] * 2^24), for at most a
// block. False where a value is too large for that; then all values are as before.
bool AddDraws(std::span<float> values, const double* draws, double step,
              GaussianKernel kernel = GaussianKernel::kBest);

// [-1, 1) in steps of 2^-51, from bits 12 to 63 of a draw.
double SignedUniform(std::uint64_t draw);

}  // namespace tutti::noise
