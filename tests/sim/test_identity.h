// Identities for tests of the protocol cores: real Ed25519 keys, certificates that are just name
// and key. What a certificate proves is tests/unit/crypto's subject; here it only has to say who
// signed. Thread safety: value types; TestVerifier is stateless and safe.
#pragma once

#include <string>
#include <string_view>

#include "common/crypto/certificate.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/secagg/client_session.h"

namespace tutti::testing {

// A reproducible generator of key material: one stream for each (seed, purpose). Tests only.
inline crypto::AesCtrStream SeededRng(std::uint64_t seed, std::string_view purpose) {
  ByteWriter label;
  label.Text("tutti.test");
  label.U64(seed);
  label.Text(purpose);
  const Digest digest = crypto::Sha256(label.bytes());
  return crypto::AesCtrStream(Secret32(std::span<const std::uint8_t, 32>(digest)));
}

class TestVerifier final : public crypto::PeerVerifier {
 public:
  StatusOr<crypto::CertificateInfo> Verify(BytesView der) override {
    ByteReader reader(der);
    crypto::CertificateInfo info;
    info.name = reader.Text(64);
    info.role = "trainer";
    TUTTI_ASSIGN(info.public_key, ToArray<32>(reader.Raw(32), "test certificate's key"));
    if (!reader.ok() || !reader.AtEnd()) {
      return Unauthenticated("not a test certificate");
    }
    info.spki_sha256 = crypto::Sha256(info.public_key);
    return info;
  }
};

inline secagg::ClientIdentity NewIdentity(std::string_view name, SecureRng& rng) {
  secagg::ClientIdentity identity;
  identity.signing_key = crypto::NewEd25519Key(rng);
  ByteWriter certificate;
  certificate.Text(name);
  certificate.Raw(crypto::Ed25519PublicOf(identity.signing_key));
  identity.certificate = certificate.Take();
  return identity;
}

}  // namespace tutti::testing
