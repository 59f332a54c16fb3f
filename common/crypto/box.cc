#include "common/crypto/box.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/openssl_handles.h"

namespace tutti::crypto {
namespace {

// OpenSSL takes lengths as int.
constexpr std::size_t kLargestPiece = std::size_t{1} << 30;
constexpr std::uint8_t kZeroNonce[12] = {};

// Feeds `in` through the cipher; `out` null means associated data.
void Run(EVP_CIPHER_CTX* cipher, BytesView in, std::uint8_t* out) {
  while (!in.empty()) {
    const std::size_t piece = std::min(in.size(), kLargestPiece);
    int written = 0;
    TUTTI_CHECK(EVP_CipherUpdate(cipher, out, &written, in.data(), static_cast<int>(piece)) == 1);
    in = in.subspan(piece);
    if (out != nullptr) {
      out += written;
    }
  }
}

CipherContext NewCipher(const Secret32& key, bool encrypt) {
  CipherContext cipher(EVP_CIPHER_CTX_new());
  TUTTI_CHECK(cipher != nullptr);
  TUTTI_CHECK(EVP_CipherInit_ex2(cipher.get(), Aes256Gcm(), key.view().data(), kZeroNonce,
                                 encrypt ? 1 : 0, nullptr) == 1);
  return cipher;
}

}  // namespace

Bytes Seal(const Secret32& one_time_key, BytesView associated, BytesView plaintext) {
  const CipherContext cipher = NewCipher(one_time_key, true);
  Bytes sealed(plaintext.size() + kBoxOverhead);
  std::uint8_t* const tag = sealed.data() + plaintext.size();
  int written = 0;
  Run(cipher.get(), associated, nullptr);
  Run(cipher.get(), plaintext, sealed.data());
  TUTTI_CHECK(EVP_CipherFinal_ex(cipher.get(), tag, &written) == 1 && written == 0);
  TUTTI_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG,
                                  static_cast<int>(kBoxOverhead), tag) == 1);
  return sealed;
}

StatusOr<Bytes> Open(const Secret32& one_time_key, BytesView associated, BytesView sealed) {
  if (sealed.size() < kBoxOverhead) {
    return DataLoss(Join("sealed box has ", sealed.size(), " bytes, expected at least ",
                         kBoxOverhead, "; it was cut short"));
  }
  const CipherContext cipher = NewCipher(one_time_key, false);
  const std::size_t size = sealed.size() - kBoxOverhead;
  Bytes plaintext(size);
  Bytes tag = ToBytes(sealed.subspan(size));
  TUTTI_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG,
                                  static_cast<int>(kBoxOverhead), tag.data()) == 1);
  int written = 0;
  std::uint8_t nothing[16];
  Run(cipher.get(), associated, nullptr);
  Run(cipher.get(), sealed.first(size), plaintext.data());
  if (EVP_CipherFinal_ex(cipher.get(), nothing, &written) != 1) {
    ERR_clear_error();
    // What was decrypted under a wrong tag must not stay readable.
    Wipe(plaintext.data(), plaintext.size());
    return DataLoss("sealed box does not open: wrong key, wrong associated data or altered bytes");
  }
  return plaintext;
}

}  // namespace tutti::crypto
