// The proof in unimodal.h, step by step: blocks are drawn with their weights, weights are above the
// target, and keeping compares with the true ratio.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "common/noise/targets.h"
#include "common/noise/unimodal.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::noise {
namespace {

using Make = std::unique_ptr<const Target> (*)(double);

std::unique_ptr<const Target> Gaussian(double sigma) {
  return std::make_unique<GaussianTarget>(sigma);
}
std::unique_ptr<const Target> Laplace(double decay) {
  return std::make_unique<LaplaceTarget>(decay);
}
std::unique_ptr<const Target> Poisson(double mean) { return std::make_unique<PoissonTarget>(mean); }

struct Case {
  Make make;
  double parameter;
};
const std::vector<Case> kCases = {
    {Gaussian, 0.1},    {Gaussian, 0.7}, {Gaussian, 2},    {Gaussian, 37.3}, {Gaussian, 65536},
    {Gaussian, 0x1p40}, {Laplace, 64},   {Laplace, 0.7},   {Laplace, 0.001}, {Laplace, 0x1p-30},
    {Poisson, 0x1p-9},  {Poisson, 0.5},  {Poisson, 1},     {Poisson, 17.3},  {Poisson, 4096},
    {Poisson, 123456},  {Poisson, 5e9},  {Poisson, 0x1p35}};

std::uint64_t WordOf(std::uint64_t column, std::uint64_t threshold) {
  return column | (threshold << UnimodalTable::kColumnBits);
}

}  // namespace

TEST_CASE("blocks are drawn with exactly their weights", "[noise]") {
  for (const Case& c : kCases) {
    const UnimodalTable table(c.make(c.parameter));
    std::vector<std::uint64_t> drawn(std::size_t{1} << UnimodalTable::kColumnBits);
    const auto block_of = [&](std::uint64_t column, std::uint64_t threshold) {
      return table.Propose(WordOf(column, threshold), 0).block;
    };
    for (std::uint64_t column = 0; column < drawn.size(); ++column) {
      // A column is one block below some threshold and one from there on.
      constexpr std::uint64_t kEnd = std::uint64_t{1} << UnimodalTable::kThresholdBits;
      const std::uint32_t last = block_of(column, kEnd - 1);
      std::uint64_t low = 0;
      std::uint64_t high = kEnd - 1;
      while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (block_of(column, middle) == last) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      drawn[block_of(column, 0)] += low;
      drawn[last] += kEnd - low;
    }
    INFO(c.parameter);
    drawn.resize(table.weights().size());
    REQUIRE(drawn == table.weights());
  }
}

