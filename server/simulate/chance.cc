#include "server/simulate/chance.h"

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

namespace tutti::simulate {

crypto::AesCtrStream StreamOf(std::uint64_t seed, std::string_view purpose, std::uint64_t a,
                              std::uint64_t b, std::uint64_t c) {
  ByteWriter label;
  label.Text("tutti insecure simulation");
  label.U64(seed);
  label.Text(purpose);
  label.U64(a);
  label.U64(b);
  label.U64(c);
  const Digest digest = crypto::Sha256(label.bytes());
  return crypto::AesCtrStream(Secret32(std::span<const std::uint8_t, 32>(digest)));
}

double Unit(SecureRng& rng) {
  std::array<std::uint8_t, 8> bytes;
  rng.Fill(bytes);
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return static_cast<double>(word >> 11) * 0x1.0p-53;
}

bool Happens(SecureRng& rng, double probability) { return Unit(rng) < probability; }

double Normal(SecureRng& rng) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Unit(rng)));
  return radius * std::cos(2.0 * std::numbers::pi * Unit(rng));
}

double LogNormal(SecureRng& rng, double median, double spread) {
  return median * std::exp(spread * Normal(rng));
}

}  // namespace tutti::simulate
