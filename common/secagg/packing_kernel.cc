#include "common/secagg/packing_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tutti::secagg {

#if defined(__x86_64__)
namespace {

#define TUTTI_AVX2 __attribute__((target("avx2")))
#define TUTTI_AVX2_INLINE TUTTI_AVX2 inline __attribute__((always_inline))

constexpr std::uint32_t kNarrowBits = 25;  // a value and its bit offset fit in 4 bytes
constexpr std::size_t kGroup = 8;          // values; they fill `bits` bytes
constexpr std::size_t kLoad = 16;          // bytes

bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }

// Of 8 values, how many groups may be loaded when the last load of a group starts at `last` bytes.
std::size_t SafeGroups(std::size_t bytes, std::size_t count, std::uint32_t bits, std::size_t last) {
  if (bytes < last + kLoad) {
    return 0;
  }
  const std::size_t fit = (bytes - last - kLoad) / bits + 1;
  return fit < count / kGroup ? fit : count / kGroup;
}

// Values of at most 25 bits: four to a load, each brought into a 32-bit lane by a byte shuffle and
// a shift.
struct Narrow {
  TUTTI_AVX2 explicit Narrow(std::uint32_t bits)
      : second(bits / 2), mask(_mm256_set1_epi32((1 << bits) - 1)) {
    alignas(32) std::uint8_t bytes[32];
    alignas(32) std::uint32_t shifts[8];
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t bit = i < 4 ? i * bits : i * bits - bits / 2 * 8;
      shifts[i] = bit % 8;
      for (std::uint32_t byte = 0; byte < 4; ++byte) {
        bytes[4 * i + byte] = static_cast<std::uint8_t>(bit / 8 + byte);
      }
    }
    shuffle = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
    shift = _mm256_load_si256(reinterpret_cast<const __m256i*>(shifts));
  }
  TUTTI_AVX2_INLINE __m256i operator()(const std::uint8_t* group) const {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + second));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    return _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(both, shuffle), shift), mask);
  }

  std::size_t second;  // byte at which value 4 begins
  __m256i mask;
  __m256i shuffle;
  __m256i shift;
};

// Values of up to 57 bits: two to a load, in 64-bit lanes. `even` gets values 0, 1 and 4, 5, `odd`
// 2, 3 and 6, 7.
struct Wide {
  TUTTI_AVX2 explicit Wide(std::uint32_t bits)
      : mask(_mm256_set1_epi64x(static_cast<long long>((std::uint64_t{1} << bits) - 1))) {
    for (std::uint32_t pair = 0; pair < 4; ++pair) {
      start[pair] = 2 * pair * bits / 8;
    }
    for (std::uint32_t half = 0; half < 2; ++half) {
      alignas(32) std::uint8_t bytes[32];
      alignas(32) std::uint64_t shifts[4];
      for (std::uint32_t place = 0; place < 4; ++place) {
        const std::uint32_t pair = half + place / 2 * 2;
        const std::uint32_t bit = (2 * pair + place % 2) * bits - 8 * start[pair];
        shifts[place] = bit % 8;
        for (std::uint32_t byte = 0; byte < 8; ++byte) {
          bytes[8 * place + byte] = static_cast<std::uint8_t>(bit / 8 + byte);
        }
      }
      shuffle[half] = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
      shift[half] = _mm256_load_si256(reinterpret_cast<const __m256i*>(shifts));
    }
  }
  TUTTI_AVX2_INLINE __m256i Half(const std::uint8_t* group, int half) const {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + start[half]));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + start[half + 2]));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    return _mm256_and_si256(
        _mm256_srlv_epi64(_mm256_shuffle_epi8(both, shuffle[half]), shift[half]), mask);
  }

  std::uint32_t start[4];  // byte at which each pair begins
  __m256i mask;
  __m256i shuffle[2];
  __m256i shift[2];
};

