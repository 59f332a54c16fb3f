// A private CA and devices it enrolled, for tests. Thread safety: value types.
#pragma once

#include <string>

#include "client/identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/random.h"

namespace tutti::client {

class TestAuthority {
 public:
  explicit TestAuthority(WallSeconds now) : now_(now), pair_(crypto::NewKeyPair(rng_)) {
    ca_pem_ = crypto::NewCaCertificatePem(pair_, "test ca", now, 10).value();
  }
  const std::string& ca_pem() const { return ca_pem_; }
  std::string Issue(const crypto::KeyPair& device, const std::string& name, const std::string& role,
                    int days = 5) const {
    crypto::IssueSettings settings;
    settings.name = name;
    settings.role = role;
    settings.now = now_;
    settings.days = days;
    return crypto::IssueForKey(pair_.key, ca_pem_, device.public_key, settings).value();
  }
  Identity Enrol(const std::string& name, const std::string& role = "trainer") {
    const crypto::KeyPair device = crypto::NewKeyPair(rng_);
    Identity identity;
    identity.name = name;
    identity.role = role;
    identity.ca_pem = ca_pem_;
    identity.certificate_pem = Issue(device, name, role);
    identity.key_pem = crypto::PrivateKeyPem(device.key);
    identity.key = device.key;
    identity.certificate_der = crypto::CertificateDer(identity.certificate_pem).value();
    identity.ca_fingerprint = ToHex(crypto::CertificateSha256(ca_pem_).value());
    return identity;
  }

 private:
  crypto::SystemRng rng_;
  WallSeconds now_;
  crypto::KeyPair pair_;
  std::string ca_pem_;
};

}  // namespace tutti::client
