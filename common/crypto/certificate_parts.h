// What the certificate files share: PEM in and out, names, times, the SubjectPublicKeyInfo.
// Internal to common/crypto. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/crypto/certificate.h"
#include "common/crypto/openssl_handles.h"

namespace tutti::crypto {

inline constexpr std::string_view kRolePrefix = "tutti:role:";
inline constexpr std::size_t kLargestCertificate = 64 * 1024;  // bytes, as DER or PEM
inline constexpr std::int64_t kClockSkewSeconds = 3600;

// The newest entry of OpenSSL's error queue as text, for our own error texts; empties the queue.
std::string OpenSslReason();

// A fresh memory buffer; one that reads `text` (borrowed); what was written to one.
BioHandle MemoryBio();
BioHandle ReadingBio(std::string_view text);
std::string WrittenText(BIO* bio);

// InvalidArgument when the text holds no certificate or request, or is larger than
// kLargestCertificate.
StatusOr<X509Handle> ParseCertificatePem(std::string_view pem);
StatusOr<X509Handle> ParseCertificateDer(BytesView der);
StatusOr<RequestHandle> ParseRequestPem(std::string_view pem);

std::string CertificatePem(X509* certificate);
Bytes CertificateToDer(X509* certificate);

// The common name; empty when there is none, several, or one with bytes outside printable ASCII.
std::string CommonName(const X509_NAME* name);

// InvalidArgument naming `what` when the key is not Ed25519.
StatusOr<Ed25519Public> Ed25519Of(EVP_PKEY* key, std::string_view what);

StatusOr<CertificateInfo> InfoOf(X509* certificate);

}  // namespace tutti::crypto
