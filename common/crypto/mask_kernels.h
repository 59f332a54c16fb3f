// The kernels behind mask_stream.h, in a file of their own so that they are compiled with -O3 in
// every build type. Internal to common/crypto. Each has the same meaning: blocks [first_block,
// first_block + blocks) of the AES-128-CTR stream (IV 0, big-endian counter) read as little-endian
// lanes of 16, 32 or 64 bits and added to or subtracted from the 16 * blocks bytes at `lanes`.
// Thread safety: pure functions over the caller's memory. Sources: FIPS 197 (AES), NIST SP 800-38A
// section 6.5 (CTR).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutti::crypto {

// The rounds' keys for a 16-byte key, 176 bytes (FIPS 197 section 5.2), without tables that a key
// indexes.
void ExpandKeyPortable(const std::uint8_t* key, std::uint8_t* schedule);

template <typename Lane>
void AddBlocksPortable(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                       std::uint64_t first_block, bool subtract);

#if defined(__x86_64__)
// Need the processor's AES instructions.
void ExpandKeyAesNi(const std::uint8_t* key, std::uint8_t* schedule);
template <typename Lane>
void AddBlocksAesNi(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                    std::uint64_t first_block, bool subtract);
// Needs AVX2 and VAES.
template <typename Lane>
void AddBlocksVaes256(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                      std::uint64_t first_block, bool subtract);
#endif

}  // namespace tutti::crypto
