// Who stands behind a join at level malicious: an enrolled client that may train.
// Thread safety: as the verifier.
#pragma once

#include <set>
#include <string>

#include "common/crypto/certificate.h"

namespace tutti::secagg {

struct Signer {
  std::string name;
  crypto::Ed25519Public key{};
  Digest identity{};  // SHA-256 of the certificate's public key
};

// Unauthenticated, or as the verifier, when the certificate is not one of a trainer. A certificate
// of another role must not count: the coordinator's own would let it sit in its own cohort.
StatusOr<Signer> VerifySigner(crypto::PeerVerifier& verifier, BytesView certificate);

// Counts every enrolled client once, however many places it takes.
class DistinctSigners {
 public:
  // False, and nothing is remembered, when the name or the key was seen before.
  bool Add(const Signer& signer);

 private:
  std::set<std::string> names_;
  std::set<Digest> identities_;
};

}  // namespace tutti::secagg
