#include "common/secagg/shamir.h"

#include <array>
#include <cstring>

#include "common/base/text.h"

namespace tutti::secagg {
namespace {

// 32 field elements in four words. Plain, so that it stays in registers; what lies in memory longer
// is wiped by hand.
struct Elements {
  std::array<std::uint64_t, 4> words{};
};

Elements Load(const Secret32& secret) {
  Elements e;
  std::memcpy(e.words.data(), secret.view().data(), sizeof e.words);
  return e;
}

Secret32 Store(const Elements& e) {
  Secret32 secret;
  std::memcpy(secret.mutable_view().data(), e.words.data(), sizeof e.words);
  return secret;
}

void Add(Elements& to, const Elements& from) {
  for (std::size_t i = 0; i < 4; ++i) {
    to.words[i] ^= from.words[i];
  }
}

// Every byte times x: a shift, and the field's polynomial where a bit fell out.
void Double(Elements& e) {
  for (std::uint64_t& word : e.words) {
    const std::uint64_t carry = (word >> 7) & 0x0101010101010101ULL;
    word = ((word & 0x7f7f7f7f7f7f7f7fULL) << 1) ^ (carry * 0x1b);
  }
}

// Secret elements times a public factor: the branches depend on the factor alone.
Elements Times(Elements e, std::uint8_t factor) {
  Elements product;
  for (; factor != 0; factor = static_cast<std::uint8_t>(factor >> 1)) {
    if ((factor & 1) != 0) {
      Add(product, e);
    }
    Double(e);
  }
  return product;
}

// Logarithms to the base 3, a generator; indexed by public points only.
struct Tables {
  std::array<std::uint8_t, 256> log{};
  std::array<std::uint8_t, 255> power{};
};

constexpr Tables MakeTables() {
  Tables tables;
  unsigned value = 1;
  for (unsigned i = 0; i < 255; ++i) {
    tables.power[i] = static_cast<std::uint8_t>(value);
    tables.log[value] = static_cast<std::uint8_t>(i);
    value ^= (value << 1) ^ ((value & 0x80) != 0 ? 0x11bU : 0U);
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

// Lagrange's factor at 0 for share `which`: the product over the others of x_m / (x_m + x_which).
std::uint8_t FactorAtZero(std::span<const SecretShare> shares, std::size_t which) {
  unsigned log = 0;
  for (std::size_t m = 0; m < shares.size(); ++m) {
    if (m != which) {
      const auto difference = static_cast<std::uint8_t>(shares[m].point ^ shares[which].point);
      log += 255U + kTables.log[shares[m].point] - kTables.log[difference];
    }
  }
  return kTables.power[log % 255];
}

}  // namespace

std::vector<Secret32> SplitSecret(const Secret32& secret, std::uint32_t threshold,
                                  std::uint32_t count, SecureRng& rng) {
  TUTTI_CHECK(threshold >= 1 && threshold <= count && count <= 254);
  std::vector<Elements> coefficients(threshold);
  coefficients[0] = Load(secret);
  for (std::uint32_t i = 1; i < threshold; ++i) {
    Secret32 random;
    rng.Fill(random.mutable_view());
    coefficients[i] = Load(random);
  }
  std::vector<Secret32> shares;
  shares.reserve(count);
  for (std::uint32_t point = 1; point <= count; ++point) {
    Elements value = coefficients[threshold - 1];
    for (std::uint32_t i = threshold - 1; i > 0; --i) {  // Horner
      value = Times(value, static_cast<std::uint8_t>(point));
      Add(value, coefficients[i - 1]);
    }
    shares.push_back(Store(value));
  }
  Wipe(coefficients.data(), coefficients.size() * sizeof(Elements));
  return shares;
}

StatusOr<Secret32> RebuildSecret(std::span<const SecretShare> shares) {
  if (shares.empty()) {
    return InvalidArgument("no share to rebuild a secret from, expected at least 1");
  }
  std::array<bool, 256> seen{};
  for (const SecretShare& share : shares) {
    if (share.point == 0 || seen[share.point]) {
      return InvalidArgument(
          Join("a share's point ", unsigned{share.point},
               " is 0 or appears twice, expected distinct points from 1 to 255"));
    }
    seen[share.point] = true;
  }
  Elements secret;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Add(secret, Times(Load(shares[i].value), FactorAtZero(shares, i)));
  }
  Secret32 rebuilt = Store(secret);
  Wipe(&secret, sizeof secret);
  return rebuilt;
}

}  // namespace tutti::secagg
