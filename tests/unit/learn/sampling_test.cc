#include "common/learn/sampling.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

TEST_CASE("Poisson batches have binomial sizes and treat every example alike",
          "[sampling][statistical]") {
  auto rng = SeededRng(1);
  constexpr std::uint32_t kExamples = 1000;
  constexpr int kBatches = 4000;
  constexpr double kRate = 0.05;
  std::vector<int> seen(kExamples);
  double sum = 0, squares = 0;
  for (int i = 0; i < kBatches; ++i) {
    const auto batch = PoissonBatch(rng, kExamples, kRate);
    REQUIRE(std::is_sorted(batch.begin(), batch.end()));
    REQUIRE(std::adjacent_find(batch.begin(), batch.end()) == batch.end());
    sum += static_cast<double>(batch.size());
    squares += static_cast<double>(batch.size() * batch.size());
    for (const std::uint32_t row : batch) {
      ++seen[row];
    }
  }
  // Five standard errors: size has mean 50 and variance 47.5.
  const double mean = sum / kBatches;
  REQUIRE(std::abs(mean - 50) < 5 * std::sqrt(47.5 / kBatches));
  REQUIRE(std::abs(squares / kBatches - mean * mean - 47.5) < 5 * 47.5 * std::sqrt(2.0 / kBatches));
  double chi = 0;  // chi-square over examples: mean 1000 * 0.95, stddev sqrt(2000) * 0.95
  for (const int count : seen) {
    chi += (count - 200.0) * (count - 200.0) / 200.0;
  }
  REQUIRE(std::abs(chi - 950) < 5 * 0.95 * std::sqrt(2000.0));
}

TEST_CASE("neighbouring coins are independent", "[sampling][statistical]") {
  auto rng = SeededRng(2);
  int both = 0;
  constexpr int kBatches = 2000;
  for (int i = 0; i < kBatches; ++i) {
    const auto batch = PoissonBatch(rng, 600, 0.3);
    for (std::size_t k = 1; k < batch.size(); ++k) {
      both += batch[k] == batch[k - 1] + 1;
    }
  }
  const double expected = kBatches * 599 * 0.09;
  REQUIRE(std::abs(both - expected) < 5 * std::sqrt(expected * 1.4));
}

TEST_CASE("rates 0 and 1 choose nothing and everything", "[sampling]") {
  auto rng = SeededRng(3);
  REQUIRE(PoissonBatch(rng, 1000, 0).empty());
  REQUIRE(PoissonBatch(rng, 1000, 1).size() == 1000);
}

TEST_CASE("shuffled batches see every example once a pass, in a new order", "[sampling]") {
  auto rng = SeededRng(4);
  ShuffledBatches batches(rng, 10, 4);
  std::vector<std::uint32_t> first, second;
  for (const std::size_t size : {4U, 4U, 2U}) {
    const auto batch = batches.Next();
    REQUIRE(batch.size() == size);
    first.insert(first.end(), batch.begin(), batch.end());
  }
  for (int i = 0; i < 3; ++i) {
    const auto batch = batches.Next();
    second.insert(second.end(), batch.begin(), batch.end());
  }
  REQUIRE(first != second);
  REQUIRE(std::set<std::uint32_t>(first.begin(), first.end()).size() == 10);
  REQUIRE(std::set<std::uint32_t>(second.begin(), second.end()).size() == 10);
}

}  // namespace
}  // namespace tutti::learn
