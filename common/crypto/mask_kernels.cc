#include "common/crypto/mask_kernels.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/secret.h"
#include "common/base/status.h"
#include "common/crypto/openssl_handles.h"

namespace tutti::crypto {
namespace {

constexpr std::size_t kPiece =
    16 * 1024;  // keystream made at a time: stays in the first-level cache
constexpr std::uint8_t kZeros[kPiece] = {};

// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 section 4.2), with no branch on the
// values.
std::uint8_t Multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  unsigned power = a;
  const unsigned factor = b;
  for (unsigned bit = 0; bit < 8; ++bit) {
    product ^= power & (0u - ((factor >> bit) & 1u));
    power = ((power << 1) ^ (0x11bu & (0u - (power >> 7)))) & 0xffu;
  }
  return static_cast<std::uint8_t>(product);
}

// The S-box computed (FIPS 197 section 5.1.1): a table lookup would show key bytes in cache timing.
std::uint8_t SubByte(std::uint8_t value) {
  std::uint8_t inverse = 1;  // value^254 = value^(2 + 4 + ... + 128)
  std::uint8_t square = value;
  for (int i = 0; i < 7; ++i) {
    square = Multiply(square, square);
    inverse = Multiply(inverse, square);
  }
  const auto turned = [inverse](int bits) { return std::rotl(inverse, bits); };
  return static_cast<std::uint8_t>(inverse ^ turned(1) ^ turned(2) ^ turned(3) ^ turned(4) ^ 0x63);
}

template <typename Lane>
Lane LittleEndian(const std::uint8_t* bytes) {
  Lane lane = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&lane, bytes, sizeof(Lane));
  } else {
    for (std::size_t i = 0; i < sizeof(Lane); ++i) {
      lane = static_cast<Lane>(lane | static_cast<Lane>(bytes[i]) << (8 * i));
    }
  }
  return lane;
}

template <typename Lane, bool kSubtract>
void Combine(Lane* lanes, const std::uint8_t* stream, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Lane lane = LittleEndian<Lane>(stream + sizeof(Lane) * i);
    lanes[i] = static_cast<Lane>(kSubtract ? lanes[i] - lane : lanes[i] + lane);
  }
}

}  // namespace

void ExpandKeyPortable(const std::uint8_t* key, std::uint8_t* schedule) {
  std::memcpy(schedule, key, 16);
  std::uint8_t constant = 1;
  for (std::size_t at = 16; at < 176; at += 4) {
    std::uint8_t word[4];
    std::memcpy(word, schedule + at - 4, 4);
    if (at % 16 == 0) {
      std::rotate(word, word + 1, word + 4);
      for (std::uint8_t& byte : word) {
        byte = SubByte(byte);
      }
      word[0] = static_cast<std::uint8_t>(word[0] ^ constant);
      constant = Multiply(constant, 2);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      schedule[at + i] = static_cast<std::uint8_t>(schedule[at + i - 16] ^ word[i]);
    }
  }
}

template <typename Lane>
void AddBlocksPortable(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                       std::uint64_t first_block, bool subtract) {
  std::uint8_t counter[16] = {};
  for (std::size_t i = 0; i < 8; ++i) {
    counter[15 - i] = static_cast<std::uint8_t>(first_block >> (8 * i));
  }
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  TUTTI_CHECK(cipher != nullptr);
  // The schedule starts with the key itself; OpenSSL expands its own.
  TUTTI_CHECK(EVP_EncryptInit_ex2(cipher.get(), Aes128Ctr(), schedule, counter, nullptr) == 1);
  alignas(16) std::uint8_t stream[kPiece];
  std::size_t bytes_used = 0;
  for (std::size_t left = blocks * 16; left > 0;) {
    const std::size_t bytes = std::min(left, kPiece);
    int written = 0;
    TUTTI_CHECK(
        EVP_EncryptUpdate(cipher.get(), stream, &written, kZeros, static_cast<int>(bytes)) == 1);
    if (subtract) {
      Combine<Lane, true>(lanes, stream, bytes / sizeof(Lane));
    } else {
      Combine<Lane, false>(lanes, stream, bytes / sizeof(Lane));
    }
    lanes += bytes / sizeof(Lane);
    left -= bytes;
    bytes_used = std::max(bytes_used, bytes);
  }
  Wipe(stream, bytes_used);
}

template void AddBlocksPortable(const std::uint8_t*, std::uint16_t*, std::size_t, std::uint64_t,
                                bool);
template void AddBlocksPortable(const std::uint8_t*, std::uint32_t*, std::size_t, std::uint64_t,
                                bool);
template void AddBlocksPortable(const std::uint8_t*, std::uint64_t*, std::size_t, std::uint64_t,
                                bool);

}  // namespace tutti::crypto
