// Scattering features of an image: what wavelets of two scales and eight directions find in it,
// where, averaged over about four pixels. A fixed function of one image, without parameters.
// Thread safety: confined to one thread.
//
// Source: J. Bruna, S. Mallat. Invariant scattering convolution networks. IEEE PAMI 35(8), 2013,
// with the Morlet wavelets its authors' ScatNet and later Kymatio use: scales j = 0 and 1 (J = 2),
// angles (3 - t) * 22.5 degrees from downwards to the right for t = 0 .. 7 (L = 8), envelope of
// stddev 0.8 * 2^j pixels along the wave and twice that across, wave of 3/4 pi / 2^j radians a
// pixel; averaging by a Gaussian of stddev 1.6 pixels, read at every fourth pixel. The image is
// mirrored over its borders by 4 pixels before.
//
// Channels, each of height / 4 by width / 4 values: 0 the averaged image; 1 + 8 j + t the averaged
// modulus of wavelet (j, t); 17 + 8 t + u the averaged modulus of wavelet (1, u) of the modulus of
// wavelet (0, t).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/model/lane_fft.h"

namespace tutti::model {

inline constexpr std::uint32_t kScatteringChannels = 81;
inline constexpr std::uint32_t kScatteringStep = 4;  // pixels from one value to the next

// InvalidArgument unless both sizes are multiples of 4 from 8 to 512 pixels.
Status CheckScatteringSize(std::uint64_t height, std::uint64_t width);

class Scattering {
 public:
  // Sizes as CheckScatteringSize wants them. About 10 ms for [28, 28].
  Scattering(std::size_t height, std::size_t width);

  std::size_t input_values() const { return height_ * width_; }
  std::size_t output_values() const;  // kScatteringChannels * height / 4 * width / 4

  // `images`: any number of them, row major; `features` has output_values() for each. Relative
  // error about 1e-6. About 0.3 ms an image of [28, 28] in groups of eight.
  void Transform(std::span<const float> images, std::span<float> features);

 private:
  static constexpr std::size_t kScales = 2;
  static constexpr std::size_t kAngles = 8;

  // Averaging along one dimension, as a matrix: [outputs][inputs].
  struct Average {
    std::vector<float> of_columns, of_rows;
    std::size_t height = 0, width = 0;  // inputs
  };
  using Lanes = std::vector<float>;

  void TransformGroup(std::span<const float> images, std::size_t count, float* features);
  void Pad(std::span<const float> images, std::size_t count);
  void Filter(const LaneImages& spectrum, const std::vector<float>& wavelet, LaneImages& out) const;
  void FilterToHalf(const LaneImages& spectrum, const std::vector<float>& wavelet,
                    LaneImages& out) const;
  void Put(const Average& average, const Lanes& values, std::size_t channel, std::size_t count,
           float* features);

  std::size_t height_, width_;                // of an image
  std::size_t padded_height_, padded_width_;  // 4 more pixels on each side
  std::array<std::array<std::vector<float>, kAngles>, kScales> wavelets_;  // real spectra
  Average whole_, half_;  // of fields at every pixel, at every second one
  LaneFft fft_, half_fft_;
  LaneImages image_, first_, second_;
  Lanes rows_, averaged_;
};

}  // namespace tutti::model
