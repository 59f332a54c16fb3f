#include "client/data/augment.h"

#include <cmath>
#include <map>
#include <numeric>

#include "tests/catch.h"
#include "tests/seeded_rng.h"
#include "tests/unit/data/tables.h"

namespace tutti::data {
namespace {

using Image = std::vector<float>;

v1::DataConfig Images(const std::vector<std::string>& changes) {
  v1::DataConfig config;
  config.set_format("idx");
  config.set_scale(1.0 / 255);
  config.set_mean(0.5);
  config.set_stddev(0.5);
  for (const std::string& change : changes) config.add_augment(change);
  return config;
}

// Ascending numbers from 1, so that each pixel can be followed.
Image Ramp(std::size_t size) {
  Image image(size);
  std::iota(image.begin(), image.end(), 1.0F);
  return image;
}

}  // namespace

TEST_CASE("without changes an image stays as it is", "[data]") {
  SeededSecureRng rng(1);
  auto augmenter = Augmenter::Create(Images({}), Model({7}, 2));
  REQUIRE(augmenter->IsIdle());
  Image image = Ramp(7);
  augmenter->Apply(rng, image);
  REQUIRE(image == Ramp(7));
}

TEST_CASE("half of the images are flipped, every channel alike", "[data]") {
  SeededSecureRng rng(2);
  auto augmenter = Augmenter::Create(Images({"flip"}), Model({2, 1, 3}, 2)).value();
  std::map<Image, int> seen;
  for (int i = 0; i < 400; ++i) {
    Image image = Ramp(6);
    augmenter.Apply(rng, image);
    ++seen[image];
  }
  REQUIRE(seen.size() == 2);
  REQUIRE(seen[Ramp(6)] > 140);  // 200 expected, standard deviation 10
  REQUIRE(seen[Ramp(6)] < 260);
  REQUIRE(seen.count({3, 2, 1, 6, 5, 4}) == 1);
}

TEST_CASE("an image is moved by up to two pixels, and black comes in", "[data]") {
  SeededSecureRng rng(3);
  auto augmenter = Augmenter::Create(Images({"shift"}), Model({5, 6}, 2)).value();
  std::map<Image, int> seen;
  for (int i = 0; i < 2000; ++i) {
    Image image = Ramp(30);
    augmenter.Apply(rng, image);
    ++seen[image];
  }
  REQUIRE(seen.size() == 25);
  for (std::ptrdiff_t down = -2; down <= 2; ++down) {
    for (std::ptrdiff_t right = -2; right <= 2; ++right) {
      Image moved(30, -1.0F);  // byte 0 at mean 0.5 and stddev 0.5
      for (std::ptrdiff_t y = 0; y < 5; ++y) {
        for (std::ptrdiff_t x = 0; x < 6; ++x) {
          if (y + down < 0 || y + down > 4 || x + right < 0 || x + right > 5) continue;
          moved[static_cast<std::size_t>((y + down) * 6 + x + right)] =
              static_cast<float>(y * 6 + x + 1);
        }
      }
      REQUIRE(seen.count(moved) == 1);
    }
  }
}

TEST_CASE("noise has mean zero and a twentieth of a byte's range", "[data]") {
  SeededSecureRng rng(4);
  auto augmenter = Augmenter::Create(Images({"noise"}), Model({100, 100}, 2)).value();
  Image image(10'000);
  augmenter.Apply(rng, image);
  double sum = 0, squares = 0;
  for (const float value : image) {
    sum += double{value};
    squares += double{value} * double{value};
  }
  // 0.05 of the range, divided by stddev 0.5. Standard errors: 0.001 and 0.0007.
  REQUIRE(sum / 10'000 == Approx(0).margin(0.005));
  REQUIRE(std::sqrt(squares / 10'000) == Approx(0.1).margin(0.004));
}

TEST_CASE("a small image is never moved out of sight", "[data]") {
  SeededSecureRng rng(5);
  auto augmenter = Augmenter::Create(Images({"shift"}), Model({1, 1}, 2)).value();
  Image image{0.25F};
  augmenter.Apply(rng, image);
  REQUIRE(image[0] == 0.25F);
}

TEST_CASE("what is no image is not changed but refused", "[data]") {
  REQUIRE(
      Says(TextOf(Augmenter::Create(Images({"flip"}), Model({784}, 10)).status()), "reads none"));
  v1::ModelSpec model = Model({28, 28}, 10);
  model.set_features("scattering");
  REQUIRE(Says(TextOf(Augmenter::Create(Images({"flip"}), model).status()), "computed once"));
  v1::DataConfig table = Images({"noise"});
  table.set_format("csv");
  REQUIRE_FALSE(Augmenter::Create(table, Model({2, 2}, 2)).ok());
}

}  // namespace tutti::data
