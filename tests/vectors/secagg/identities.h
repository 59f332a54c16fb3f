// The clients of the vectors at level malicious. Certificates carry random serial numbers, so they
// are made once and kept in certificates.txt: "name role seed-of-the-key certificate", one a line,
// the CA's first. Thread safety: confined to one thread.
#pragma once

#include <string>
#include <vector>

#include "common/crypto/certificate.h"
#include "tests/unit/server/fixed_clock.h"

namespace tutti::vectors {

struct Identity {
  std::string name;
  std::string role;  // of the CA: "ca"
  crypto::Ed25519Private key;
  Bytes certificate;  // DER
};

// What the CA and `clients` clients named client-000, client-001, ... are.
std::vector<Identity> MakeIdentities(std::size_t clients);
std::string WriteIdentities(const std::vector<Identity>& identities);
// InvalidArgument when a line is not what WriteIdentities writes.
StatusOr<std::vector<Identity>> ReadIdentities(std::string_view text);

// Verifies against the first of `identities` at a time within all certificates' validity.
class VectorVerifier final : public crypto::PeerVerifier {
 public:
  explicit VectorVerifier(const std::vector<Identity>& identities);
  StatusOr<crypto::CertificateInfo> Verify(BytesView der) override { return inner_.Verify(der); }

 private:
  test::FixedClock clock_;
  crypto::CachingVerifier inner_;
};

}  // namespace tutti::vectors
