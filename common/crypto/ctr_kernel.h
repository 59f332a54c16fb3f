// AES-256-CTR keystream with the processor's wide AES instructions, in a file of its own so that it
// is compiled with -O3 in every build type. Internal to common/crypto; the same bytes as OpenSSL's
// cipher gives. Thread safety: pure functions over the caller's memory. Sources: FIPS 197 (AES),
// NIST SP 800-38A section 6.5 (CTR).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutti::crypto {

inline constexpr std::size_t kSchedule256Bytes = 240;

#if defined(__x86_64__)
// The rounds' keys for a 32-byte key. Needs the processor's AES instructions.
void ExpandKey256(const std::uint8_t* key, std::uint8_t* schedule);

// Blocks [first_block, first_block + blocks) of the stream with IV 0. Needs AVX2 and VAES.
void WriteBlocks256(const std::uint8_t* schedule, std::uint8_t* out, std::size_t blocks,
                    std::uint64_t first_block);
#endif

}  // namespace tutti::crypto
