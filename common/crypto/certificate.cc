#include "common/crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

#include "common/base/text.h"
#include "common/crypto/certificate_parts.h"
#include "common/crypto/hash.h"

namespace tutti::crypto {
namespace {

using NamesHandle = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;

// Keys and requests are never encrypted here; without a callback OpenSSL would ask on the terminal.
int RefusePassword(char*, int, int, void*) { return -1; }

StatusOr<WallSeconds> SecondsOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    ERR_clear_error();
    return InvalidArgument("certificate has a validity date that is not a date");
  }
  return static_cast<WallSeconds>(timegm(&parts));
}

// The role among the subject alternative names; empty without one.
StatusOr<std::string> RoleOf(X509* certificate) {
  const NamesHandle names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string role;
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count; ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_URI) {
      continue;
    }
    const auto* const uri = static_cast<const ASN1_IA5STRING*>(value);
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                           static_cast<std::size_t>(ASN1_STRING_length(uri)));
    if (text.rfind(kRolePrefix, 0) != 0) {
      continue;
    }
    if (!role.empty()) {
      return InvalidArgument("certificate names two roles, expected at most one");
    }
    role = text.substr(kRolePrefix.size());
    if (!IsSafeName(role)) {
      return InvalidArgument("certificate names the role \"" + Escaped(role) +
                             "\", expected lower-case letters");
    }
  }
  return role;
}

// An Ed25519 SubjectPublicKeyInfo has one DER form: this head and the key (RFC 8410 section 4).
// OpenSSL's encoder costs a third of a signature check to write the same.
Digest SpkiDigest(const Ed25519Public& key) {
  constexpr ByteArray<12> kHead = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                   0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  ByteWriter der;
  der.Raw(kHead);
  der.Raw(key);
  return Sha256(der.bytes());
}

Status CheckSize(std::size_t size, std::string_view what) {
  if (size == 0 || size > kLargestCertificate) {
    return InvalidArgument(
        Join(what, " has ", size, " bytes, expected 1 to ", kLargestCertificate));
  }
  return OkStatus();
}

}  // namespace

std::string OpenSslReason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

BioHandle MemoryBio() {
  BioHandle bio(BIO_new(BIO_s_mem()));
  TUTTI_CHECK(bio != nullptr);
  return bio;
}

BioHandle ReadingBio(std::string_view text) {
  BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  TUTTI_CHECK(bio != nullptr);
  return bio;
}

std::string WrittenText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size <= 0 ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

StatusOr<X509Handle> ParseCertificatePem(std::string_view pem) {
  TUTTI_TRY(CheckSize(pem.size(), "certificate file"));
  X509Handle certificate(
      PEM_read_bio_X509(ReadingBio(pem).get(), nullptr, RefusePassword, nullptr));
  if (certificate == nullptr) {
    return InvalidArgument("no readable certificate in the PEM text: " + OpenSslReason());
  }
  return certificate;
}

StatusOr<X509Handle> ParseCertificateDer(BytesView der) {
  TUTTI_TRY(CheckSize(der.size(), "certificate"));
  const unsigned char* at = der.data();
  X509Handle certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr) {
    return InvalidArgument("bytes are not a certificate: " + OpenSslReason());
  }
  if (at != der.data() + der.size()) {
    return InvalidArgument(Join("certificate is followed by ", der.data() + der.size() - at,
                                " more bytes, expected none"));
  }
  return certificate;
}

StatusOr<RequestHandle> ParseRequestPem(std::string_view pem) {
  TUTTI_TRY(CheckSize(pem.size(), "certificate request"));
  RequestHandle request(
      PEM_read_bio_X509_REQ(ReadingBio(pem).get(), nullptr, RefusePassword, nullptr));
  if (request == nullptr) {
    return InvalidArgument("no readable certificate request in the PEM text: " + OpenSslReason());
  }
  return request;
}

std::string CertificatePem(X509* certificate) {
  const BioHandle bio = MemoryBio();
  TUTTI_CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return WrittenText(bio.get());
}

Bytes CertificateToDer(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  TUTTI_CHECK(size > 0);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

std::string CommonName(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) {
    return "";
  }
  const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                   static_cast<std::size_t>(ASN1_STRING_length(value)));
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) {
      return "";
    }
  }
  return text;
}

