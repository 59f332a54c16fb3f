// X.509 for one private CA: Ed25519 keys, PEM and DER, issuing from a CSR, verifying against the
// pinned CA. Certificates say who a client is (common name) and what it may do (role); the
// coordinator's own record can take rights away (revocation), never add any. Thread safety: value
// types; PeerVerifier implementations say so.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/crypto/keys.h"

namespace tutti::crypto {

struct KeyPair {
  Ed25519Private key;
  Ed25519Public public_key{};
};

struct CertificateInfo {
  std::string name;  // common name
  std::string
      role;  // URI SAN "tutti:role:<role>": trainer | evaluator | operator | server; empty: none
  Ed25519Public public_key{};
  Digest spki_sha256{};  // SHA-256 of the SubjectPublicKeyInfo: the identity
  WallSeconds not_before = 0;
  WallSeconds not_after = 0;
  bool is_ca = false;
};

struct ServerNames {
  std::vector<std::string> dns;
  std::vector<std::string> ip;
};

KeyPair NewKeyPair(SecureRng& rng);
std::string PrivateKeyPem(const Ed25519Private& key);  // PKCS#8, unencrypted
StatusOr<Ed25519Private> PrivateKeyFromPem(std::string_view pem);

// A self-signed CA, valid `days` from `now` (back-dated one hour for clock skew).
StatusOr<std::string> NewCaCertificatePem(const KeyPair& ca, std::string_view name, WallSeconds now,
                                          int days);
StatusOr<std::string> NewRequestPem(const KeyPair& subject, std::string_view name);  // PKCS#10

struct IssueSettings {
  std::string name;  // overrides the request's
  std::string role;
  ServerNames server_names;  // role server: subject alternative names
  WallSeconds now = 0;
  int days = 365;
};
// Checks the request's own signature and that its key is Ed25519, then signs. InvalidArgument on a
// bad request.
StatusOr<std::string> IssueFromRequest(const Ed25519Private& ca_key, std::string_view ca_pem,
                                       std::string_view request_pem, const IssueSettings& settings);
StatusOr<std::string> IssueForKey(const Ed25519Private& ca_key, std::string_view ca_pem,
                                  const Ed25519Public& subject, const IssueSettings& settings);

StatusOr<CertificateInfo> ReadCertificatePem(std::string_view pem);
StatusOr<CertificateInfo> ReadCertificateDer(BytesView der);
StatusOr<Ed25519Public> RequestPublicKey(
    std::string_view request_pem);  // checks the request's signature
StatusOr<Bytes> CertificateDer(std::string_view pem);
StatusOr<Digest> CertificateSha256(
    std::string_view pem);  // SHA-256 of the DER: the CA fingerprint in join tokens

// A certificate for a client: signed by `ca_pem`, valid at `now`, not a CA.
// Unauthenticated with the reason otherwise.
StatusOr<CertificateInfo> VerifyCertificate(std::string_view ca_pem, BytesView der,
                                            WallSeconds now);

// Who a roster entry's certificate belongs to. Cores get it as an argument.
class PeerVerifier {
 public:
  virtual ~PeerVerifier() = default;
  virtual StatusOr<CertificateInfo> Verify(BytesView der) = 0;
};

// Verifies against one pinned CA and remembers up to `capacity` good certificates by hash.
// Thread safety: confined to one thread. `clock` is borrowed.
class CachingVerifier final : public PeerVerifier {
 public:
  CachingVerifier(std::string ca_pem, const Clock& clock, std::size_t capacity = 4096);
  ~CachingVerifier() override;
  StatusOr<CertificateInfo> Verify(BytesView der) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Connects to host:port with TLS 1.3, takes the chain the server shows WITHOUT trusting it and
// returns the PEM of the certificate whose SHA-256 is `fingerprint`. NotFound when the chain has
// none: someone else answers there. Unavailable when nobody answers within `timeout_milliseconds`.
StatusOr<std::string> FetchPinnedCa(std::string_view host_port, const Digest& fingerprint,
                                    int timeout_milliseconds);

}  // namespace tutti::crypto
