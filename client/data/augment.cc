#include "client/data/augment.h"

#include <algorithm>

#include "client/data/dataset.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::size_t kMostPixels = 2;
constexpr double kNoiseOfByte = 0.05 * 255;

// How far an image of `side` pixels may be moved: never out of sight.
std::size_t Reach(std::size_t side) { return std::min(kMostPixels, (side - 1) / 2); }

// -reach to reach, all equally likely.
std::ptrdiff_t Step(SecureRng& rng, std::size_t reach) {
  return static_cast<std::ptrdiff_t>(UniformBelow(rng, 2 * reach + 1)) -
         static_cast<std::ptrdiff_t>(reach);
}

}  // namespace

StatusOr<Augmenter> Augmenter::Create(const v1::DataConfig& given, const v1::ModelSpec& model) {
  Augmenter augmenter;
  if (given.augment().empty()) return augmenter;
  const v1::DataConfig config = WithDefaults(given);
  for (const std::string& word : config.augment()) {
    augmenter.flip_ |= word == "flip";
    augmenter.shift_ |= word == "shift";
    augmenter.noise_ |= word == "noise";
  }
  const auto& shape = model.input_shape();
  if (config.format() != "idx" || (shape.size() != 2 && shape.size() != 3)) {
    return InvalidArgument(
        "data.augment changes images, and the job's model reads none (model.input_shape is not "
        "[height, width] or [channels, height, width]); remove augment");
  }
  if (!model.features().empty() && model.features() != "none") {
    return InvalidArgument(
        Join("data.augment changes images at each use, and the job's model reads ",
             Escaped(model.features(), 40), " features that are computed once; remove augment"));
  }
  augmenter.height_ = std::max(1U, shape[shape.size() - 2]);
  augmenter.width_ = std::max(1U, shape[shape.size() - 1]);
  augmenter.black_ = static_cast<float>(-config.mean() / config.stddev());
  augmenter.noise_stddev_ = static_cast<float>(kNoiseOfByte * config.scale() / config.stddev());
  return augmenter;
}

void Augmenter::Flip(std::span<float> image) const {
  for (std::size_t row = 0; row + width_ <= image.size(); row += width_) {
    std::reverse(image.begin() + static_cast<std::ptrdiff_t>(row),
                 image.begin() + static_cast<std::ptrdiff_t>(row + width_));
  }
}

void Augmenter::Shift(SecureRng& rng, std::span<float> image) {
  const std::ptrdiff_t down = Step(rng, Reach(height_));
  const std::ptrdiff_t right = Step(rng, Reach(width_));
  const auto height = static_cast<std::ptrdiff_t>(height_);
  const auto width = static_cast<std::ptrdiff_t>(width_);
  copy_.assign(image.begin(), image.end());
  const auto at = [&](std::size_t channel, std::ptrdiff_t y, std::ptrdiff_t x) {
    return channel + static_cast<std::size_t>(y * width + x);
  };
  const std::size_t channel_size = height_ * width_;
  for (std::size_t channel = 0; channel + channel_size <= image.size(); channel += channel_size) {
    for (std::ptrdiff_t y = 0; y < height; ++y) {
      for (std::ptrdiff_t x = 0; x < width; ++x) {
        const std::ptrdiff_t from_y = y - down, from_x = x - right;
        const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
        image[at(channel, y, x)] = inside ? copy_[at(channel, from_y, from_x)] : black_;
      }
    }
  }
}

void Augmenter::AddNoise(SecureRng& rng, std::span<float> image) {
  // Four bytes' sum: bell-shaped, mean 510, standard deviation 147.8. No privacy rests on it.
  random_.resize(4 * image.size());
  rng.Fill(random_);
  for (std::size_t i = 0; i < image.size(); ++i) {
    int sum = 0;
    for (std::size_t k = 0; k < 4; ++k) sum += random_[4 * i + k];
    image[i] += noise_stddev_ * static_cast<float>(sum - 510) / 147.8F;
  }
}

void Augmenter::Apply(SecureRng& rng, std::span<float> image) {
  if (flip_ && UniformBelow(rng, 2) == 1) Flip(image);
  if (shift_) Shift(rng, image);
  if (noise_) AddNoise(rng, image);
}

}  // namespace tutti::data
