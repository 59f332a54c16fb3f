#include "common/crypto/random.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "common/base/status.h"
#include "common/crypto/ctr_kernel.h"
#include "common/crypto/mask_stream.h"
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

// OpenSSL's cipher, which keeps the place inside a block from call to call, or the kernel of
// processors with wide AES instructions.
struct AesCtrStream::State {
  static constexpr std::size_t kBlock = 16;

  CipherContext cipher;  // none: the kernel
  std::uint8_t schedule[kSchedule256Bytes] = {};
  std::uint64_t next_block = 0;
  std::uint8_t rest[kBlock] = {};  // the block that a call has used a part of
  std::size_t rest_used = kBlock;

  ~State() {
    Wipe(schedule, sizeof schedule);
    Wipe(rest, sizeof rest);
  }

  void FillByOpenSsl(std::span<std::uint8_t> out) {
    while (!out.empty()) {
      const std::size_t piece = std::min(out.size(), kLargestPiece);
      std::memset(out.data(), 0, piece);
      int written = 0;
      TUTTI_CHECK(EVP_EncryptUpdate(cipher.get(), out.data(), &written, out.data(),
                                    static_cast<int>(piece)) == 1);
      TUTTI_CHECK(static_cast<std::size_t>(written) == piece);
      out = out.subspan(piece);
    }
  }

#if defined(__x86_64__)
  std::span<std::uint8_t> TakeRest(std::span<std::uint8_t> out) {
    const std::size_t count = std::min(out.size(), kBlock - rest_used);
    std::copy_n(rest + rest_used, count, out.begin());
    rest_used += count;
    return out.subspan(count);
  }

  void FillByKernel(std::span<std::uint8_t> out) {
    out = TakeRest(out);
    const std::size_t whole = out.size() / kBlock;
    WriteBlocks256(schedule, out.data(), whole, next_block);
    next_block += whole;
    out = out.subspan(whole * kBlock);
    if (!out.empty()) {
      WriteBlocks256(schedule, rest, 1, next_block++);
      rest_used = 0;
      TakeRest(out);
    }
  }
#endif
};

AesCtrStream::AesCtrStream(const Secret32& key) : state_(std::make_unique<State>()) {
#if defined(__x86_64__)
  if (KernelAvailable(MaskKernel::kVaes256)) {
    ExpandKey256(key.view().data(), state_->schedule);
    return;
  }
#endif
  const std::uint8_t zero_iv[State::kBlock] = {};
  state_->cipher.reset(EVP_CIPHER_CTX_new());
  TUTTI_CHECK(state_->cipher != nullptr);
  TUTTI_CHECK(EVP_EncryptInit_ex2(state_->cipher.get(), Aes256Ctr(), key.view().data(), zero_iv,
                                  nullptr) == 1);
}
AesCtrStream::~AesCtrStream() = default;
AesCtrStream::AesCtrStream(AesCtrStream&&) noexcept = default;
AesCtrStream& AesCtrStream::operator=(AesCtrStream&&) noexcept = default;

void AesCtrStream::Fill(std::span<std::uint8_t> out) {
  TUTTI_CHECK(state_ != nullptr);
#if defined(__x86_64__)
  if (state_->cipher == nullptr) {
    state_->FillByKernel(out);
    return;
  }
#endif
  state_->FillByOpenSsl(out);
}

}  // namespace tutti::crypto
