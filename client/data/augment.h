// Random changes of images that leave their class alone, made anew each time one is used in
// training: a model that sees them learns the class and not the image. Every image is changed by
// itself, so what per-example privacy promises stays true. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::data {

class Augmenter {
 public:
  // As data.augment says; without it Apply does nothing. InvalidArgument when `model` does not read
  // images ([height, width] or [channels, height, width]) or reads fixed features of them.
  static StatusOr<Augmenter> Create(const v1::DataConfig& config, const v1::ModelSpec& model);

  bool IsIdle() const { return !flip_ && !shift_ && !noise_; }
  // Changes one image of the model's shape. `rng` draws which way: half of them are flipped, each
  // is moved by -2 to 2 pixels either way, each pixel by about 0.05 of the range of a byte.
  void Apply(SecureRng& rng, std::span<float> image);

 private:
  void Flip(std::span<float> image) const;
  void Shift(SecureRng& rng, std::span<float> image);
  void AddNoise(SecureRng& rng, std::span<float> image);

  bool flip_ = false, shift_ = false, noise_ = false;
  std::size_t height_ = 1, width_ = 1;  // of each channel
  float black_ = 0;                     // a pixel of byte 0
  float noise_stddev_ = 0;
  std::vector<float> copy_;
  std::vector<std::uint8_t> random_;
};

}  // namespace tutti::data
