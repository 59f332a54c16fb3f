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

std::uint32_t LittleEndian(std::uint32_t lane) {
  if constexpr (std::endian::native == std::endian::little) {
    return lane;
  } else {
    return (lane >> 24) | ((lane >> 8) & 0xff00u) | ((lane << 8) & 0xff0000u) | (lane << 24);
  }
}

template <bool kSubtract>
void Combine(std::uint32_t* lanes, const std::uint32_t* stream, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t lane = LittleEndian(stream[i]);
    lanes[i] = kSubtract ? lanes[i] - lane : lanes[i] + lane;
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

void AddBlocksPortable(const std::uint8_t* schedule, std::uint32_t* lanes, std::size_t blocks,
                       std::uint64_t first_block, bool subtract) {
  std::uint8_t counter[16] = {};
  for (std::size_t i = 0; i < 8; ++i) {
    counter[15 - i] = static_cast<std::uint8_t>(first_block >> (8 * i));
  }
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  TUTTI_CHECK(cipher != nullptr);
  // The schedule starts with the key itself; OpenSSL expands its own.
  TUTTI_CHECK(EVP_EncryptInit_ex2(cipher.get(), Aes128Ctr(), schedule, counter, nullptr) == 1);
  std::uint32_t stream[kPiece / 4];
  std::size_t bytes_used = 0;
  for (std::size_t left = blocks * 16; left > 0;) {
    const std::size_t bytes = std::min(left, kPiece);
    int written = 0;
    TUTTI_CHECK(EVP_EncryptUpdate(cipher.get(), reinterpret_cast<std::uint8_t*>(stream), &written,
                                  kZeros, static_cast<int>(bytes)) == 1);
    if (subtract) {
      Combine<true>(lanes, stream, bytes / 4);
    } else {
      Combine<false>(lanes, stream, bytes / 4);
    }
    lanes += bytes / 4;
    left -= bytes;
    bytes_used = std::max(bytes_used, bytes);
  }
  Wipe(stream, bytes_used);
}

void AddLanesPortable(std::uint32_t* sum, const std::uint32_t* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    sum[i] += values[i];
  }
}

}  // namespace tutti::crypto
