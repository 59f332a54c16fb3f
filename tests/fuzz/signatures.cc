// Signatures as a peer may send them, in batches and one by one: both must refuse the same ones.
// (What only a batch accepts needs a signature made for it; tests/unit/crypto makes those.)
#include <vector>

#include "common/crypto/ed25519_batch.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

using crypto::SignedMessage;

SignedMessage Honest(std::uint8_t signer, BytesView message) {
  Secret32 key;
  key.mutable_view()[0] = signer;
  return {.key = crypto::Ed25519PublicOf(key),
          .message = message,
          .signature = crypto::Sign(key, message)};
}

void Spoil(SignedMessage& one, Source& source) {
  const std::span<std::uint8_t> signature(one.signature);
  switch (source.U8() % 6) {
    case 1:
      source.Fill(one.key);
      break;
    case 2:
      source.Fill(signature.first(32));
      break;
    case 3:
      source.Fill(signature.last(32));
      break;
    case 4:
      signature[source.Below(64)] ^= static_cast<std::uint8_t>(1 + source.U8() % 255);
      break;
    case 5:
      one.key[source.Below(32)] ^= static_cast<std::uint8_t>(1 + source.U8() % 255);
      break;
    default:
      break;
  }
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  fuzz::Source source(BytesView(data, size));
  std::vector<crypto::SignedMessage> batch;
  const std::size_t count = source.U8() % 24U;
  while (batch.size() < count) {
    const std::uint8_t signer = source.U8();
    batch.push_back(fuzz::Honest(signer, source.Take(source.U8() % 64U)));
    fuzz::Spoil(batch.back(), source);
  }
  std::vector<std::size_t> bad;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!crypto::Verify(batch[i].key, batch[i].message, batch[i].signature)) bad.push_back(i);
  }
  fuzz::Expect(crypto::BadSignatures(batch) == bad, "a batch refuses what single checks refuse");
  return 0;
}