TEST_CASE("every number of a block weighs at most as much as the block says", "[noise]") {
  for (const Case& c : kCases) {
    const std::unique_ptr<const Target> target = c.make(c.parameter);
    const UnimodalTable table(c.make(c.parameter));
    const Target::Support support = target->support();
    REQUIRE(target->LogRatio(support.mode) == 0);
    const auto last = static_cast<std::uint64_t>(support.last - support.first);
    const std::uint64_t stride = std::max<std::uint64_t>(1, last / 100'003);
    INFO(c.parameter);
    for (std::uint64_t place = 0; place <= last; place += stride) {
      const double ratio =
          std::exp(target->LogRatio(support.first + static_cast<std::int64_t>(place)));
      REQUIRE(ratio * static_cast<double>(table.scale()) <
              static_cast<double>(table.weights()[place / table.block_size()]));
    }
  }
}

TEST_CASE("the logarithm of a mass is within 2^-37 of the exact comparison", "[noise]") {
  SeededSecureRng rng(4);
  WordStream words(rng);
  TestRng places(5);
  for (const Case& c : kCases) {
    const std::unique_ptr<const Target> target = c.make(c.parameter);
    const UnimodalTable table(c.make(c.parameter));
    const Target::Support support = target->support();
    const auto span = static_cast<double>(
        std::min(support.last - support.mode, std::max<std::int64_t>(support.mode, 1)));
    for (int i = 0; i < (c.parameter >= 5e9 ? 3 : 20); ++i) {
      // Within a third of the support: ratios of 2^-12 and more, so 64 bits tell enough.
      const std::int64_t x =
          std::clamp(support.mode + static_cast<std::int64_t>((2 * places.Unit() - 1) * span / 3),
                     support.first, support.last);
      const double ratio = std::exp(target->LogRatio(x));
      const auto block = static_cast<std::uint32_t>(static_cast<std::uint64_t>(x - support.first) /
                                                    table.block_size());
      const double kept =
          ratio * static_cast<double>(table.scale()) / static_cast<double>(table.weights()[block]);
      if (kept < 0x1p-20) {
        continue;
      }
      const auto bits = [&](double factor) {
        const double u = std::min(std::ldexp(kept * factor, 64), 0x1.fffffffffffffp63);
        return std::array<std::uint64_t, 2>{static_cast<std::uint64_t>(u), 0};
      };
      const UnimodalTable::Draw draw{.block = block, .x = x};
      INFO(c.parameter << " at " << x);
      REQUIRE(table.KeptExactly(draw, bits(1 - 0x1p-37), words));
      REQUIRE((kept * (1 + 0x1p-37) >= 1 || !table.KeptExactly(draw, bits(1 + 0x1p-37), words)));
    }
  }
}

TEST_CASE("what the leading bits decide is what the exact comparison says", "[noise]") {
  SeededSecureRng rng(6);
  WordStream words(rng);
  TestRng draws(7);
  for (const Case& c : kCases) {
    if (c.parameter >= 5e9 && c.make == Poisson) {
      continue;  // the same, slowly
    }
    const UnimodalTable table(c.make(c.parameter));
    for (int i = 0; i < 200; ++i) {
      UnimodalTable::Draw draw = table.Propose(draws.Next(), draws.Next());
      if (!table.KeptAtOnce(draw)) {
        continue;
      }
      // The largest u with these leading bits.
      const int bits = table.lead_bits();
      const std::uint64_t most = (draw.lead << (64 - bits)) | (~std::uint64_t{0} >> bits);
      INFO(c.parameter << " at " << draw.x);
      REQUIRE(table.KeptExactly(draw, {most, ~std::uint64_t{0}}, words));
    }
  }
}

TEST_CASE("both ways of comparing decide alike", "[noise]") {
  TestRng draws(9);
  for (const Case& c : {Case{Gaussian, 37.3}, Case{Gaussian, 0.3}, Case{Laplace, 0.2},
                        Case{Poisson, 17.3}, Case{Poisson, 4096}}) {
    const UnimodalTable table(c.make(c.parameter));
    const Target::Support support = c.make(c.parameter)->support();
    for (int i = 0; i < 2000; ++i) {
      const UnimodalTable::Draw draw = table.Propose(draws.Next(), draws.Next());
      if (draw.x > support.last) {
        continue;
      }
      SeededSecureRng again(100 + static_cast<std::uint64_t>(i));
      WordStream one(again);
      SeededSecureRng twice(100 + static_cast<std::uint64_t>(i));
      WordStream other(twice);
      const std::uint64_t more = other.Next();
      const int bits = table.lead_bits();
      const bool exact = table.KeptExactly(
          draw, {(draw.lead << (64 - bits)) | (more >> bits), more << (64 - bits)}, other);
      INFO(c.parameter << " at " << draw.x);
      REQUIRE(table.Kept(draw, one) == exact);
    }
  }
}

TEST_CASE("more bits of u are drawn when the ones at hand do not decide", "[noise]") {
  // The first 128 bits of u are those of the switching point: what follows decides, one way or the
  // other, and the process ends.
  const UnimodalTable table(Gaussian(37.3));
  const UnimodalTable::Draw draw = table.Propose(WordOf(600, 0), 0);
  SeededSecureRng rng(11);
  WordStream words(rng);
  std::array<std::uint64_t, 2> low{0, 0};
  std::array<std::uint64_t, 2> high{~std::uint64_t{0}, ~std::uint64_t{0}};
  __extension__ using Wide = unsigned __int128;
  const auto wide = [](const auto& bits) { return (static_cast<Wide>(bits[0]) << 64) | bits[1]; };
  while (wide(high) - wide(low) > 1) {
    const Wide middle = wide(low) + (wide(high) - wide(low)) / 2;
    const std::array<std::uint64_t, 2> bits{static_cast<std::uint64_t>(middle >> 64),
                                            static_cast<std::uint64_t>(middle)};
    (table.KeptExactly(draw, bits, words) ? low : high) = bits;
  }
  int kept = 0;
  for (int i = 0; i < 2000; ++i) {
    kept += table.KeptExactly(draw, low, words) ? 1 : 0;
  }
  REQUIRE(kept > 0);  // 2^-128 of u's range holds the switching point, or lies below it
  for (int i = 0; i < 200; ++i) {
    std::array<std::uint64_t, 2> above = high;
    above[1] += 1;
    REQUIRE_FALSE(table.KeptExactly(draw, above, words));
  }
}

}  // namespace tutti::noise
