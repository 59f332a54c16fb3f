#include "common/model/scattering.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "common/base/text.h"
#include "common/model/scattering_kernels.h"

namespace tutti::model {
namespace {

constexpr std::size_t kMargin = 4;  // mirrored pixels on each side
constexpr double kPi = std::numbers::pi;

// The spectrum of a Gaussian envelope around the wave, at angular frequency (y, x): rotated, twice
// as narrow across the wave as along it.
struct Envelope {
  double stddev, angle, wave;
  double At(double y, double x) const {
    const double along = (y * std::cos(angle) + x * std::sin(angle) - wave) * stddev;
    const double across = (x * std::cos(angle) - y * std::sin(angle)) * 2 * stddev;
    return std::exp(-0.5 * (along * along + across * across));
  }
};

// A spectrum on the grid of sampled pixels is the sum of the continuous one over all frequencies
// that look the same there (Poisson); farther ones are below 1e-25.
template <typename Spectrum>
double Folded(const Spectrum& spectrum, double y, double x) {
  double sum = 0;
  for (int i = -2; i <= 2; ++i) {
    for (int k = -2; k <= 2; ++k) {
      sum += spectrum.At(y + 2 * kPi * i, x + 2 * kPi * k);
    }
  }
  return sum;
}

double Frequency(std::size_t index, std::size_t length) {
  return 2 * kPi * static_cast<double>(index) / static_cast<double>(length);
}

// A Morlet wavelet: the wave under the envelope, less as much of the bare envelope as makes its sum
// zero.
std::vector<float> Wavelet(std::size_t scale, std::size_t angle, std::size_t height,
                           std::size_t width) {
  const double size = scale == 0 ? 1 : 2;
  Envelope wave{.stddev = 0.8 * size,
                .angle = (3 - static_cast<double>(angle)) * kPi / 8,
                .wave = 0.75 * kPi / size};
  Envelope bare = wave;
  bare.wave = 0;
  const double share = Folded(wave, 0, 0) / Folded(bare, 0, 0);
  std::vector<float> spectrum;
  spectrum.reserve(height * width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double at_y = Frequency(y, height), at_x = Frequency(x, width);
      spectrum.push_back(
          static_cast<float>(Folded(wave, at_y, at_x) - share * Folded(bare, at_y, at_x)));
    }
  }
  return spectrum;
}

// The averaging Gaussian on a padded length of `length` pixels kept at every `kept`-th one, read at
// every fourth pixel between the margins. Of its spectrum only what that grid can tell apart stays.
std::vector<float> AverageMatrix(std::size_t length, std::size_t kept) {
  const std::size_t inputs = length / kept;
  const std::size_t outputs = length / kScatteringStep - 2;
  std::vector<double> kernel(inputs);
  for (std::size_t k = 0; k < inputs; ++k) {
    const double turns = k < inputs / 2 ? static_cast<double>(k)
                                        : static_cast<double>(k) - static_cast<double>(inputs);
    double height = 0;
    for (int alias = -3; alias <= 3; ++alias) {
      const double frequency = 2 * kPi * (turns / static_cast<double>(length) + alias);
      height += std::exp(-0.5 * std::pow(1.6 * frequency, 2));
    }
    for (std::size_t n = 0; n < inputs; ++n) {
      kernel[n] +=
          height / static_cast<double>(inputs) * std::cos(Frequency((k * n) % inputs, inputs));
    }
  }
  std::vector<float> matrix;
  for (std::size_t i = 0; i < outputs; ++i) {
    const std::size_t centre = (i + 1) * kScatteringStep / kept;
    for (std::size_t n = 0; n < inputs; ++n) {
      matrix.push_back(static_cast<float>(kernel[(centre + inputs - n) % inputs]));
    }
  }
  return matrix;
}

// The pixel of an image of `size` that lies at `position` of the padded one.
std::size_t Mirrored(std::size_t position, std::size_t size) {
  const std::ptrdiff_t from_corner =
      static_cast<std::ptrdiff_t>(position) - static_cast<std::ptrdiff_t>(kMargin);
  const auto last = static_cast<std::ptrdiff_t>(size) - 1;
  const std::ptrdiff_t inside = last - std::abs(last - std::abs(from_corner));
  return static_cast<std::size_t>(inside);
}

}  // namespace

Status CheckScatteringSize(std::uint64_t height, std::uint64_t width) {
  for (const std::uint64_t size : {height, width}) {
    if (size % kScatteringStep != 0 || size < 8 || size > 512) {
      return InvalidArgument(
          Join("scattering features need images whose sides are multiples of 4 "
               "from 8 to 512 pixels, found [",
               height, ", ", width, "]"));
    }
  }
  return OkStatus();
}

