#include "server/rpc/identity.h"

#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::rpc {
namespace {
constexpr std::size_t kMostParsed = 20'000;  // certificates remembered, about 300 bytes each
constexpr char kClientMetadata[] = "tutti-client";
}  // namespace

StatusOr<crypto::CertificateInfo> Identity::CertificateOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr) {
    return Unauthenticated("the connection has no certificate");
  }
  const auto pems = auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pems.size() != 1) {
    return Unauthenticated(
        "the connection has no client certificate; join first: tutti-client join");
  }
  const std::string_view pem(pems[0].data(), pems[0].size());
  const std::string key(AsText(crypto::Sha256(AsBytes(pem))));
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = parsed_.find(key); found != parsed_.end()) {
      return found->second;
    }
  }
  StatusOr<crypto::CertificateInfo> certificate = crypto::ReadCertificatePem(pem);
  if (!certificate.ok()) {
    return Unauthenticated("the client certificate cannot be read: " +
                           TextOf(certificate.status()));
  }
  const std::lock_guard lock(mutex_);
  if (parsed_.size() >= kMostParsed) {
    parsed_.clear();
  }
  parsed_.emplace(key, *certificate);
  return certificate;
}

StatusOr<Peer> Identity::FromMetadata(const grpc::ServerContextBase& context) const {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kClientMetadata);
  if (found == metadata.end()) {
    return Unauthenticated("metadata tutti-client with the client's name is missing");
  }
  const std::string name(found->second.data(), found->second.size());
  if (!IsSafeName(name)) {
    return InvalidArgument(
        Join("client name \"", Escaped(name, 80), "\" is not 1 to 64 of a-z 0-9 . _ -"));
  }
  return Peer{.name = ClientId(name), .role = ""};
}

StatusOr<Peer> Identity::FromCertificate(const crypto::CertificateInfo& certificate) const {
  const auto entry = directory_.Find(certificate.spki_sha256);
  if (!entry) {
    return Unauthenticated(Join("the key of client \"", Escaped(certificate.name, 80),
                                "\" is not enrolled here; join again with a new token"));
  }
  if (entry->revoked) {
    return PermissionDenied(Join("client ", entry->name, " is revoked; ask the operator"));
  }
  // The record can take rights away, never add any to what the certificate says.
  if (entry->role != certificate.role || entry->name != certificate.name) {
    return PermissionDenied(Join("client ", entry->name,
                                 " has another name or role on record than in "
                                 "its certificate; join again with a new token"));
  }
  return Peer{.name = ClientId(entry->name), .role = entry->role};
}

StatusOr<Peer> Identity::Of(const grpc::ServerContextBase& context) {
  if (insecure_) {
    return FromMetadata(context);
  }
  TUTTI_ASSIGN(const crypto::CertificateInfo certificate, CertificateOf(context));
  return FromCertificate(certificate);
}

StatusOr<Peer> Identity::OfNewStream(const grpc::ServerContextBase& context) {
  if (insecure_) {
    return FromMetadata(context);
  }
  TUTTI_ASSIGN(const crypto::CertificateInfo certificate, CertificateOf(context));
  if (clock_.Wall() >= certificate.not_after) {
    return Unauthenticated(Join("the certificate of client ", Escaped(certificate.name, 80),
                                " has expired; join again with a new token"));
  }
  return FromCertificate(certificate);
}

}  // namespace tutti::rpc
