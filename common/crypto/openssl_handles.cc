#include "common/crypto/openssl_handles.h"

#include "common/base/status.h"

namespace tutti::crypto {
namespace {

const EVP_MD* FetchDigest(const char* name) {
  const EVP_MD* digest = EVP_MD_fetch(nullptr, name, nullptr);
  TUTTI_CHECK(digest != nullptr);
  return digest;
}

const EVP_CIPHER* FetchCipher(const char* name) {
  const EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  TUTTI_CHECK(cipher != nullptr);
  return cipher;
}

}  // namespace

const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const kDigest = FetchDigest("SHA256");
  return kDigest;
}

const EVP_MD* Sha512Algorithm() {
  static const EVP_MD* const kDigest = FetchDigest("SHA512");
  return kDigest;
}

const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const kCipher = FetchCipher("AES-256-GCM");
  return kCipher;
}

const EVP_CIPHER* Aes256Ctr() {
  static const EVP_CIPHER* const kCipher = FetchCipher("AES-256-CTR");
  return kCipher;
}

const EVP_CIPHER* Aes128Ctr() {
  static const EVP_CIPHER* const kCipher = FetchCipher("AES-128-CTR");
  return kCipher;
}

PkeyHandle PrivatePkey(int type, const std::uint8_t* raw32) {
  PkeyHandle key(EVP_PKEY_new_raw_private_key(type, nullptr, raw32, 32));
  TUTTI_CHECK(key != nullptr);
  return key;
}

PkeyHandle PublicPkey(int type, const std::uint8_t* raw32) {
  PkeyHandle key(EVP_PKEY_new_raw_public_key(type, nullptr, raw32, 32));
  TUTTI_CHECK(key != nullptr);
  return key;
}

}  // namespace tutti::crypto
