#include "common/measure/client_spread.h"

#include <algorithm>
#include <cmath>

namespace tutti::measure {
namespace {

// Of the client at `share` of the ranks.
Within At(std::span<const Count> bins, double clients, double share) {
  // Noise may leave parts of clients: less than half of one is none.
  const double wanted = std::clamp(share * clients, 0.5, std::max(clients - 0.5, 0.5));
  const auto width = 1.0 / static_cast<double>(bins.size());
  double passed = 0;
  for (std::size_t b = 0; b < bins.size(); ++b) {
    passed += std::max(bins[b].value, 0.0);
    if (passed >= wanted) {
      const double low = static_cast<double>(b) * width;
      return {low, low + width};
    }
  }
  return {1 - width, 1};
}

}  // namespace

ClientSpread SpreadOf(std::span<const Count> bins) {
  ClientSpread spread;
  Count all;
  for (const Count& bin : bins) {
    all = all + bin;
    spread.clients += std::max(bin.value, 0.0);
  }
  spread.known = all.value >= 1 && all.value >= 4 * all.noise_stddev;
  if (!spread.known) return spread;
  double squares = 0;
  for (std::size_t b = 0; b < bins.size(); ++b) {
    const double centre = (static_cast<double>(b) + 0.5) / static_cast<double>(bins.size());
    const double weight = std::max(bins[b].value, 0.0) / spread.clients;
    spread.mean += weight * centre;
    squares += weight * centre * centre;
  }
  spread.stddev = std::sqrt(std::max(0.0, squares - spread.mean * spread.mean));
  spread.lowest = At(bins, spread.clients, 0);
  spread.tenth = At(bins, spread.clients, 0.1);
  spread.median = At(bins, spread.clients, 0.5);
  spread.ninetieth = At(bins, spread.clients, 0.9);
  spread.highest = At(bins, spread.clients, 1);
  return spread;
}

}  // namespace tutti::measure