TUTTI_AVX2_INLINE void AddTo(std::uint16_t* sum, __m256i eight) {
  const __m128i low = _mm256_castsi256_si128(eight);
  const __m128i high = _mm256_extracti128_si256(eight, 1);
  __m128i* const place = reinterpret_cast<__m128i*>(sum);
  _mm_storeu_si128(place, _mm_add_epi16(_mm_loadu_si128(place), _mm_packus_epi32(low, high)));
}

TUTTI_AVX2_INLINE void AddTo(std::uint32_t* sum, __m256i eight) {
  __m256i* const place = reinterpret_cast<__m256i*>(sum);
  _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), eight));
}

template <typename Lane>
TUTTI_AVX2 std::size_t AddNarrow(BytesView packed, std::uint32_t bits, std::span<Lane> sum) {
  const Narrow unpack(bits);
  const std::size_t groups = SafeGroups(packed.size(), sum.size(), bits, unpack.second);
  const std::uint8_t* group = packed.data();
  for (std::size_t g = 0; g < groups; ++g, group += bits) {
    AddTo(sum.data() + kGroup * g, unpack(group));
  }
  return groups * kGroup;
}

TUTTI_AVX2 std::size_t AddWide(BytesView packed, std::uint32_t bits, std::span<std::uint32_t> sum) {
  const Wide unpack(bits);
  const std::size_t groups = SafeGroups(packed.size(), sum.size(), bits, unpack.start[3]);
  const std::uint8_t* group = packed.data();
  for (std::size_t g = 0; g < groups; ++g, group += bits) {
    // The low words of all eight: 0 1 2 3 in the low half, 4 5 6 7 in the high one.
    const __m256 eight = _mm256_shuffle_ps(_mm256_castsi256_ps(unpack.Half(group, 0)),
                                           _mm256_castsi256_ps(unpack.Half(group, 1)), 0x88);
    AddTo(sum.data() + kGroup * g, _mm256_castps_si256(eight));
  }
  return groups * kGroup;
}

TUTTI_AVX2 std::size_t AddWide(BytesView packed, std::uint32_t bits, std::span<std::uint64_t> sum) {
  const Wide unpack(bits);
  const std::size_t groups = SafeGroups(packed.size(), sum.size(), bits, unpack.start[3]);
  const std::uint8_t* group = packed.data();
  for (std::size_t g = 0; g < groups; ++g, group += bits) {
    const __m256i even = unpack.Half(group, 0);
    const __m256i odd = unpack.Half(group, 1);
    __m256i* const place = reinterpret_cast<__m256i*>(sum.data() + kGroup * g);
    const __m256i low = _mm256_permute2x128_si256(even, odd, 0x20);
    const __m256i high = _mm256_permute2x128_si256(even, odd, 0x31);
    _mm256_storeu_si256(place, _mm256_add_epi64(_mm256_loadu_si256(place), low));
    _mm256_storeu_si256(place + 1, _mm256_add_epi64(_mm256_loadu_si256(place + 1), high));
  }
  return groups * kGroup;
}

}  // namespace

std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint16_t> sum) {
  return HasAvx2() ? AddNarrow(packed, bits, sum) : 0;
}

std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint32_t> sum) {
  if (!HasAvx2()) {
    return 0;
  }
  return bits <= kNarrowBits ? AddNarrow(packed, bits, sum) : AddWide(packed, bits, sum);
}

std::size_t AddPackedGroups(BytesView packed, std::uint32_t bits, std::span<std::uint64_t> sum) {
  return HasAvx2() ? AddWide(packed, bits, sum) : 0;
}

#else

std::size_t AddPackedGroups(BytesView, std::uint32_t, std::span<std::uint16_t>) { return 0; }
std::size_t AddPackedGroups(BytesView, std::uint32_t, std::span<std::uint32_t>) { return 0; }
std::size_t AddPackedGroups(BytesView, std::uint32_t, std::span<std::uint64_t>) { return 0; }

#endif

}  // namespace tutti::secagg
