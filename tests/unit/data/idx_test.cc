#include "client/data/idx.h"

#include <limits>

#include "tests/catch.h"
#include "tests/unit/data/files.h"

namespace tutti::data {
namespace {

v1::DataConfig Config(const std::string& images, const std::string& labels) {
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(images);
  config.set_labels(labels);
  return config;
}

// `count` images of 2 x 3 pixels: pixel p of image i is 10 i + p; labels i mod 4.
struct Pair {
  std::string images, labels;
};
Pair Sample(std::uint32_t count) {
  std::string pixels, labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t p = 0; p < 6; ++p) pixels.push_back(static_cast<char>(10 * i + p));
    labels.push_back(static_cast<char>(i % 4));
  }
  return {Idx({count, 2, 3}, pixels), Idx({count}, labels)};
}

StatusOr<Dataset> LoadBytes(const std::string& images, const std::string& labels,
                            std::uint64_t max_bytes = 0) {
  const TestFolder folder;
  v1::DataConfig config = Config(folder.Write("images", images), folder.Write("labels", labels));
  config.set_max_bytes(max_bytes);
  return Load(config, Model({2, 3}, 4));
}

std::string ErrorOf(const std::string& images, const std::string& labels,
                    std::uint64_t max_bytes = 0) {
  const auto result = LoadBytes(images, labels, max_bytes);
  REQUIRE_FALSE(result.ok());
  return TextOf(result.status());
}

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("idx images become scaled rows in order", "[data]") {
  const Pair sample = Sample(8);
  const auto data = LoadBytes(sample.images, sample.labels);
  REQUIRE(data.ok());
  REQUIRE(data->examples == 8);
  REQUIRE(data->width == 6);
  REQUIRE(data->features.size() == 48);
  REQUIRE(data->features[7] == Approx(11.0 / 255.0));
  REQUIRE(data->labels == std::vector<std::uint32_t>{0, 1, 2, 3, 0, 1, 2, 3});
  REQUIRE(data->ClassCounts(4) == std::vector<std::uint64_t>{2, 2, 2, 2});
  REQUIRE(data->warnings.empty());
}

TEST_CASE("gzip and plain idx files give equal data sets", "[data]") {
  const Pair sample = Sample(20);
  const auto plain = LoadBytes(sample.images, sample.labels);
  const auto zipped = LoadBytes(Gzip(sample.images), Gzip(sample.labels));
  REQUIRE(zipped.ok());
  REQUIRE(plain->features == zipped->features);
  REQUIRE(plain->labels == zipped->labels);
}

TEST_CASE("scale, mean and stddev apply in this order", "[data]") {
  const TestFolder folder;
  const Pair sample = Sample(4);
  v1::DataConfig config =
      Config(folder.Write("i", sample.images), folder.Write("l", sample.labels));
  config.set_scale(0.5);
  config.set_mean(2);
  config.set_stddev(4);
  const auto data = Load(config, Model({2, 3}, 4));
  REQUIRE(data->features[6 + 5] == Approx((15 * 0.5 - 2) / 4));
}

TEST_CASE("a slice of an idx file holds exactly its rows", "[data]") {
  const TestFolder folder;
  const Pair sample = Sample(25);
  v1::DataConfig config =
      Config(folder.Write("i", sample.images), folder.Write("l", sample.labels));
  config.set_scale(1);
  config.mutable_slice()->set_kind("iid");
  config.mutable_slice()->set_count(3);
  config.mutable_slice()->set_seed(7);
  std::vector<int> seen(25);
  for (std::uint32_t part = 0; part < 3; ++part) {
    config.mutable_slice()->set_index(part);
    const auto data = Load(config, Model({2, 3}, 4));
    REQUIRE(data.ok());
    REQUIRE(data->features.size() == data->examples * 6);
    for (std::size_t row = 0; row < data->examples; ++row) {
      const auto image = static_cast<std::size_t>(data->features[row * 6]) / 10;
      REQUIRE(data->labels[row] == image % 4);
      ++seen[image];
    }
  }
  REQUIRE(seen == std::vector<int>(25, 1));
}

