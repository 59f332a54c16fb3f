#include "common/secagg/rotation_kernel.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace tutti::secagg {
namespace {

#define TUTTI_INLINE inline __attribute__((always_inline))

constexpr std::size_t kLanes = 8;
constexpr std::size_t kCachedValues = 4096;  // 16 KiB stay in the first-level cache
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));

// Levels of distance 1 to R/2 between the vectors at data, data + stride, ...
template <std::size_t R>
TUTTI_INLINE void Levels(Vec (&v)[R]) {
  for (std::size_t half = 1; half < R; half *= 2) {
    for (std::size_t i = 0; i < R; i += 2 * half) {
      for (std::size_t j = i; j < i + half; ++j) {
        const Vec sum = v[j] + v[j + half];
        v[j + half] = v[j] - v[j + half];
        v[j] = sum;
      }
    }
  }
}

// Levels of distance 1, 2 and 4 inside a vector: the partner, plus the value where it is the first
// of the two and minus it where it is the second.
TUTTI_INLINE void LevelsInside(Vec& v) {
  const Vec ones{1, -1, 1, -1, 1, -1, 1, -1};
  const Vec twos{1, 1, -1, -1, 1, 1, -1, -1};
  const Vec fours{1, 1, 1, 1, -1, -1, -1, -1};
  v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6) + v * ones;
  v = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5) + v * twos;
  v = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3) + v * fours;
}

// All levels of R rows of `stride` values each that lie between the rows.
template <std::size_t R, bool kInside>
TUTTI_INLINE void Pass(float* data, std::size_t stride) {
  for (std::size_t column = 0; column < stride; column += kLanes) {
    Vec v[R];
    for (std::size_t i = 0; i < R; ++i) {
      std::memcpy(&v[i], data + i * stride + column, sizeof(Vec));
      if constexpr (kInside) {
        LevelsInside(v[i]);
      }
    }
    Levels(v);
    for (std::size_t i = 0; i < R; ++i) {
      std::memcpy(data + i * stride + column, &v[i], sizeof(Vec));
    }
  }
}

// How many rows at a time so that all levels above `inner` are done: 8 where they are three or
// more.
TUTTI_INLINE std::size_t RowsFor(std::size_t size, std::size_t inner) {
  return size / inner >= 8 ? 8 : size / inner;
}

template <bool kInside>
TUTTI_INLINE void RowPass(float* data, std::size_t stride, std::size_t rows) {
  if (rows == 8) {
    Pass<8, kInside>(data, stride);
  } else if (rows == 4) {
    Pass<4, kInside>(data, stride);
  } else if (rows == 2) {
    Pass<2, kInside>(data, stride);
  } else {
    Pass<1, kInside>(data, stride);
  }
}

// size: a power of two from kLanes to kCachedValues.
TUTTI_INLINE void TransformCached(float* data, std::size_t size) {
  std::size_t done = kLanes * RowsFor(size, kLanes);
  for (std::size_t at = 0; at < size; at += done) {
    RowPass<true>(data + at, kLanes, done / kLanes);
  }
  while (done < size) {
    const std::size_t rows = RowsFor(size, done);
    for (std::size_t at = 0; at < size; at += rows * done) {
      RowPass<false>(data + at, done, rows);
    }
    done *= rows;
  }
}

// The levels farthest apart first: what is left lies in parts that fit smaller caches.
TUTTI_INLINE void TransformAll(float* data, std::size_t size) {
  std::size_t part = size;
  while (part > kCachedValues) {
    const std::size_t rows = RowsFor(part, kCachedValues);
    const std::size_t stride = part / rows;
    for (std::size_t at = 0; at < size; at += part) {
      RowPass<false>(data + at, stride, rows);
    }
    part = stride;
  }
  for (std::size_t at = 0; at < size; at += part) {
    TransformCached(data + at, part);
  }
}

void TransformFew(float* data, std::size_t size) {
  for (std::size_t half = 1; half < size; half *= 2) {
    for (std::size_t i = 0; i < size; i += 2 * half) {
      for (std::size_t j = i; j < i + half; ++j) {
        const float sum = data[j] + data[j + half];
        data[j + half] = data[j] - data[j + half];
        data[j] = sum;
      }
    }
  }
}

TUTTI_INLINE void SignLoop(float* data, std::size_t size, const std::uint64_t* signs,
                           float factor) {
  const auto bits_of_factor = std::bit_cast<std::uint32_t>(factor);
  for (std::size_t word = 0; word * 64 < size; ++word) {
    float* const part = data + word * 64;
    const std::size_t count = size - word * 64 < 64 ? size - word * 64 : 64;
    for (std::size_t half = 0; half < 2; ++half) {
      const auto bits = static_cast<std::uint32_t>(signs[word] >> (32 * half));
      const std::size_t end = count < 32 * (half + 1) ? count : 32 * (half + 1);
      for (std::size_t i = 32 * half; i < end; ++i) {
        const std::uint32_t sign = (bits >> (i - 32 * half)) << 31;
        part[i] *= std::bit_cast<float>(bits_of_factor ^ sign);
      }
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void TransformAvx2(float* data, std::size_t size) {
  TransformAll(data, size);
}
__attribute__((target("avx2"))) void SignAvx2(float* data, std::size_t size,
                                              const std::uint64_t* signs, float factor) {
  SignLoop(data, size, signs, factor);
}
bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }
#endif

}  // namespace

void WalshHadamard(std::span<float> data) {
  if (data.size() < kLanes) {
    TransformFew(data.data(), data.size());
    return;
  }
#if defined(__x86_64__)
  if (HasAvx2()) {
    TransformAvx2(data.data(), data.size());
    return;
  }
#endif
  TransformAll(data.data(), data.size());
}

void ScaleWithSigns(std::span<float> data, std::span<const std::uint64_t> signs, float factor) {
#if defined(__x86_64__)
  if (HasAvx2()) {
    SignAvx2(data.data(), data.size(), signs.data(), factor);
    return;
  }
#endif
  SignLoop(data.data(), data.size(), signs.data(), factor);
}

}  // namespace tutti::secagg
