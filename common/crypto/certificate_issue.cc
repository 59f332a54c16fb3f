#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/crypto/certificate_parts.h"

namespace tutti::crypto {
namespace {

using NamesHandle = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using NameHandle = Handle<GENERAL_NAME, GENERAL_NAME_free>;
using BignumHandle = Handle<BIGNUM, BN_free>;
using ExtensionHandle = Handle<X509_EXTENSION, X509_EXTENSION_free>;

constexpr int kLongestDays = 36500;
constexpr std::int64_t kSecondsPerDay = 86400;
constexpr WallSeconds kLatestWall =
    200'000'000'000;  // beyond it the dates of X.509 (four digits) end

// 1 to 64 printable characters: X.520's bound on a common name.
Status CheckCommonName(std::string_view name) {
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (name.empty() || name.size() > 64 || !printable) {
    return InvalidArgument(Join("common name \"", Escaped(name),
                                "\" is not usable, expected 1 to 64 printable ASCII characters"));
  }
  return OkStatus();
}

Status CheckPeriod(WallSeconds now, int days) {
  if (days < 1 || days > kLongestDays) {
    return InvalidArgument(
        Join("certificate lifetime is ", days, " days, expected 1 to ", kLongestDays));
  }
  if (now < 0 || now > kLatestWall) {
    return InvalidArgument(
        Join("time ", now, " s is outside the dates a certificate can hold; set the clock"));
  }
  return OkStatus();
}

Status CheckRole(std::string_view role) {
  if (role.empty() || role == "trainer" || role == "evaluator" || role == "operator" ||
      role == "server") {
    return OkStatus();
  }
  return InvalidArgument(Join("role \"", Escaped(role),
                              "\" is unknown, expected trainer, evaluator, operator or server"));
}

void SetCommonName(X509_NAME* subject, const std::string& name) {
  TUTTI_CHECK(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(name.data()),
                                         static_cast<int>(name.size()), -1, 0) == 1);
}

void SetTime(ASN1_TIME* field, WallSeconds seconds) {
  TUTTI_CHECK(ASN1_TIME_set(field, static_cast<std::time_t>(seconds)) != nullptr);
}

// A certificate with version, a random serial and the validity set; the rest is the caller's.
X509Handle NewCertificate(WallSeconds not_before, WallSeconds not_after) {
  X509Handle certificate(X509_new());
  TUTTI_CHECK(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  const BignumHandle serial(BN_new());
  // 128 random bits with the top one set: never zero, never negative, never used twice.
  TUTTI_CHECK(serial != nullptr &&
              BN_rand(serial.get(), 128, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  TUTTI_CHECK(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) !=
              nullptr);
  SetTime(X509_getm_notBefore(certificate.get()), not_before);
  SetTime(X509_getm_notAfter(certificate.get()), not_after);
  return certificate;
}

// Adds an extension given in OpenSSL's own text form. Only with constant text: names from outside
// go through AddAlternativeNames, because the text form has a syntax they could break out of.
void AddExtension(X509* certificate, X509* issuer, int nid, const char* text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, nid, text));
  TUTTI_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void AddText(GENERAL_NAMES* names, int type, const std::string& text) {
  NameHandle name(GENERAL_NAME_new());
  ASN1_IA5STRING* const value = ASN1_IA5STRING_new();
  TUTTI_CHECK(name != nullptr && value != nullptr);
  TUTTI_CHECK(ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1);
  GENERAL_NAME_set0_value(name.get(), type, value);
  TUTTI_CHECK(sk_GENERAL_NAME_push(names, name.get()) > 0);
  static_cast<void>(name.release());  // the list owns it now
}

Status AddDns(GENERAL_NAMES* names, const std::string& dns) {
  const bool usable = std::all_of(dns.begin(), dns.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '*' || c == '_';
  });
  if (dns.empty() || dns.size() > 253 || !usable) {
    return InvalidArgument(Join("server name \"", Escaped(dns), "\" is not a DNS name"));
  }
  AddText(names, GEN_DNS, dns);
  return OkStatus();
}

Status AddIp(GENERAL_NAMES* names, const std::string& ip) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(ip.c_str());
  if (address == nullptr || ip.find('\0') != std::string::npos) {
    ASN1_OCTET_STRING_free(address);
    static_cast<void>(OpenSslReason());
    return InvalidArgument(
        Join("server address \"", Escaped(ip), "\" is not an IPv4 or IPv6 address"));
  }
  NameHandle name(GENERAL_NAME_new());
  TUTTI_CHECK(name != nullptr);
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
  TUTTI_CHECK(sk_GENERAL_NAME_push(names, name.get()) > 0);
  static_cast<void>(name.release());  // the list owns it now
  return OkStatus();
}

Status AddAlternativeNames(X509* certificate, const IssueSettings& settings) {
  const NamesHandle names(sk_GENERAL_NAME_new_null());
  TUTTI_CHECK(names != nullptr);
  if (!settings.role.empty()) {
    AddText(names.get(), GEN_URI, std::string(kRolePrefix) + settings.role);
  }
  for (const std::string& dns : settings.server_names.dns) {
    TUTTI_TRY(AddDns(names.get(), dns));
  }
  for (const std::string& ip : settings.server_names.ip) {
    TUTTI_TRY(AddIp(names.get(), ip));
  }
  if (sk_GENERAL_NAME_num(names.get()) > 0) {
    TUTTI_CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
  }
  return OkStatus();
}

