#include "common/crypto/random.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "common/base/status.h"
#include "common/crypto/openssl_handles.h"

namespace tutti::crypto {
namespace {

// OpenSSL takes lengths as int.
constexpr std::size_t kLargestPiece = std::size_t{1} << 30;

}  // namespace

void SystemRng::Fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t piece = std::min(out.size(), kLargestPiece);
    TUTTI_CHECK(RAND_priv_bytes(out.data(), static_cast<int>(piece)) == 1);
    out = out.subspan(piece);
  }
}

struct AesCtrStream::State {
  CipherContext cipher{EVP_CIPHER_CTX_new()};  // keeps the place inside a block from call to call
};

AesCtrStream::AesCtrStream(const Secret32& key) : state_(std::make_unique<State>()) {
  const std::uint8_t zero_iv[16] = {};
  TUTTI_CHECK(state_->cipher != nullptr);
  TUTTI_CHECK(EVP_EncryptInit_ex2(state_->cipher.get(), Aes256Ctr(), key.view().data(), zero_iv,
                                  nullptr) == 1);
}
AesCtrStream::~AesCtrStream() = default;
AesCtrStream::AesCtrStream(AesCtrStream&&) noexcept = default;
AesCtrStream& AesCtrStream::operator=(AesCtrStream&&) noexcept = default;

void AesCtrStream::Fill(std::span<std::uint8_t> out) {
  TUTTI_CHECK(state_ != nullptr);
  while (!out.empty()) {
    const std::size_t piece = std::min(out.size(), kLargestPiece);
    std::memset(out.data(), 0, piece);
    int written = 0;
    TUTTI_CHECK(EVP_EncryptUpdate(state_->cipher.get(), out.data(), &written, out.data(),
                                  static_cast<int>(piece)) == 1);
    TUTTI_CHECK(static_cast<std::size_t>(written) == piece);
    out = out.subspan(piece);
  }
}

}  // namespace tutti::crypto
