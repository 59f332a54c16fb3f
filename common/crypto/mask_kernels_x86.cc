#include "common/crypto/mask_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace tutti::crypto {
namespace {

#define TUTTI_AESNI __attribute__((target("aes,sse4.1")))
#define TUTTI_VAES __attribute__((target("vaes,avx2,aes")))

constexpr std::size_t kInFlight = 8;  // enough to hide the latency of the AES instruction

template <typename Lane>
constexpr std::size_t kLanesOfBlock = 16 / sizeof(Lane);

// One step of the key expansion; kRound is the round constant.
template <int kRound>
TUTTI_AESNI inline __m128i NextRoundKey(__m128i key) {
  const __m128i assist = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, kRound), 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  return _mm_xor_si128(key, assist);
}

// Counters are kept as little-endian 64-bit numbers in the low half; this turns one into the
// big-endian block.
TUTTI_AESNI inline __m128i BigEndian128(__m128i counter) {
  const __m128i reversed = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm_shuffle_epi8(counter, reversed);
}

// Lanes of each width are added with their own instruction; AddBlocks below counts in bytes.
template <typename Lane, bool kSubtract>
TUTTI_AESNI inline __m128i Sum128(__m128i a, __m128i b) {
  if constexpr (sizeof(Lane) == 2) {
    return kSubtract ? _mm_sub_epi16(a, b) : _mm_add_epi16(a, b);
  } else if constexpr (sizeof(Lane) == 4) {
    return kSubtract ? _mm_sub_epi32(a, b) : _mm_add_epi32(a, b);
  } else {
    return kSubtract ? _mm_sub_epi64(a, b) : _mm_add_epi64(a, b);
  }
}

template <typename Lane, bool kSubtract>
TUTTI_AESNI inline void Combine128(Lane* lanes, __m128i stream) {
  __m128i* const place = reinterpret_cast<__m128i*>(lanes);
  _mm_storeu_si128(place, Sum128<Lane, kSubtract>(_mm_loadu_si128(place), stream));
}

template <typename Lane, bool kSubtract, std::size_t kBlocks>
TUTTI_AESNI inline __m128i AddGroup128(const __m128i* keys, Lane* lanes, __m128i counter) {
  const __m128i one = _mm_set_epi64x(0, 1);
  __m128i block[kBlocks];
  for (std::size_t i = 0; i < kBlocks; ++i) {
    block[i] = _mm_xor_si128(BigEndian128(counter), keys[0]);
    counter = _mm_add_epi64(counter, one);
  }
  for (int round = 1; round < 10; ++round) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      block[i] = _mm_aesenc_si128(block[i], keys[round]);
    }
  }
  for (std::size_t i = 0; i < kBlocks; ++i) {
    Combine128<Lane, kSubtract>(lanes + kLanesOfBlock<Lane> * i,
                                _mm_aesenclast_si128(block[i], keys[10]));
  }
  return counter;
}

template <typename Lane, bool kSubtract>
TUTTI_AESNI void AddBlocks128(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                              std::uint64_t first_block) {
  __m128i keys[11];
  for (int i = 0; i < 11; ++i) {
    keys[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(schedule) + i);
  }
  __m128i counter = _mm_set_epi64x(0, static_cast<long long>(first_block));
  for (; blocks >= kInFlight; blocks -= kInFlight, lanes += kLanesOfBlock<Lane> * kInFlight) {
    counter = AddGroup128<Lane, kSubtract, kInFlight>(keys, lanes, counter);
  }
  for (; blocks > 0; --blocks, lanes += kLanesOfBlock<Lane>) {
    counter = AddGroup128<Lane, kSubtract, 1>(keys, lanes, counter);
  }
}

template <typename Lane, bool kSubtract>
TUTTI_VAES inline __m256i Sum256(__m256i a, __m256i b) {
  if constexpr (sizeof(Lane) == 2) {
    return kSubtract ? _mm256_sub_epi16(a, b) : _mm256_add_epi16(a, b);
  } else if constexpr (sizeof(Lane) == 4) {
    return kSubtract ? _mm256_sub_epi32(a, b) : _mm256_add_epi32(a, b);
  } else {
    return kSubtract ? _mm256_sub_epi64(a, b) : _mm256_add_epi64(a, b);
  }
}

template <typename Lane, bool kSubtract>
TUTTI_VAES inline void Combine256(Lane* lanes, __m256i stream) {
  __m256i* const place = reinterpret_cast<__m256i*>(lanes);
  _mm256_storeu_si256(place, Sum256<Lane, kSubtract>(_mm256_loadu_si256(place), stream));
}

