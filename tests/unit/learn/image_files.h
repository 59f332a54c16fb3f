// A small set of images in IDX files, for programs that read data: 8 by 8 pixels, class 0 with
// stripes across, class 1 with stripes down, both noisy. The folder goes away with it.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/rng.h"
#include "tests/catch.h"

namespace tutti {

class ImageFiles {
 public:
  static constexpr std::uint32_t kSide = 8;

  // Writes train-* and t10k-* of so many examples each.
  ImageFiles(std::uint32_t train, std::uint32_t test) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tutti-images-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    Write("train", train, 1);
    Write("t10k", test, 2);
  }
  ~ImageFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ImageFiles(const ImageFiles&) = delete;
  ImageFiles& operator=(const ImageFiles&) = delete;

  std::string folder() const { return folder_.string(); }
  std::string images() const { return (folder_ / "train-images-idx3-ubyte").string(); }
  std::string labels() const { return (folder_ / "train-labels-idx1-ubyte").string(); }

 private:
  void Write(const std::string& prefix, std::uint32_t count, std::uint64_t seed) {
    TestRng rng(seed);
    std::string pixels, classes;
    for (std::uint32_t i = 0; i < count; ++i) {
      classes.push_back(static_cast<char>(i % 2));
      for (std::uint32_t y = 0; y < kSide; ++y) {
        for (std::uint32_t x = 0; x < kSide; ++x) {
          const double stripe = (i % 2 == 0 ? y : x) % 4 < 2 ? 180 : 60;
          pixels.push_back(static_cast<char>(static_cast<int>(stripe + 60 * rng.Unit())));
        }
      }
    }
    std::ofstream(folder_ / (prefix + "-images-idx3-ubyte"), std::ios::binary)
        << Header(3) << Size(count) << Size(kSide) << Size(kSide) << pixels;
    std::ofstream(folder_ / (prefix + "-labels-idx1-ubyte"), std::ios::binary)
        << Header(1) << Size(count) << classes;
  }
  static std::string Header(char dimensions) { return {'\0', '\0', '\x08', dimensions}; }
  static std::string Size(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>((value >> shift) & 0xff));
    }
    return bytes;
  }

  std::filesystem::path folder_;
};

}  // namespace tutti
