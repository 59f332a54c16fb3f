// The coordinator's keys and certificates in <state>/pki: ca.pem, ca.key, server.pem, server.key,
// operator.pem, operator.key. Keys have mode 0600. Thread safety: pure functions over files; one
// process at a time (the state directory's lock).
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/crypto/certificate.h"
#include "server/rpc/enrolment_service.h"

namespace tutti::server {

struct Pki {
  rpc::Authority authority;
  crypto::CertificateInfo ca;
  Digest ca_sha256{};
  std::string server_pem;
  std::string server_key_pem;
};

struct InitSettings {
  std::string state_directory;
  std::vector<std::string> public_names;
  std::string ca_certificate_file;  // empty: make a CA
  std::string ca_key_file;
};

// Names and addresses clients use: the configured ones, this machine's host name, localhost,
// 127.0.0.1 and ::1.
crypto::ServerNames NamesFor(const std::vector<std::string>& public_names);

// Makes everything. AlreadyExists when there is a CA: nothing is changed then. Gives the operator's
// certificate.
StatusOr<crypto::CertificateInfo> InitPki(const InitSettings& settings, const Clock& clock,
                                          SecureRng& rng);

// Reads CA and server key, checks their modes (PermissionDenied) and that they belong together, and
// issues a fresh server certificate for today's names. NotFound says how to make them.
StatusOr<Pki> LoadPki(const std::string& state_directory,
                      const std::vector<std::string>& public_names, const Clock& clock);

}  // namespace tutti::server