void SignCertificate(X509* certificate, const Ed25519Private& key) {
  const PkeyHandle signer = PrivatePkey(EVP_PKEY_ED25519, key.view().data());
  // Ed25519 brings its own digest.
  TUTTI_CHECK(X509_sign(certificate, signer.get(), nullptr) > 0);
}

// The parsed CA certificate, once it is known to be one, to be this key's and to be valid at `now`.
StatusOr<X509Handle> CheckedCa(const Ed25519Private& ca_key, std::string_view ca_pem,
                               WallSeconds now) {
  TUTTI_ASSIGN(X509Handle ca, ParseCertificatePem(ca_pem));
  TUTTI_ASSIGN(const CertificateInfo info, InfoOf(ca.get()));
  if (!info.is_ca) {
    return FailedPrecondition(
        "the issuing certificate is not a CA's; give the CA certificate made by init");
  }
  if (info.public_key != Ed25519PublicOf(ca_key)) {
    return FailedPrecondition(
        "the CA key does not belong to the CA certificate; give the pair made together");
  }
  if (now < info.not_before || now >= info.not_after) {
    return FailedPrecondition(
        "the CA certificate is not valid now; check the clock or make a new CA");
  }
  return ca;
}

}  // namespace

StatusOr<std::string> NewCaCertificatePem(const KeyPair& ca, std::string_view name, WallSeconds now,
                                          int days) {
  TUTTI_TRY(CheckCommonName(name));
  TUTTI_TRY(CheckPeriod(now, days));
  const X509Handle certificate =
      NewCertificate(now - kClockSkewSeconds, now + days * kSecondsPerDay);
  X509* const raw = certificate.get();
  SetCommonName(X509_get_subject_name(raw), std::string(name));
  TUTTI_CHECK(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1);
  const PkeyHandle key = PublicPkey(EVP_PKEY_ED25519, ca.public_key.data());
  TUTTI_CHECK(X509_set_pubkey(raw, key.get()) == 1);
  AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign");
  AddExtension(raw, raw, NID_subject_key_identifier, "hash");
  SignCertificate(raw, ca.key);
  return CertificatePem(raw);
}

StatusOr<std::string> NewRequestPem(const KeyPair& subject, std::string_view name) {
  TUTTI_TRY(CheckCommonName(name));
  const RequestHandle request(X509_REQ_new());
  TUTTI_CHECK(request != nullptr && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  SetCommonName(X509_REQ_get_subject_name(request.get()), std::string(name));
  const PkeyHandle key = PrivatePkey(EVP_PKEY_ED25519, subject.key.view().data());
  TUTTI_CHECK(X509_REQ_set_pubkey(request.get(), key.get()) == 1);
  TUTTI_CHECK(X509_REQ_sign(request.get(), key.get(), nullptr) > 0);
  const BioHandle bio = MemoryBio();
  TUTTI_CHECK(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return WrittenText(bio.get());
}

StatusOr<std::string> IssueFromRequest(const Ed25519Private& ca_key, std::string_view ca_pem,
                                       std::string_view request_pem,
                                       const IssueSettings& settings) {
  TUTTI_ASSIGN(const Ed25519Public subject, RequestPublicKey(request_pem));
  IssueSettings named = settings;
  if (named.name.empty()) {
    TUTTI_ASSIGN(const RequestHandle request, ParseRequestPem(request_pem));
    named.name = CommonName(X509_REQ_get_subject_name(request.get()));
  }
  return IssueForKey(ca_key, ca_pem, subject, named);
}

StatusOr<std::string> IssueForKey(const Ed25519Private& ca_key, std::string_view ca_pem,
                                  const Ed25519Public& subject, const IssueSettings& settings) {
  if (!IsSafeName(settings.name)) {
    return InvalidArgument(Join("certificate name \"", Escaped(settings.name),
                                "\" is not usable, expected 1 to 64 of a-z, 0-9, '.', '_' and '-', "
                                "starting with a letter or digit"));
  }
  TUTTI_TRY(CheckRole(settings.role));
  TUTTI_TRY(CheckPeriod(settings.now, settings.days));
  TUTTI_ASSIGN(const X509Handle ca, CheckedCa(ca_key, ca_pem, settings.now));
  TUTTI_ASSIGN(const CertificateInfo ca_info, InfoOf(ca.get()));
  if (subject == ca_info.public_key) {
    return InvalidArgument(
        "the CA's own key cannot get a certificate for a program; make another key");
  }
  const X509Handle certificate =
      NewCertificate(settings.now - kClockSkewSeconds,
                     std::min(settings.now + settings.days * kSecondsPerDay, ca_info.not_after));
  X509* const raw = certificate.get();
  SetCommonName(X509_get_subject_name(raw), settings.name);
  TUTTI_CHECK(X509_set_issuer_name(raw, X509_get_subject_name(ca.get())) == 1);
  const PkeyHandle key = PublicPkey(EVP_PKEY_ED25519, subject.data());
  TUTTI_CHECK(X509_set_pubkey(raw, key.get()) == 1);
  AddExtension(raw, ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(raw, ca.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(raw, ca.get(), NID_ext_key_usage,
               settings.role == "server" ? "serverAuth,clientAuth" : "clientAuth");
  AddExtension(raw, ca.get(), NID_subject_key_identifier, "hash");
  if (X509_get0_subject_key_id(ca.get()) != nullptr) {  // a CA made elsewhere may have none
    AddExtension(raw, ca.get(), NID_authority_key_identifier, "keyid");
  }
  TUTTI_TRY(AddAlternativeNames(raw, settings));
  SignCertificate(raw, ca_key);
  return CertificatePem(raw);
}

}  // namespace tutti::crypto
