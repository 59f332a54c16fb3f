#include "client/data/slice.h"

#include <algorithm>

#include "tests/catch.h"

namespace tutti::data {
namespace {

v1::SliceConfig Slice(const std::string& kind, std::uint32_t index, std::uint32_t count,
                      std::uint64_t seed, double alpha = 0.5) {
  v1::SliceConfig config;
  config.set_kind(kind);
  config.set_index(index);
  config.set_count(count);
  config.set_seed(seed);
  config.set_alpha(alpha);
  return config;
}

std::vector<std::uint32_t> Labels(std::size_t examples, std::uint32_t classes) {
  std::vector<std::uint32_t> labels(examples);
  for (std::size_t i = 0; i < examples; ++i)
    labels[i] = static_cast<std::uint32_t>((i * 7 + i / 11) % classes);
  return labels;
}

// How often each index comes in the parts 0 .. count-1.
std::vector<int> Seen(const std::string& kind, std::uint32_t count, std::uint64_t seed,
                      double alpha, const std::vector<std::uint32_t>& labels,
                      std::uint32_t classes) {
  std::vector<int> seen(labels.size());
  for (std::uint32_t part = 0; part < count; ++part) {
    const auto indices = SliceIndices(Slice(kind, part, count, seed, alpha), labels, classes);
    REQUIRE(indices.ok());
    REQUIRE(std::is_sorted(indices->begin(), indices->end()));
    for (const std::size_t i : *indices) ++seen.at(i);
  }
  return seen;
}

}  // namespace

TEST_CASE("the parts of a slice are disjoint and complete", "[data]") {
  for (const std::size_t examples : {1u, 10u, 999u, 5000u}) {
    const auto labels = Labels(examples, 10);
    for (const std::uint32_t count : {1u, 3u, 8u, 64u}) {
      for (const std::uint64_t seed : {1u, 2u, 77u}) {
        REQUIRE(Seen("iid", count, seed, 0, labels, 10) == std::vector<int>(examples, 1));
        for (const double alpha : {0.001, 0.1, 0.5, 1.0, 100.0}) {
          REQUIRE(Seen("dirichlet", count, seed, alpha, labels, 10) ==
                  std::vector<int>(examples, 1));
        }
      }
    }
  }
}

TEST_CASE("iid parts differ in size by one at most", "[data]") {
  const auto labels = Labels(1003, 10);
  for (std::uint32_t part = 0; part < 8; ++part) {
    const std::size_t size = SliceIndices(Slice("iid", part, 8, 1), labels, 10)->size();
    REQUIRE((size == 125 || size == 126));
  }
}

TEST_CASE("the same seed gives the same part and another seed another part", "[data]") {
  const auto labels = Labels(1000, 10);
  for (const std::string kind : {"iid", "dirichlet"}) {
    const auto first = SliceIndices(Slice(kind, 1, 4, 5), labels, 10).value();
    REQUIRE(first == SliceIndices(Slice(kind, 1, 4, 5), labels, 10).value());
    REQUIRE(first != SliceIndices(Slice(kind, 1, 4, 6), labels, 10).value());
  }
}

// Frozen from the first release: clients of different versions must cut one file into the same
// parts.
TEST_CASE("the cut of a file stays the same for ever", "[data]") {
  const auto labels = Labels(24, 3);
  REQUIRE(SliceIndices(Slice("iid", 0, 4, 1), labels, 3).value() ==
          std::vector<std::size_t>{2, 10, 12, 21, 22, 23});
  REQUIRE(SliceIndices(Slice("dirichlet", 0, 4, 1), labels, 3).value() ==
          std::vector<std::size_t>{1, 5, 21, 23});
}

TEST_CASE("a small alpha gives more uneven parts than a large one", "[data]") {
  const auto labels = Labels(10'000, 10);
  const auto largest = [&](double alpha) {
    std::size_t size = 0;
    for (std::uint32_t part = 0; part < 10; ++part) {
      const auto mine = SliceIndices(Slice("dirichlet", part, 10, 3, alpha), labels, 10).value();
      std::vector<std::size_t> counts(10);
      for (const std::size_t i : mine) ++counts[labels[i]];
      size = std::max(size, *std::max_element(counts.begin(), counts.end()));
    }
    return size;
  };
  REQUIRE(largest(1000) < 140);  // 100 on average, standard deviation 3
  REQUIRE(largest(0.05) > 800);  // nearly a whole class in one part
}

TEST_CASE("a wrong index, kind or alpha is refused", "[data]") {
  const auto labels = Labels(10, 2);
  REQUIRE_FALSE(SliceIndices(Slice("iid", 4, 4, 1), labels, 2).ok());
  REQUIRE_FALSE(SliceIndices(Slice("dirichlet", 0, 0, 1), labels, 2).ok());
  REQUIRE_FALSE(SliceIndices(Slice("dirichlet", 0, 2, 1, 0.0), labels, 2).ok());
  REQUIRE_FALSE(SliceIndices(Slice("odd", 0, 2, 1), labels, 2).ok());
  REQUIRE(SliceIndices(Slice("all", 9, 0, 1), labels, 2)->size() == 10);
}

TEST_CASE("all parts at once are the parts one by one", "[data]") {
  const std::vector<std::uint32_t> labels = Labels(211, 5);
  for (const std::string kind : {"iid", "dirichlet"}) {
    const auto owners = SliceOwners(Slice(kind, 0, 7, 3), labels, 5);
    REQUIRE(owners.ok());
    for (std::uint32_t part = 0; part < 7; ++part) {
      const auto indices = SliceIndices(Slice(kind, part, 7, 3), labels, 5);
      std::vector<std::size_t> owned;
      for (std::size_t i = 0; i < labels.size(); ++i) {
        if ((*owners)[i] == part) owned.push_back(i);
      }
      REQUIRE(owned == *indices);
    }
  }
  REQUIRE_FALSE(SliceOwners(Slice("all", 0, 7, 3), labels, 5).ok());
}

}  // namespace tutti::data
