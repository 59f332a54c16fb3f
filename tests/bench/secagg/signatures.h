// What checking signatures costs, one by one and in batches. Thread safety: value type.
#pragma once

#include <cstddef>
#include <vector>

#include "common/crypto/ed25519_batch.h"

namespace tutti::bench {

class SignatureCosts {
 public:
  explicit SignatureCosts(std::size_t most);
  // CPU seconds of one of `count` signatures by different keys; at most the constructor's number.
  double OneByOne(std::size_t count) const;
  double InBatch(std::size_t count) const;

 private:
  std::vector<Bytes> messages_;
  std::vector<crypto::SignedMessage> signed_;
};

}  // namespace tutti::bench
