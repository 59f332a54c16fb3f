// Secret sharing with any parameters, and shares from anywhere.
#include <array>
#include <vector>

#include "common/secagg/shamir.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

using secagg::SecretShare;

class SourceRng final : public SecureRng {
 public:
  explicit SourceRng(Source& source) : source_(source) {}
  void Fill(std::span<std::uint8_t> out) override { source_.Fill(out); }

 private:
  Source& source_;
};

Secret32 TakeSecret(Source& source) {
  Secret32 secret;
  source.Fill(secret.mutable_view());
  return secret;
}

Secret32 Plus(const Secret32& one, const Secret32& other) {
  Secret32 sum;
  for (std::size_t i = 0; i < 32; ++i) {
    sum.mutable_view()[i] = one.view()[i] ^ other.view()[i];
  }
  return sum;
}

bool Same(const Secret32& one, const Secret32& other) {
  return EqualInConstantTime(one.view(), other.view());
}

// Any threshold of the shares, in any order, give the secret.
void SplitAndRebuild(Source& source) {
  const std::uint32_t count = 1 + source.U8() % 254U;
  const auto threshold = static_cast<std::uint32_t>(1 + source.Below(count));
  const Secret32 secret = TakeSecret(source);
  SourceRng rng(source);
  const std::vector<Secret32> shares = secagg::SplitSecret(secret, threshold, count, rng);
  Expect(shares.size() == count, "one share a holder");
  std::vector<SecretShare> kept;
  for (std::uint32_t i = 0; i < count; ++i) {
    kept.push_back({.point = static_cast<std::uint8_t>(i + 1), .value = shares[i]});
  }
  for (std::size_t i = kept.size(); i > 1; --i) {
    std::swap(kept[i - 1], kept[source.Below(i)]);
  }
  kept.resize(threshold + source.Below(count - threshold + 1));
  const StatusOr<Secret32> rebuilt = secagg::RebuildSecret(kept);
  Expect(rebuilt.ok() && Same(*rebuilt, secret), "any threshold of the shares gives the secret");

  // One wrong share never goes unnoticed by the owner's commitment: the secret is another.
  kept.resize(threshold);
  kept[source.Below(threshold)].value.mutable_view()[source.U8() % 32] ^=
      static_cast<std::uint8_t>(1 + source.U8() % 255);
  Expect(!Same(*secagg::RebuildSecret(kept), secret), "a wrong share gives another secret");
}

// Shares a peer sends: refused or some secret; the sum of shares gives the sum of secrets.
void RebuildAnything(Source& source) {
  std::vector<SecretShare> one(source.U8() % 40), other;
  bool distinct = true;
  std::array<bool, 256> seen{};
  for (SecretShare& share : one) {
    share.point = source.U8();
    share.value = TakeSecret(source);
    distinct = distinct && share.point != 0 && !seen[share.point];
    seen[share.point] = true;
  }
  for (const SecretShare& share : one) {
    other.push_back({.point = share.point, .value = TakeSecret(source)});
  }
  const StatusOr<Secret32> secret = secagg::RebuildSecret(one);
  Expect(secret.ok() == (distinct && !one.empty()), "points are distinct and none is 0");
  if (!secret.ok()) return;
  std::vector<SecretShare> sum = one;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i].value = Plus(one[i].value, other[i].value);
  }
  Expect(Same(*secagg::RebuildSecret(sum), Plus(*secret, *secagg::RebuildSecret(other))),
         "rebuilding is linear");
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [choice, bytes] = tutti::fuzz::Choose(data, size);
  tutti::fuzz::Source source(bytes);
  if (choice % 2 == 0) {
    tutti::fuzz::SplitAndRebuild(source);
  } else {
    tutti::fuzz::RebuildAnything(source);
  }
  return 0;
}
