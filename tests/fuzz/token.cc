// A join token as someone pastes it. The first byte chooses: the text as it is, or the bytes with
// the right checksum, so that mutations get past it.
#include "common/wire/token.h"
#include "common/crypto/hash.h"
#include "tests/fuzz/target.h"

namespace {

std::string WithChecksum(tutti::BytesView body) {
  tutti::Bytes bytes = tutti::ToBytes(body);
  const tutti::Digest digest = tutti::crypto::Sha256(body);
  bytes.insert(bytes.end(), digest.begin(), digest.begin() + 4);
  return "tutti1." + tutti::ToBase64Url(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  const StatusOr<wire::JoinToken> token =
      wire::DecodeToken(choice % 2 == 0 ? ToString(bytes) : WithChecksum(bytes));
  if (token.ok()) {
    const StatusOr<wire::JoinToken> again = wire::DecodeToken(wire::EncodeToken(*token));
    fuzz::Expect(again.ok() && *again == *token, "a token survives being written");
  }
  return 0;
}
