// The vectorised part of packing.h, in a file of its own so that it is compiled with -O3 in every
// build type. Internal to common/secagg. Thread safety: pure functions over the caller's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"

namespace tutti::secagg {

// Adds values 0 .. r-1 of `packed` to `sum` and returns r, a multiple of 8: what can be done in
// registers without reading past the end. 0 where the processor has no AVX2.
std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint16_t> sum);
std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint32_t> sum);
std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint64_t> sum);

}  // namespace tutti::secagg