StatusOr<Ed25519Public> Ed25519Of(EVP_PKEY* key, std::string_view what) {
  if (key == nullptr || EVP_PKEY_is_a(key, "ED25519") != 1) {
    const char* const kind = key == nullptr ? nullptr : EVP_PKEY_get0_type_name(key);
    ERR_clear_error();
    return InvalidArgument(Join(what, " has a key of type ", kind == nullptr ? "unknown" : kind,
                                ", expected ED25519"));
  }
  Ed25519Public raw{};
  std::size_t size = raw.size();
  TUTTI_CHECK(EVP_PKEY_get_raw_public_key(key, raw.data(), &size) == 1 && size == raw.size());
  return raw;
}

StatusOr<CertificateInfo> InfoOf(X509* certificate) {
  CertificateInfo info;
  TUTTI_ASSIGN(info.public_key, Ed25519Of(X509_get0_pubkey(certificate), "certificate"));
  TUTTI_ASSIGN(info.role, RoleOf(certificate));
  TUTTI_ASSIGN(info.not_before, SecondsOf(X509_get0_notBefore(certificate)));
  TUTTI_ASSIGN(info.not_after, SecondsOf(X509_get0_notAfter(certificate)));
  info.name = CommonName(X509_get_subject_name(certificate));
  info.spki_sha256 = SpkiDigest(info.public_key);
  info.is_ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
  return info;
}

KeyPair NewKeyPair(SecureRng& rng) {
  KeyPair pair;
  pair.key = NewEd25519Key(rng);
  pair.public_key = Ed25519PublicOf(pair.key);
  return pair;
}

std::string PrivateKeyPem(const Ed25519Private& key) {
  const PkeyHandle pkey = PrivatePkey(EVP_PKEY_ED25519, key.view().data());
  const BioHandle bio = MemoryBio();
  TUTTI_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) == 1);
  return WrittenText(bio.get());
}

StatusOr<Ed25519Private> PrivateKeyFromPem(std::string_view pem) {
  TUTTI_TRY(CheckSize(pem.size(), "private key file"));
  const PkeyHandle pkey(
      PEM_read_bio_PrivateKey(ReadingBio(pem).get(), nullptr, RefusePassword, nullptr));
  if (pkey == nullptr) {
    return InvalidArgument(
        "no readable private key in the PEM text, expected an unencrypted "
        "PKCS#8 key: " +
        OpenSslReason());
  }
  TUTTI_TRY(Ed25519Of(pkey.get(), "private key file").status());
  Ed25519Private key;
  std::size_t size = 32;
  if (EVP_PKEY_get_raw_private_key(pkey.get(), key.mutable_view().data(), &size) != 1) {
    return InvalidArgument("private key file has no private half: " + OpenSslReason());
  }
  return key;
}

StatusOr<CertificateInfo> ReadCertificatePem(std::string_view pem) {
  TUTTI_ASSIGN(const X509Handle certificate, ParseCertificatePem(pem));
  return InfoOf(certificate.get());
}

StatusOr<CertificateInfo> ReadCertificateDer(BytesView der) {
  TUTTI_ASSIGN(const X509Handle certificate, ParseCertificateDer(der));
  return InfoOf(certificate.get());
}

StatusOr<Ed25519Public> RequestPublicKey(std::string_view request_pem) {
  TUTTI_ASSIGN(const RequestHandle request, ParseRequestPem(request_pem));
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  TUTTI_ASSIGN(const Ed25519Public raw, Ed25519Of(key, "certificate request"));
  // The signature proves that whoever asks holds the key.
  if (X509_REQ_verify(request.get(), key) != 1) {
    return InvalidArgument("certificate request is not signed by its own key: " + OpenSslReason());
  }
  return raw;
}

StatusOr<Bytes> CertificateDer(std::string_view pem) {
  TUTTI_ASSIGN(const X509Handle certificate, ParseCertificatePem(pem));
  return CertificateToDer(certificate.get());
}

StatusOr<Digest> CertificateSha256(std::string_view pem) {
  TUTTI_ASSIGN(const Bytes der, CertificateDer(pem));
  return Sha256(der);
}

}  // namespace tutti::crypto
