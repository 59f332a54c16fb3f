#include "tests/bench/secagg/limits.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/bench/secagg/cpu_time.h"

namespace tutti::bench {
namespace {

constexpr std::size_t kCachedLanes = 4096;                 // 16 KiB: half of a first-level cache
constexpr std::size_t kLargeLanes = std::size_t{1} << 26;  // 256 MiB

}  // namespace

double MaskBytesPerSecond(crypto::MaskKernel kernel) {
  constexpr int kPasses = 20000;
  const crypto::MaskKey key{crypto::MaskSeed()};
  std::vector<std::uint32_t> lanes(kCachedLanes);
  const double seconds = BestSeconds([&] {
    for (int pass = 0; pass < kPasses; ++pass) {
      crypto::AddMask(key, std::span(lanes), 0, false, kernel);
    }
  });
  return static_cast<double>(kCachedLanes) * 4 * kPasses / seconds;
}

double AddedElementsPerSecond() {
  std::vector<std::uint32_t> sum(kLargeLanes, 1);
  const std::vector<std::uint32_t> values(kLargeLanes, 2);
  const double seconds = BestSeconds(
      [&] { std::transform(sum.begin(), sum.end(), values.begin(), sum.begin(), std::plus<>()); });
  return static_cast<double>(kLargeLanes) / seconds;
}

}  // namespace tutti::bench
