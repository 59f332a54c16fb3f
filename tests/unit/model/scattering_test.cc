#include "common/model/scattering.h"

#include <cmath>
#include <complex>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>

#include "common/model/features.h"
#include "common/model/lane_fft.h"
#include "tests/catch.h"

namespace tutti::model {
namespace {

std::vector<float> Numbers(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<float>(in), {}};
}

std::vector<float> Features(std::size_t height, std::size_t width, std::span<const float> images) {
  Scattering scattering(height, width);
  std::vector<float> out(images.size() / scattering.input_values() * scattering.output_values());
  scattering.Transform(images, out);
  return out;
}

double LargestDifference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

double SquaredNorm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return sum;
}

float Pixel(std::uint64_t seed) {  // in [0, 1)
  std::uint64_t z = seed * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-24F;
}

std::vector<float> RandomImages(std::size_t values) {
  std::vector<float> pixels(values);
  for (std::size_t i = 0; i < values; ++i) {
    pixels[i] = Pixel(i + 1);
  }
  return pixels;
}

// A soft blob around (y, x), far from the borders.
std::vector<float> Blob(double y, double x) {
  std::vector<float> image;
  for (int v = 0; v < 28; ++v) {
    for (int u = 0; u < 28; ++u) {
      const double distance = (v - y) * (v - y) + (u - x) * (u - x);
      image.push_back(static_cast<float>(std::exp(-distance / 4)));
    }
  }
  return image;
}

TEST_CASE("the transform of eight images side by side is the discrete Fourier transform",
          "[model]") {
  constexpr std::size_t kHeight = 12, kWidth = 10;  // radix 4, 3, 2 and 5
  LaneFft fft(kHeight, kWidth);
  LaneImages images{RandomImages(fft.values()), RandomImages(2 * fft.values())};
  images.im.erase(images.im.begin(), images.im.begin() + static_cast<std::ptrdiff_t>(fft.values()));
  const LaneImages before = images;
  fft.Forward(images);
  for (const std::size_t lane : {0U, 7U}) {
    for (std::size_t place = 0; place < kHeight * kWidth; place += 7) {
      std::complex<double> expected = 0;
      for (std::size_t y = 0; y < kHeight; ++y) {
        for (std::size_t x = 0; x < kWidth; ++x) {
          const std::size_t from = (y * kWidth + x) * kFftLanes + lane;
          const double turns = static_cast<double>(place / kWidth * y) / kHeight +
                               static_cast<double>(place % kWidth * x) / kWidth;
          expected += std::complex<double>(before.re[from], before.im[from]) *
                      std::polar(1.0, -2 * std::numbers::pi * turns);
        }
      }
      const std::size_t at = place * kFftLanes + lane;
      REQUIRE(std::abs(std::complex<double>(images.re[at], images.im[at]) - expected) < 2e-5);
    }
  }
  fft.Backward(images);
  for (float& value : images.re) {
    value /= kHeight * kWidth;
  }
  REQUIRE(LargestDifference(images.re, before.re) < 1e-6);
}

TEST_CASE("scattering features equal those made elsewhere from sampled filters", "[model]") {
  std::ifstream file(std::string(TUTTI_SOURCE_DIR) + "/tests/vectors/scattering/features.txt");
  std::size_t images = 0;
  for (std::string sizes, pixels, expected; std::getline(file, sizes); ++images) {
    std::getline(file, pixels);
    std::getline(file, expected);
    const std::vector<float> size = Numbers(sizes);
    const auto height = static_cast<std::size_t>(size[0]),
               width = static_cast<std::size_t>(size[1]);
    REQUIRE(LargestDifference(Features(height, width, Numbers(pixels)), Numbers(expected)) < 2e-6);
  }
  REQUIRE(images == 2);
}

TEST_CASE("an image's features do not depend on the images beside it", "[model]") {
  const std::vector<float> images = RandomImages(11 * 784);
  const std::vector<float> together = Features(28, 28, images);
  for (const std::size_t i : {0U, 7U, 8U, 10U}) {
    const auto alone = Features(28, 28, std::span(images).subspan(i * 784, 784));
    REQUIRE(LargestDifference(alone, std::span(together).subspan(i * 3969, 3969)) == 0);
  }
}

TEST_CASE("wavelets see nothing in a constant image and the average is the constant", "[model]") {
  const std::vector<float> features = Features(28, 28, std::vector<float>(784, 0.75F));
  for (std::size_t i = 0; i < features.size(); ++i) {
    REQUIRE(std::abs(features[i] - (i < 49 ? 0.75F : 0.0F)) < 1e-5F);
  }
}

TEST_CASE("the squared length of the features is at most that of the image", "[model]") {
  // Values lie at every fourth pixel of the averaged fields, hence the 16; the mirrored margin adds
  // pixels, hence images with an empty border.
  for (const auto& image : {Blob(14, 14), Blob(12.3, 15.8)}) {
    REQUIRE(16 * SquaredNorm(Features(28, 28, image)) < 1.05 * SquaredNorm(image));
  }
}

