#include "common/wire/token.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace tutti::wire {
namespace {

constexpr std::string_view kPrefix = "tutti1.";
constexpr std::size_t kMaxAddress = 260;
constexpr std::size_t kChecksumBytes = 4;

Bytes Checksum(BytesView body) {
  const Digest digest = crypto::Sha256(body);
  return {digest.begin(), digest.begin() + kChecksumBytes};
}

}  // namespace

std::string EncodeToken(const JoinToken& token) {
  ByteWriter writer;
  writer.Text(token.enrolment_address);
  writer.Text(token.address);
  writer.Raw(token.ca_sha256);
  writer.Raw(token.secret);
  Bytes bytes = writer.Take();
  const Bytes checksum = Checksum(bytes);
  bytes.insert(bytes.end(), checksum.begin(), checksum.end());
  return std::string(kPrefix) + ToBase64Url(bytes);
}

StatusOr<JoinToken> DecodeToken(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  if (!text.starts_with(kPrefix)) {
    return InvalidArgument(
        "this is not a join token: it must start with \"tutti1.\"; ask the operator for the output "
        "of "
        "tutti token create");
  }
  const StatusOr<Bytes> bytes = FromBase64Url(text.substr(kPrefix.size()));
  if (!bytes.ok() || bytes->size() < kChecksumBytes || bytes->size() > 1024) {
    return InvalidArgument("the join token is cut off or mistyped; copy it again in full");
  }
  const BytesView body = BytesView(*bytes).first(bytes->size() - kChecksumBytes);
  const BytesView found = BytesView(*bytes).last(kChecksumBytes);
  const Bytes expected = Checksum(body);
  if (!std::equal(found.begin(), found.end(), expected.begin())) {
    return InvalidArgument("the join token is cut off or mistyped; copy it again in full");
  }
  ByteReader reader(body);
  JoinToken token;
  token.enrolment_address = reader.Text(kMaxAddress);
  token.address = reader.Text(kMaxAddress);
  const BytesView fingerprint = reader.Raw(token.ca_sha256.size());
  const BytesView secret = reader.Raw(token.secret.size());
  if (!reader.ok() || !reader.AtEnd()) {
    return InvalidArgument("the join token has an unknown form; was it made by a newer tutti?");
  }
  std::copy(fingerprint.begin(), fingerprint.end(), token.ca_sha256.begin());
  std::copy(secret.begin(), secret.end(), token.secret.begin());
  return token;
}

}  // namespace tutti::wire
