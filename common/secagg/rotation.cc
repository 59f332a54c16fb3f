#include "common/secagg/rotation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/secagg/rotation_kernel.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kSignWords = 64;  // drawn at a time

Status CheckShape(const RotationShape& shape, std::size_t size) {
  if (shape.block_bits > RotationShape::kMostBlockBits) {
    return InvalidArgument(Join("rotation has blocks of 2^", shape.block_bits,
                                " values, expected at most 2^", RotationShape::kMostBlockBits));
  }
  if (size != shape.padded_values()) {
    return InvalidArgument(Join("rotation of ", shape.values, " values in blocks of 2^",
                                shape.block_bits, " is over ", shape.padded_values(),
                                " values with padding, found ", size));
  }
  return OkStatus();
}

// The signs of all values, in order, times the factor of the values' block.
class Signs {
 public:
  explicit Signs(const ByteArray<32>& public_seed) : stream_(Secret32(public_seed)) {}
  void Apply(std::span<float> block) {
    const auto factor = static_cast<float>(1.0 / std::sqrt(static_cast<double>(block.size())));
    std::array<std::uint64_t, kSignWords> words;
    for (std::size_t at = 0; at < block.size(); at += kSignWords * 64) {
      const auto part = block.subspan(at, std::min(kSignWords * 64, block.size() - at));
      const auto used = std::span(words).first((part.size() + 63) / 64);
      stream_.Fill({reinterpret_cast<std::uint8_t*>(used.data()), used.size_bytes()});
      ScaleWithSigns(part, used, factor);
    }
  }

 private:
  crypto::AesCtrStream stream_;
};

template <typename Work>
void ForEachBlock(const RotationShape& shape, std::span<float> data, Work work) {
  const std::size_t most = std::size_t{1} << shape.block_bits;
  for (std::size_t at = 0; at < data.size(); at += most) {
    work(data.subspan(at, std::min(most, data.size() - at)));
  }
}

}  // namespace

std::uint64_t RotationShape::padded_values() const {
  const std::uint64_t block = std::uint64_t{1} << block_bits;
  const std::uint64_t whole = values & ~(block - 1);
  return whole == values ? whole : whole + std::bit_ceil(values - whole);
}

Status Rotate(const RotationShape& shape, const ByteArray<32>& public_seed, std::span<float> data) {
  TUTTI_TRY(CheckShape(shape, data.size()));
  Signs signs(public_seed);
  ForEachBlock(shape, data, [&signs](std::span<float> block) {
    signs.Apply(block);
    WalshHadamard(block);
  });
  return OkStatus();
}

Status InverseRotate(const RotationShape& shape, const ByteArray<32>& public_seed,
                     std::span<float> data) {
  TUTTI_TRY(CheckShape(shape, data.size()));
  Signs signs(public_seed);
  ForEachBlock(shape, data, [&signs](std::span<float> block) {
    WalshHadamard(block);
    signs.Apply(block);
  });
  return OkStatus();
}

}  // namespace tutti::secagg
