#include "common/secagg/signer.h"

#include "common/base/guard.h"
#include "common/base/text.h"

namespace tutti::secagg {

StatusOr<Signer> VerifySigner(crypto::PeerVerifier& verifier, BytesView certificate) {
  TUTTI_ASSIGN(const crypto::CertificateInfo info, verifier.Verify(certificate));
  if (info.role != "trainer" && Guard("signer.role")) {
    return Unauthenticated(Join("certificate of ", Escaped(info.name, 64), " has the role '",
                                Escaped(info.role, 32), "', expected 'trainer'"));
  }
  return Signer{.name = info.name, .key = info.public_key, .identity = info.spki_sha256};
}

bool DistinctSigners::Add(const Signer& signer) {
  const bool new_name = !names_.contains(signer.name) || !Guard("signer.name");
  const bool new_identity = !identities_.contains(signer.identity) || !Guard("signer.identity");
  if (!new_name || !new_identity) {
    return false;
  }
  names_.insert(signer.name);
  identities_.insert(signer.identity);
  return true;
}

}  // namespace tutti::secagg
