// Which of a vector's values travel when only a share of them does: a set of fixed size, each set
// of that size equally likely, the same for all who know the seed. Not a secret and no part of any
// guarantee. Thread safety: pure functions. Sources: random masks, Konecny et al. 2016,
// arXiv:1610.05492, section 2; drawing in one pass, Knuth, The Art of Computer Programming 2,
// 3.4.2, algorithm S.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"

namespace tutti::secagg {

// round(fraction * values), at least 1; all of them when `fraction` is not within (0, 1), so also
// where a message leaves it out.
std::uint64_t SampledCount(std::uint64_t values, double fraction);

// `count` places of a vector of `values`, ascending. values <= kMaxValues and count <= values
// (checked as our own invariants). The chances of two places differ by less than 2^-33 of their
// own; time: one pass over `values`.
std::vector<std::uint32_t> SamplePlaces(std::uint64_t values, std::uint64_t count,
                                        const ByteArray<32>& public_seed);

// The values at `places`; and a vector of `values` with zero elsewhere. The places lie within it
// (checked as our own invariant).
std::vector<float> TakePlaces(std::span<const float> from, std::span<const std::uint32_t> places);
std::vector<float> SpreadPlaces(std::span<const float> taken, std::span<const std::uint32_t> places,
                                std::uint64_t values);

}  // namespace tutti::secagg
