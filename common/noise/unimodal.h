// Exact draws from a distribution on whole numbers whose mass rises up to a mode and falls from
// there: the engine of the samplers beside it. Thread safety: UnimodalTable is a constant value;
// UnimodalSampler is confined to one thread.
//
// Method: rejection from a histogram. The support is cut into at most 1,024 blocks of w numbers, w
// a power of two. Block b has a whole weight W_b >= S * T(x) for all its x, T(x) = mass(x) /
// mass(mode) and S a whole number. A block is drawn with probability W_b / 2^42 (alias method,
// Walker 1977, in whole numbers: no error), a number x of it uniformly, and x is kept with
// probability A(x) = S T(x) / W_b <= 1. So each x comes out with probability proportional to
// W_b/w * S T(x)/W_b, which is T(x), whatever the weights are: they decide the speed alone.
//
// Keeping compares a uniform number u in [0, 1) with A(x), bits of u being drawn as far as needed:
//  1. 10 to 22 bits of u against the least A of the block: decides about 97 of 100 draws;
//  2. 64 bits more against A in double arithmetic with a margin of 2^-36, hundreds of times its
//     error: decides all but about 2^-36 of those;
//  3. as many bits as it takes against bounds of u W_b / T(x) in whole-number arithmetic
//     (bounds.h).
// Hence no rounding error enters the distribution: it is the stated one given that the number lies
// in the support. What the support leaves out is the only difference, and each target states it.
//
// Running time depends on the numbers drawn.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/noise/bounds.h"
#include "common/noise/word_stream.h"

namespace tutti::noise {

class Target {
 public:
  virtual ~Target() = default;
  struct Support {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t mode = 0;
  };
  virtual Support support() const = 0;
  // log T(x), within 2^-38.
  virtual double LogRatio(std::int64_t x) const = 0;
  // number / T(x), with bounds as tight as the number of limbs allows.
  virtual Bounds DivideByRatio(const Bounds& number, std::int64_t x) const = 0;
};

// What one draw does with its bits.
class UnimodalTable {
 public:
  explicit UnimodalTable(std::unique_ptr<const Target> target);

  static constexpr int kColumnBits = 10;
  static constexpr int kThresholdBits = 32;
  static constexpr int kRestBits = 22;  // the place in the block, if it fits, and bits of u
  static constexpr int kLargestInnerShift = 12;

  struct Draw {
    std::uint32_t block = 0;
    std::int64_t x = 0;
    std::uint64_t lead = 0;  // the first lead_bits() bits of u
  };
  // Place in a block that is too wide for the word: from `wide`.
  bool needs_wide() const { return shift_ > kLargestInnerShift; }
  int lead_bits() const { return needs_wide() ? kRestBits : kRestBits - shift_; }
  Draw Propose(std::uint64_t word, std::uint64_t wide) const {
    const std::uint64_t column = word & ((std::uint64_t{1} << kColumnBits) - 1);
    const auto threshold = static_cast<std::uint32_t>(word >> kColumnBits);
    const std::uint64_t rest = word >> (kColumnBits + kThresholdBits);
    const Column& entry = columns_[column];
    Draw draw;
    draw.block = threshold < entry.threshold ? static_cast<std::uint32_t>(column) : entry.other;
    const std::uint64_t place = needs_wide() ? wide : rest;
    const std::uint64_t mask = (std::uint64_t{1} << shift_) - 1;
    draw.x =
        first_ + static_cast<std::int64_t>((std::uint64_t{draw.block} << shift_) + (place & mask));
    draw.lead = needs_wide() ? rest : rest >> shift_;
    return draw;
  }
  bool KeptAtOnce(const Draw& draw) const { return draw.lead < quick_[draw.block]; }
  bool Kept(const Draw& draw, WordStream& words) const;
  // Step 3 alone; `bits` are the first 128 bits of u.
  bool KeptExactly(const Draw& draw, std::array<std::uint64_t, 2> bits, WordStream& words) const;

  std::uint64_t scale() const { return scale_; }                           // S
  const std::vector<std::uint64_t>& weights() const { return weights_; }   // W_b
  std::uint64_t block_size() const { return std::uint64_t{1} << shift_; }  // w

 private:
  static constexpr std::size_t kColumns = std::size_t{1} << kColumnBits;
  struct Column {
    std::uint32_t threshold = 0;
    std::uint32_t other = 0;
  };
  void ChooseWeights();
  void FillColumns();
  double LeastKept(std::size_t block) const;

  std::unique_ptr<const Target> target_;
  std::int64_t first_ = 0;
  int shift_ = 0;
  std::uint64_t scale_ = 0;  // S
  std::array<Column, kColumns> columns_{};
  std::array<std::uint32_t, kColumns> quick_{};  // leads below it are kept
  std::vector<std::uint64_t> weights_;
};

class UnimodalSampler {
 public:
  UnimodalSampler(std::unique_ptr<const Target> target, SecureRng& rng);
  ~UnimodalSampler();
  UnimodalSampler(UnimodalSampler&&) noexcept = default;
  UnimodalSampler& operator=(UnimodalSampler&&) noexcept = default;

  void Fill(std::span<std::int64_t> out);
  // values[i] += or -= a draw, modulo 2^64.
  void AddTo(std::span<std::int64_t> values) { Combine(values, 1); }
  void SubtractFrom(std::span<std::int64_t> values) { Combine(values, -1); }

 private:
  void Combine(std::span<std::int64_t> values, std::int64_t sign);
  std::int64_t Next(std::uint64_t word);

  static constexpr std::size_t kBlock = 1024;
  struct Buffers {
    std::array<std::uint64_t, kBlock> words;
    std::array<std::int64_t, kBlock> draws;
  };
  std::unique_ptr<const UnimodalTable> table_;
  WordStream words_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace tutti::noise