// Adds 2 * kPairs blocks: each 256-bit register holds two blocks.
template <typename Lane, bool kSubtract, std::size_t kPairs>
TUTTI_VAES inline __m256i AddGroup256(const __m256i* keys, Lane* lanes, __m256i counter) {
  const __m256i two = _mm256_set_epi64x(0, 2, 0, 2);
  const __m256i reversed = _mm256_broadcastsi128_si256(
      _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  __m256i block[kPairs];
  for (std::size_t i = 0; i < kPairs; ++i) {
    block[i] = _mm256_xor_si256(_mm256_shuffle_epi8(counter, reversed), keys[0]);
    counter = _mm256_add_epi64(counter, two);
  }
  for (int round = 1; round < 10; ++round) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      block[i] = _mm256_aesenc_epi128(block[i], keys[round]);
    }
  }
  for (std::size_t i = 0; i < kPairs; ++i) {
    Combine256<Lane, kSubtract>(lanes + 2 * kLanesOfBlock<Lane> * i,
                                _mm256_aesenclast_epi128(block[i], keys[10]));
  }
  return counter;
}

template <typename Lane, bool kSubtract>
TUTTI_VAES void AddBlocks256(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                             std::uint64_t first_block) {
  __m256i keys[11];
  for (int i = 0; i < 11; ++i) {
    keys[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(schedule) + i));
  }
  const std::size_t pairs = blocks / 2;
  const long long first = static_cast<long long>(first_block);
  __m256i counter = _mm256_set_epi64x(0, first + 1, 0, first);
  std::size_t left = pairs;
  for (; left >= kInFlight; left -= kInFlight, lanes += 2 * kLanesOfBlock<Lane> * kInFlight) {
    counter = AddGroup256<Lane, kSubtract, kInFlight>(keys, lanes, counter);
  }
  for (; left > 0; --left, lanes += 2 * kLanesOfBlock<Lane>) {
    counter = AddGroup256<Lane, kSubtract, 1>(keys, lanes, counter);
  }
  if (blocks % 2 != 0) {
    AddBlocks128<Lane, kSubtract>(schedule, lanes, 1, first_block + 2 * pairs);
  }
}

}  // namespace

TUTTI_AESNI void ExpandKeyAesNi(const std::uint8_t* key, std::uint8_t* schedule) {
  __m128i* const out = reinterpret_cast<__m128i*>(schedule);
  __m128i k = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  _mm_storeu_si128(out, k);
  _mm_storeu_si128(out + 1, k = NextRoundKey<0x01>(k));
  _mm_storeu_si128(out + 2, k = NextRoundKey<0x02>(k));
  _mm_storeu_si128(out + 3, k = NextRoundKey<0x04>(k));
  _mm_storeu_si128(out + 4, k = NextRoundKey<0x08>(k));
  _mm_storeu_si128(out + 5, k = NextRoundKey<0x10>(k));
  _mm_storeu_si128(out + 6, k = NextRoundKey<0x20>(k));
  _mm_storeu_si128(out + 7, k = NextRoundKey<0x40>(k));
  _mm_storeu_si128(out + 8, k = NextRoundKey<0x80>(k));
  _mm_storeu_si128(out + 9, k = NextRoundKey<0x1b>(k));
  _mm_storeu_si128(out + 10, NextRoundKey<0x36>(k));
}

template <typename Lane>
void AddBlocksAesNi(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                    std::uint64_t first_block, bool subtract) {
  if (subtract) {
    AddBlocks128<Lane, true>(schedule, lanes, blocks, first_block);
  } else {
    AddBlocks128<Lane, false>(schedule, lanes, blocks, first_block);
  }
}

template <typename Lane>
void AddBlocksVaes256(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                      std::uint64_t first_block, bool subtract) {
  if (subtract) {
    AddBlocks256<Lane, true>(schedule, lanes, blocks, first_block);
  } else {
    AddBlocks256<Lane, false>(schedule, lanes, blocks, first_block);
  }
}

template void AddBlocksAesNi(const std::uint8_t*, std::uint16_t*, std::size_t, std::uint64_t, bool);
template void AddBlocksAesNi(const std::uint8_t*, std::uint32_t*, std::size_t, std::uint64_t, bool);
template void AddBlocksAesNi(const std::uint8_t*, std::uint64_t*, std::size_t, std::uint64_t, bool);
template void AddBlocksVaes256(const std::uint8_t*, std::uint16_t*, std::size_t, std::uint64_t,
                               bool);
template void AddBlocksVaes256(const std::uint8_t*, std::uint32_t*, std::size_t, std::uint64_t,
                               bool);
template void AddBlocksVaes256(const std::uint8_t*, std::uint64_t*, std::size_t, std::uint64_t,
                               bool);

}  // namespace tutti::crypto

#endif
