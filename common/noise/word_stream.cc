#include "common/noise/word_stream.h"

#include "common/base/secret.h"

namespace tutti::noise {
namespace {

crypto::AesCtrStream FreshStream(SecureRng& rng) {
  Secret32 key;
  rng.Fill(key.mutable_view());
  return crypto::AesCtrStream(key);
}

}  // namespace

WordStream::WordStream(SecureRng& rng) : stream_(FreshStream(rng)) {}

WordStream::~WordStream() { Wipe(words_.data(), sizeof(words_)); }

void WordStream::Fill(std::span<std::uint64_t> words) {
  stream_.Fill({reinterpret_cast<std::uint8_t*>(words.data()), words.size_bytes()});
}

std::uint64_t WordStream::Next() {
  if (next_ == words_.size()) {
    Fill(words_);
    next_ = 0;
  }
  return words_[next_++];
}

}  // namespace tutti::noise
