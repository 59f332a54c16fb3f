// The loops of the rotation, in their own file because they need -O3. On x86 with AVX2 a wider
// version of the same code is chosen at run time; results are equal. Thread safety: pure functions
// over the caller's memory.
#pragma once

#include <cstdint>
#include <span>

namespace tutti::secagg {

// The Walsh-Hadamard transform without a factor: data.size() is a power of two. Its own inverse but
// for a factor of data.size().
void WalshHadamard(std::span<float> data);

// data[i] times `factor`, and minus that where bit i of `signs` (lowest first) is set.
// signs.size() * 64 >= data.size().
void ScaleWithSigns(std::span<float> data, std::span<const std::uint64_t> signs, float factor);

}  // namespace tutti::secagg
