#include "common/crypto/ctr_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace tutti::crypto {
namespace {

#define TUTTI_AESNI __attribute__((target("aes,sse4.1")))
#define TUTTI_VAES __attribute__((target("vaes,avx2,aes")))

constexpr int kRounds = 14;
constexpr std::size_t kInFlight = 8;  // enough to hide the latency of the AES instruction

// The words of a round key from those of the last but one and four equal words of the last.
TUTTI_AESNI inline __m128i NextRoundKey(__m128i key, __m128i assist) {
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  return _mm_xor_si128(key, assist);
}

template <int kRound>
TUTTI_AESNI inline void ExpandPair(__m128i& even, __m128i& odd, __m128i* out) {
  even = NextRoundKey(even, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, kRound), 0xff));
  _mm_storeu_si128(out, even);
  odd = NextRoundKey(odd, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa));
  _mm_storeu_si128(out + 1, odd);
}

// Writes 2 * kPairs blocks: each 256-bit register holds two.
template <std::size_t kPairs>
TUTTI_VAES inline __m256i WriteGroup(const __m256i* keys, std::uint8_t* out, __m256i counter) {
  const __m256i two = _mm256_set_epi64x(0, 2, 0, 2);
  const __m256i reversed = _mm256_broadcastsi128_si256(
      _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  __m256i block[kPairs];
  for (std::size_t i = 0; i < kPairs; ++i) {
    block[i] = _mm256_xor_si256(_mm256_shuffle_epi8(counter, reversed), keys[0]);
    counter = _mm256_add_epi64(counter, two);
  }
  for (int round = 1; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      block[i] = _mm256_aesenc_epi128(block[i], keys[round]);
    }
  }
  for (std::size_t i = 0; i < kPairs; ++i) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out) + i,
                        _mm256_aesenclast_epi128(block[i], keys[kRounds]));
  }
  return counter;
}

}  // namespace

TUTTI_AESNI void ExpandKey256(const std::uint8_t* key, std::uint8_t* schedule) {
  __m128i* const out = reinterpret_cast<__m128i*>(schedule);
  __m128i even = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  __m128i odd = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key) + 1);
  _mm_storeu_si128(out, even);
  _mm_storeu_si128(out + 1, odd);
  ExpandPair<0x01>(even, odd, out + 2);
  ExpandPair<0x02>(even, odd, out + 4);
  ExpandPair<0x04>(even, odd, out + 6);
  ExpandPair<0x08>(even, odd, out + 8);
  ExpandPair<0x10>(even, odd, out + 10);
  ExpandPair<0x20>(even, odd, out + 12);
  even = NextRoundKey(even, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, 0x40), 0xff));
  _mm_storeu_si128(out + kRounds, even);
}

TUTTI_VAES void WriteBlocks256(const std::uint8_t* schedule, std::uint8_t* out, std::size_t blocks,
                               std::uint64_t first_block) {
  __m256i keys[kRounds + 1];
  for (int i = 0; i <= kRounds; ++i) {
    keys[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(schedule) + i));
  }
  const long long first = static_cast<long long>(first_block);
  __m256i counter = _mm256_set_epi64x(0, first + 1, 0, first);
  for (; blocks >= 2 * kInFlight; blocks -= 2 * kInFlight, out += 32 * kInFlight) {
    counter = WriteGroup<kInFlight>(keys, out, counter);
  }
  for (; blocks >= 2; blocks -= 2, out += 32) {
    counter = WriteGroup<1>(keys, out, counter);
  }
  if (blocks > 0) {
    std::uint8_t pair[32];
    WriteGroup<1>(keys, pair, counter);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(pair)));
  }
}

}  // namespace tutti::crypto

#endif