TEST_CASE("a small shift changes the features much less than the image", "[model]") {
  const auto image = Blob(14, 14), shifted = Blob(14, 15);
  std::vector<float> difference(784);
  for (std::size_t i = 0; i < 784; ++i) {
    difference[i] = image[i] - shifted[i];
  }
  const double in_pixels = SquaredNorm(difference) / SquaredNorm(image);
  auto features = Features(28, 28, image);
  const auto moved = Features(28, 28, shifted);
  const double length = SquaredNorm(features);
  for (std::size_t i = 0; i < features.size(); ++i) {
    features[i] -= moved[i];
  }
  REQUIRE(SquaredNorm(features) / length < in_pixels / 2);
}

TEST_CASE("turning an image by a quarter exchanges directions four steps apart", "[model]") {
  const std::vector<float> image = RandomImages(784);
  std::vector<float> turned(784);
  for (std::size_t y = 0; y < 28; ++y) {
    for (std::size_t x = 0; x < 28; ++x) {
      turned[x * 28 + (27 - y)] = image[y * 28 + x];
    }
  }
  const auto sum_of = [](const std::vector<float>& features, std::size_t channel) {
    double sum = 0;
    for (std::size_t i = 0; i < 49; ++i) {
      sum += static_cast<double>(features[channel * 49 + i]);
    }
    return sum;
  };
  const auto before = Features(28, 28, image), after = Features(28, 28, turned);
  for (std::size_t angle = 0; angle < 8; ++angle) {
    // Sums: the places that are read lie differently in the turned image.
    REQUIRE(sum_of(after, 1 + (angle + 4) % 8) == Approx(sum_of(before, 1 + angle)).epsilon(0.1));
  }
}

v1::ModelSpec ScatteringSpec(std::initializer_list<std::uint32_t> input) {
  v1::ModelSpec spec;
  spec.set_architecture("logistic");
  for (const std::uint32_t size : input) {
    spec.add_input_shape(size);
  }
  spec.set_classes(10);
  spec.set_features("scattering");
  return spec;
}

TEST_CASE("layers after scattering features read 81 channels of a quarter of the size", "[model]") {
  const auto grey = ArchitectureOf(ScatteringSpec({28, 28}));
  REQUIRE(grey.ok());
  REQUIRE(grey->example == Shape{1, 28, 28});
  REQUIRE(grey->input == Shape{81, 7, 7});
  REQUIRE(grey->layout.values == 39'700);
  REQUIRE(ArchitectureOf(ScatteringSpec({3, 32, 32}))->input == Shape{243, 8, 8});
}

TEST_CASE("the channels of an image are transformed one by one", "[model]") {
  const std::vector<float> images = RandomImages(2 * 3 * 64);
  const auto together =
      FeaturesOf(ScatteringSpec({3, 8, 8}), images, [](std::uint64_t, std::uint64_t) {});
  REQUIRE(together.ok());
  REQUIRE(LargestDifference(*together, Features(8, 8, images)) == 0);
}

TEST_CASE("normalised features have mean 0 and variance 1 in each group of each example",
          "[model]") {
  v1::ModelSpec spec = ScatteringSpec({28, 28});
  spec.set_feature_groups(27);
  std::uint64_t last = 0;
  const auto features =
      FeaturesOf(spec, RandomImages(70 * 784), [&](std::uint64_t done, std::uint64_t total) {
        REQUIRE(total == 70);
        REQUIRE(done > last);
        last = done;
      });
  REQUIRE(features.ok());
  REQUIRE(last == 70);
  for (const std::size_t group : {0U, 5U, 26U, 69U * 27U}) {
    const auto values = std::span(*features).subspan(group * 147, 147);
    double sum = 0;
    for (const float value : values) {
      sum += static_cast<double>(value);
    }
    REQUIRE(sum / 147 == Approx(0).margin(1e-5));
    // kNormEpsilon takes some where the features hardly vary.
    REQUIRE(SquaredNorm(values) / 147 <= 1.00001);
    REQUIRE(SquaredNorm(values) / 147 > 0.4);
  }
}

TEST_CASE("features that do not fit the examples are refused with the way out", "[model]") {
  const auto error_of = [](const v1::ModelSpec& spec) {
    const auto architecture = ArchitectureOf(spec);
    REQUIRE_FALSE(architecture.ok());
    return std::string(MessageOf(architecture.status()));
  };
  REQUIRE(error_of(ScatteringSpec({784})).find("expected images") != std::string::npos);
  REQUIRE(error_of(ScatteringSpec({30, 28})).find("multiples of 4 from 8 to 512") !=
          std::string::npos);
  REQUIRE(error_of(ScatteringSpec({28, 516})).find("[28, 516]") != std::string::npos);
  v1::ModelSpec groups = ScatteringSpec({28, 28});
  groups.set_feature_groups(10);
  REQUIRE(error_of(groups).find("a divisor of the 81 channels") != std::string::npos);
  groups.set_features("none");
  REQUIRE(error_of(groups).find("remove it") != std::string::npos);
  groups.set_features("wavelets");
  REQUIRE(error_of(groups).find("expected none or scattering") != std::string::npos);
  const auto cut = FeaturesOf(ScatteringSpec({28, 28}), std::vector<float>(1000),
                              [](std::uint64_t, std::uint64_t) {});
  REQUIRE(cut.status().code() == StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti::model
