// A coordinator that shows one client another model than the rest would get everyone's sum without
// that client's part, and so the part itself (Pasquini et al. 2022, "Eluding Secure Aggregation").
// Here every mask is bound to the model, so what it gets is noise.
#include <array>

#include "common/crypto/mask_stream.h"
#include "common/secagg/binding.h"
#include "tests/catch.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kLanes = 1 << 16;

// Two clients with the same keys and the same roster; each masks for the model it was shown. The
// sum of their vectors, which hold 5 and 7 everywhere.
std::vector<std::uint32_t> SumOf(const RoundConfig& shown_to_one,
                                 const RoundConfig& shown_to_other) {
  SeededSecureRng rng(17);
  const crypto::X25519Private one = crypto::NewX25519Key(rng);
  const crypto::X25519Private other = crypto::NewX25519Key(rng);
  const Digest root{1};
  const auto seed = [&](const RoundConfig& config, const Secret32& agreed) {
    return PairMaskSeed(PairSecret(SessionId(ConfigHash(config), root, 2), agreed), 0, 1);
  };
  std::vector<std::uint32_t> sum(kLanes, 5 + 7);
  const auto agreed = crypto::Agree(one, crypto::PublicOf(other));
  const auto agreed_by_other = crypto::Agree(other, crypto::PublicOf(one));
  crypto::AddMask(crypto::MaskKey(seed(shown_to_one, *agreed)), std::span(sum), 0, false);
  crypto::AddMask(crypto::MaskKey(seed(shown_to_other, *agreed_by_other)), std::span(sum), 0, true);
  return sum;
}

}  // namespace

TEST_CASE("clients that were shown different models leave noise in the sum, not a victim",
          "[secagg]") {
  const RoundConfig model = SmallConfig(ThreatLevel::kMalicious, 4, kLanes);
  REQUIRE(SumOf(model, model) == std::vector<std::uint32_t>(kLanes, 12));
  for (const int what : {0, 1, 2}) {
    RoundConfig other = model;
    Digest& hash = what == 0 ? other.model_hash : what == 1 ? other.task_hash : other.server_nonce;
    hash[31] ^= 1;
    const std::vector<std::uint32_t> sum = SumOf(model, other);
    // Chi-square of the byte values: with 255 degrees of freedom 357 is exceeded by a uniform
    // source with probability 2.5e-5; the seed is fixed.
    std::array<double, 256> counts{};
    for (const std::uint32_t lane : sum) {
      for (int shift = 0; shift < 32; shift += 8) ++counts[(lane >> shift) & 0xff];
    }
    const double expected = 4.0 * kLanes / 256;
    double chi_square = 0;
    for (const double count : counts) {
      chi_square += (count - expected) * (count - expected) / expected;
    }
    INFO("changed " << what << ", chi-square " << chi_square);
    REQUIRE(chi_square < 357);
  }
}

}  // namespace tutti::secagg
