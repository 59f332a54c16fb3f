// Who calls, from the TLS certificate alone: parsed once per certificate, then asked of the
// directory at every call, so a revocation counts at once. Thread safety: safe.
#pragma once

#include <mutex>
#include <unordered_map>

#include "common/crypto/certificate.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/ports.h"
#include "server/store/directory.h"

namespace tutti::rpc {

class Identity {
 public:
  // `insecure`: plain text on loopback; then, and only then, metadata "tutti-client" names the
  // caller and the role stays empty. Both references are borrowed.
  Identity(const store::Directory& directory, const Clock& clock, bool insecure)
      : directory_(directory), clock_(clock), insecure_(insecure) {}

  // Unauthenticated: no or unreadable certificate, unknown key. PermissionDenied: revoked, or
  // certificate and record disagree.
  StatusOr<Peer> Of(const grpc::ServerContextBase& context);
  // The same; an expired certificate is Unauthenticated too. A round in progress may still be
  // finished with one, a new stream may not be opened.
  StatusOr<Peer> OfNewStream(const grpc::ServerContextBase& context);
  bool insecure() const { return insecure_; }

 private:
  StatusOr<crypto::CertificateInfo> CertificateOf(const grpc::ServerContextBase& context);
  StatusOr<Peer> FromMetadata(const grpc::ServerContextBase& context) const;
  StatusOr<Peer> FromCertificate(const crypto::CertificateInfo& certificate) const;

  const store::Directory& directory_;
  const Clock& clock_;
  const bool insecure_;
  std::mutex mutex_;
  std::unordered_map<std::string, crypto::CertificateInfo>
      parsed_;  // guarded by mutex_; by SHA-256 of the PEM
};

}  // namespace tutti::rpc
