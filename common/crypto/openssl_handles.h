// Owners for OpenSSL objects and the algorithms this library uses, fetched once. Internal to
// common/crypto. Thread safety: value types; the fetched algorithms are immutable and shared
// between threads.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>

namespace tutti::crypto {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Handle = std::unique_ptr<T, Freer<kFree>>;

using PkeyHandle = Handle<EVP_PKEY, EVP_PKEY_free>;
using PkeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using CipherContext = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using BioHandle = Handle<BIO, BIO_free_all>;
using X509Handle = Handle<X509, X509_free>;
using RequestHandle = Handle<X509_REQ, X509_REQ_free>;

// Function-local statics, against the rule "no static state", on purpose: a fetched algorithm never
// changes after it was made, and fetching it per call costs more than hashing a short message. They
// are never freed, because OpenSSL's own exit handler may have run before ours would.
const EVP_MD* Sha256Algorithm();
const EVP_MD* Sha512Algorithm();
const EVP_CIPHER* Aes256Gcm();
const EVP_CIPHER* Aes256Ctr();
const EVP_CIPHER* Aes128Ctr();

// Raw 32-byte keys into OpenSSL's form; `type` is EVP_PKEY_X25519 or EVP_PKEY_ED25519. Any 32 bytes
// are accepted.
PkeyHandle PrivatePkey(int type, const std::uint8_t* raw32);
PkeyHandle PublicPkey(int type, const std::uint8_t* raw32);

}  // namespace tutti::crypto
