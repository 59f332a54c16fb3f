// The discrete Fourier transform of complex images, eight images side by side: their values lie
// next to each other, so that every step works on whole vector registers. Thread safety: confined
// to one thread. Method: mixed radix, self-sorting (Stockham; Cochran et al. 1967).
#pragma once

#include <cstddef>
#include <vector>

namespace tutti::model {

inline constexpr std::size_t kFftLanes = 8;

// Eight complex images: value (row, column) of image `lane` is at (row * width + column) *
// kFftLanes + lane.
struct LaneImages {
  std::vector<float> re;
  std::vector<float> im;
};

// Transforms of one size. Error about 1e-7 * log2(size) of the largest value. Fast when both sizes
// are products of 2 and 3.
class LaneFft {
 public:
  LaneFft(std::size_t height, std::size_t width);  // each at least 1

  std::size_t values() const { return height_ * width_ * kFftLanes; }  // of re and of im

  void Forward(LaneImages& images);
  // The other direction, multiplied by height * width.
  void Backward(LaneImages& images);

 private:
  struct Stage {
    std::size_t radix = 0;
    std::size_t rest = 0;             // length / radix of the lengths still to transform
    std::vector<float> cosine, sine;  // of the twiddles: [rest][radix]
  };
  static std::vector<Stage> Stages(std::size_t length);
  static void Transform(const std::vector<Stage>& stages, std::size_t stride, float* re, float* im,
                        float* other_re, float* other_im);
  void Both(std::vector<float>& re, std::vector<float>& im);

  std::size_t height_;
  std::size_t width_;
  std::vector<Stage> of_columns_;
  std::vector<Stage> of_rows_;
  LaneImages scratch_;
};

}  // namespace tutti::model
