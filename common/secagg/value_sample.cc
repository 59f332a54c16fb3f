#include "common/secagg/value_sample.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/secret.h"
#include "common/base/status.h"
#include "common/crypto/random.h"
#include "common/secagg/config.h"

namespace tutti::secagg {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::size_t kWords = 512;  // drawn at a time

}  // namespace

std::uint64_t SampledCount(std::uint64_t values, double fraction) {
  if (!(fraction > 0 && fraction < 1) || values == 0) return values;
  const double count = std::round(fraction * static_cast<double>(values));
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(count), 1, values);
}

std::vector<std::uint32_t> SamplePlaces(std::uint64_t values, std::uint64_t count,
                                        const ByteArray<32>& public_seed) {
  TUTTI_CHECK(values <= kMaxValues && count <= values);
  crypto::AesCtrStream stream{Secret32(public_seed)};
  std::vector<std::uint32_t> places;
  places.reserve(count);
  std::array<std::uint64_t, kWords> words;
  for (std::uint64_t first = 0; places.size() < count; first += kWords) {
    stream.Fill({reinterpret_cast<std::uint8_t*>(words.data()), sizeof(words)});
    const std::uint64_t end = std::min<std::uint64_t>(first + kWords, values);
    for (std::uint64_t place = first; place < end; ++place) {
      // A whole number below the places left, by the upper half of a product.
      const auto drawn = static_cast<std::uint64_t>(
          (static_cast<Wide>(words[place - first]) * (values - place)) >> 64U);
      if (drawn < count - places.size()) places.push_back(static_cast<std::uint32_t>(place));
    }
  }
  return places;
}

std::vector<float> TakePlaces(std::span<const float> from, std::span<const std::uint32_t> places) {
  TUTTI_CHECK(places.empty() || places.back() < from.size());
  std::vector<float> taken(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) taken[i] = from[places[i]];
  return taken;
}

std::vector<float> SpreadPlaces(std::span<const float> taken, std::span<const std::uint32_t> places,
                                std::uint64_t values) {
  TUTTI_CHECK(taken.size() == places.size() && (places.empty() || places.back() < values));
  std::vector<float> spread(values);
  for (std::size_t i = 0; i < places.size(); ++i) spread[places[i]] = taken[i];
  return spread;
}

}  // namespace tutti::secagg
