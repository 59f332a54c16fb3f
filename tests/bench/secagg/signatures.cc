#include "tests/bench/secagg/signatures.h"

#include <span>

#include "common/crypto/random.h"
#include "tests/bench/secagg/cpu_time.h"

namespace tutti::bench {
namespace {

constexpr std::size_t kMessageBytes = 96;  // about what a commit signs

}  // namespace

SignatureCosts::SignatureCosts(std::size_t most) : messages_(most, Bytes(kMessageBytes)) {
  crypto::SystemRng rng;
  for (Bytes& message : messages_) {
    rng.Fill(message);
    const crypto::Ed25519Private key = crypto::NewEd25519Key(rng);
    signed_.push_back({.key = crypto::Ed25519PublicOf(key),
                       .message = message,
                       .signature = crypto::Sign(key, message)});
  }
}

double SignatureCosts::OneByOne(std::size_t count) const {
  const double seconds = BestSeconds([&] {
    for (const crypto::SignedMessage& one : std::span(signed_).first(count)) {
      TUTTI_CHECK(crypto::Verify(one.key, one.message, one.signature));
    }
  });
  return seconds / static_cast<double>(count);
}

double SignatureCosts::InBatch(std::size_t count) const {
  const double seconds = BestSeconds(
      [&] { TUTTI_CHECK(crypto::BadSignatures(std::span(signed_).first(count)).empty()); });
  return seconds / static_cast<double>(count);
}

}  // namespace tutti::bench