Scattering::Scattering(std::size_t height, std::size_t width)
    : height_(height),
      width_(width),
      padded_height_(height + 2 * kMargin),
      padded_width_(width + 2 * kMargin),
      whole_{AverageMatrix(padded_height_, 1), AverageMatrix(padded_width_, 1), padded_height_,
             padded_width_},
      half_{AverageMatrix(padded_height_, 2), AverageMatrix(padded_width_, 2), padded_height_ / 2,
            padded_width_ / 2},
      fft_(padded_height_, padded_width_),
      half_fft_(padded_height_ / 2, padded_width_ / 2) {
  TUTTI_CHECK(CheckScatteringSize(height, width).ok());
  for (std::size_t scale = 0; scale < kScales; ++scale) {
    for (std::size_t angle = 0; angle < kAngles; ++angle) {
      wavelets_[scale][angle] = Wavelet(scale, angle, padded_height_, padded_width_);
    }
  }
  for (LaneImages* const images : {&image_, &first_}) {
    images->re.resize(fft_.values());
    images->im.resize(fft_.values());
  }
  second_.re.resize(half_fft_.values());
  second_.im.resize(half_fft_.values());
  rows_.resize(height_ / kScatteringStep * padded_width_ * kFftLanes);
  averaged_.resize(width_ / kScatteringStep * kFftLanes);
}

std::size_t Scattering::output_values() const {
  return kScatteringChannels * (height_ / kScatteringStep) * (width_ / kScatteringStep);
}

void Scattering::Transform(std::span<const float> images, std::span<float> features) {
  const std::size_t examples = images.size() / input_values();
  TUTTI_CHECK(images.size() == examples * input_values());
  TUTTI_CHECK(features.size() == examples * output_values());
  for (std::size_t start = 0; start < examples; start += kFftLanes) {
    const std::size_t count = std::min(kFftLanes, examples - start);
    TransformGroup(images.subspan(start * input_values(), count * input_values()), count,
                   features.data() + start * output_values());
  }
}

void Scattering::Pad(std::span<const float> images, std::size_t count) {
  std::fill(image_.re.begin(), image_.re.end(), 0.0F);
  std::fill(image_.im.begin(), image_.im.end(), 0.0F);
  float* to = image_.re.data();
  for (std::size_t y = 0; y < padded_height_; ++y) {
    const float* const row = images.data() + Mirrored(y, height_) * width_;
    for (std::size_t x = 0; x < padded_width_; ++x, to += kFftLanes) {
      const float* const pixel = row + Mirrored(x, width_);
      for (std::size_t lane = 0; lane < count; ++lane) {
        to[lane] = pixel[lane * input_values()];
      }
    }
  }
}

void Scattering::Filter(const LaneImages& spectrum, const std::vector<float>& wavelet,
                        LaneImages& out) const {
  MultiplyField({spectrum.re.data(), spectrum.im.data()}, wavelet.data(), wavelet.size(),
                {out.re.data(), out.im.data()});
}

void Scattering::FilterToHalf(const LaneImages& spectrum, const std::vector<float>& wavelet,
                              LaneImages& out) const {
  MultiplyAndHalve({spectrum.re.data(), spectrum.im.data()}, wavelet.data(), padded_height_,
                   padded_width_, {out.re.data(), out.im.data()});
}

void Scattering::Put(const Average& average, const Lanes& values, std::size_t channel,
                     std::size_t count, float* features) {
  const std::size_t out_height = height_ / kScatteringStep;
  const std::size_t out_width = width_ / kScatteringStep;
  const std::size_t run = average.width * kFftLanes;
  MatrixTimesRuns(average.of_columns.data(), out_height, average.height, values.data(), run,
                  rows_.data());
  for (std::size_t y = 0; y < out_height; ++y) {
    MatrixTimesRuns(average.of_rows.data(), out_width, average.width, rows_.data() + y * run,
                    kFftLanes, averaged_.data());
    float* const to = features + (channel * out_height + y) * out_width;
    for (std::size_t x = 0; x < out_width; ++x) {
      for (std::size_t lane = 0; lane < count; ++lane) {
        to[lane * output_values() + x] = averaged_[x * kFftLanes + lane];
      }
    }
  }
}

void Scattering::TransformGroup(std::span<const float> images, std::size_t count, float* features) {
  const float whole_scale = 1 / static_cast<float>(padded_height_ * padded_width_);
  const float half_scale = 4 * whole_scale;
  Pad(images, count);
  Put(whole_, image_.re, 0, count, features);
  fft_.Forward(image_);
  const auto modulus_at_half = [&](const LaneImages& spectrum, const std::vector<float>& wavelet) {
    FilterToHalf(spectrum, wavelet, second_);
    half_fft_.Backward(second_);
    ScaledModulus({second_.re.data(), second_.im.data()}, half_scale, second_.re.size());
  };
  for (std::size_t angle = 0; angle < kAngles; ++angle) {
    Filter(image_, wavelets_[0][angle], first_);
    fft_.Backward(first_);
    ScaledModulus({first_.re.data(), first_.im.data()}, whole_scale, first_.re.size());
    Put(whole_, first_.re, 1 + angle, count, features);
    fft_.Forward(first_);
    for (std::size_t next = 0; next < kAngles; ++next) {
      modulus_at_half(first_, wavelets_[1][next]);
      Put(half_, second_.re, 1 + kScales * kAngles + kAngles * angle + next, count, features);
    }
    modulus_at_half(image_, wavelets_[1][angle]);
    Put(half_, second_.re, 1 + kAngles + angle, count, features);
  }
}

}  // namespace tutti::model