TEST_CASE("an image file cut at any place is refused", "[data]") {
  const Pair sample = Sample(3);
  for (std::size_t size = 1; size < sample.images.size(); ++size) {
    const std::string text = ErrorOf(sample.images.substr(0, size), sample.labels);
    REQUIRE(Says(text, "images"));
  }
  REQUIRE(Says(ErrorOf(sample.images.substr(0, sample.images.size() - 1), sample.labels),
               "announces 18 bytes of data, 17"));
  REQUIRE(Says(ErrorOf(Gzip(sample.images.substr(0, sample.images.size() - 1)), sample.labels),
               "announces 18 bytes of data, 17"));
}

TEST_CASE("bytes behind the announced data are refused", "[data]") {
  const Pair sample = Sample(3);
  REQUIRE(Says(ErrorOf(sample.images + "x", sample.labels),
               "more bytes than its IDX header announces"));
  REQUIRE(Says(ErrorOf(Gzip(sample.images + std::string(1'000'000, 'x')), sample.labels),
               "more bytes than"));
  REQUIRE(Says(ErrorOf(sample.images, sample.labels + "x"), "more bytes than"));
}

TEST_CASE("a header that claims two thousand million rows is refused before memory is taken",
          "[data]") {
  const Pair sample = Sample(3);
  const std::uint32_t huge = 1u << 31;
  REQUIRE(Says(ErrorOf(Idx({huge, 2, 3}, "abc"), Idx({huge}, "abc")), "cut short"));
  REQUIRE(Says(ErrorOf(Gzip(Idx({huge, 2, 3}, "abc")), Gzip(Idx({huge}, "abc")), 1'000'000),
               "max_bytes"));
  const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  REQUIRE(Says(ErrorOf(Idx({most, most, most}, "abc"), sample.labels), "max_bytes"));
}

TEST_CASE("the memory of the slice counts against max_bytes", "[data]") {
  const Pair sample = Sample(20);
  REQUIRE(LoadBytes(sample.images, sample.labels, 480).ok());
  REQUIRE(Says(ErrorOf(sample.images, sample.labels, 479), "more memory than data.max_bytes"));
}

TEST_CASE("wrong kinds of idx file are named", "[data]") {
  const Pair sample = Sample(3);
  REQUIRE(Says(ErrorOf("PNG and so on", sample.labels), "an IDX file starts with 0000"));
  REQUIRE(Says(ErrorOf(Idx({3, 2, 3}, std::string(72, 'x'), 0x0d), sample.labels),
               "element type 0x0d"));
  REQUIRE(Says(ErrorOf(sample.labels, sample.images), "swapped"));
  REQUIRE(Says(ErrorOf(Idx({3, 2, 4}, std::string(24, 'x')), sample.labels),
               "8 values, the job's model takes 6"));
  REQUIRE(Says(ErrorOf(sample.images, Sample(4).labels), "3 examples"));
  REQUIRE(Says(ErrorOf(sample.images, Idx({0}, "")), "no examples"));
  REQUIRE(Says(ErrorOf(Idx({}, ""), sample.labels), "0 IDX dimensions"));
}

TEST_CASE("a label outside the model's classes is refused with its place", "[data]") {
  const Pair sample = Sample(3);
  const std::string text = ErrorOf(sample.images, Idx({3}, std::string{0, 4, 1}));
  REQUIRE(Says(text, "example 1 has label 4, the model has classes 0 .. 3"));
}

TEST_CASE("one class only is a warning", "[data]") {
  const Pair sample = Sample(3);
  const auto data = LoadBytes(sample.images, Idx({3}, std::string{2, 2, 2}));
  REQUIRE(data.ok());
  REQUIRE(data->warnings.size() == 1);
  REQUIRE(Says(data->warnings[0], "the one label 2"));
}

TEST_CASE("unusable model shapes are refused", "[data]") {
  const TestFolder folder;
  const Pair sample = Sample(3);
  const v1::DataConfig config =
      Config(folder.Write("i", sample.images), folder.Write("l", sample.labels));
  REQUIRE_FALSE(Load(config, Model({}, 4)).ok());
  REQUIRE_FALSE(Load(config, Model({65536, 65536, 65536}, 4)).ok());
  REQUIRE_FALSE(Load(config, Model({2, 3}, 1)).ok());
}

}  // namespace tutti::data
