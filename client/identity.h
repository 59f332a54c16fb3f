// Who this device is: the files `tutti-client join` leaves in the state folder, read and checked
// before anything starts.
//   pki/client.key    own Ed25519 key, PKCS#8 PEM, mode 0600
//   pki/client.pem    certificate the coordinator's CA issued for it
//   pki/ca.pem        that CA, pinned by the join token's fingerprint
//   server.address    host:port of the coordinator, one line
// Thread safety: value types and functions of the files.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/crypto/certificate.h"

namespace tutti::client {

struct Identity {
  std::string name;
  std::string role;  // the certificate's
  std::string ca_pem, certificate_pem, key_pem;
  crypto::Ed25519Private key;
  Bytes certificate_der;
  std::string ca_fingerprint;  // SHA-256 of the CA's DER, hex
  WallSeconds not_after = 0;
};

struct IdentityPaths {
  explicit IdentityPaths(const std::string& state_directory);
  std::string folder, key, certificate, ca, server;
};

// NotFound with the command to run when the device has not joined; PermissionDenied when others may
// read the key; FailedPrecondition when the files do not fit together or the certificate is not
// valid at `now`.
StatusOr<Identity> LoadIdentity(const std::string& state_directory, WallSeconds now);
// For plain text on loopback: the state folder's own name, which must be a safe name.
StatusOr<Identity> InsecureIdentity(const std::string& state_directory, const std::string& role);

// What the join token said. NotFound when the device has not joined.
StatusOr<std::string> LoadServerAddress(const std::string& state_directory);

// "2027-01-31 12:00 UTC".
std::string DateText(WallSeconds time);

}  // namespace tutti::client
