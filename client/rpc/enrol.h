// The one call of a device that has no certificate yet. Thread safety: safe.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::client_rpc {

struct Enrolled {
  std::string certificate_pem;
  std::string ca_pem;
  std::string name;
  std::string role;
};

// Asks the enrolment service at `address` (host:port), which must show a certificate of `ca_pem`,
// to sign `csr_pem`. Errors as enrolment.proto says; Unavailable when nobody answers in 15 s.
StatusOr<Enrolled> Enrol(const std::string& address, const std::string& ca_pem, BytesView token,
                         const std::string& csr_pem, const std::string& name);

}  // namespace tutti::client_rpc
