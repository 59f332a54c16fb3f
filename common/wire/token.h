// The join token an operator hands to a new client: where to enrol, where to work, whose CA to
// expect, and a secret that works once. Text: "tutti1." and base64url of a canonical encoding with
// a checksum, so a cut or mistyped token is recognised before anything is sent. Thread safety:
// value type and pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::wire {

struct JoinToken {
  std::string enrolment_address;  // host:port
  std::string address;            // host:port of the coordinator service
  Digest ca_sha256{};             // SHA-256 of the CA certificate's DER
  ByteArray<32> secret{};
  bool operator==(const JoinToken&) const = default;
};

std::string EncodeToken(const JoinToken& token);
// InvalidArgument saying what is wrong: not a token, another version, cut off or mistyped.
StatusOr<JoinToken> DecodeToken(std::string_view text);

}  // namespace tutti::wire
