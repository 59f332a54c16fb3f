#include "common/noise/unimodal.h"

#include <algorithm>
#include <cmath>

#include "common/base/secret.h"
#include "common/base/status.h"

namespace tutti::noise {
namespace {

constexpr double kMargin = 0x1p-36;  // of A in double arithmetic
constexpr std::uint64_t kTotal = std::uint64_t{1} << 42;
constexpr std::uint64_t kCapacity = std::uint64_t{1} << UnimodalTable::kThresholdBits;

}  // namespace

UnimodalTable::UnimodalTable(std::unique_ptr<const Target> target) : target_(std::move(target)) {
  const Target::Support support = target_->support();
  TUTTI_CHECK(support.first <= support.mode && support.mode <= support.last);
  first_ = support.first;
  const auto span = static_cast<std::uint64_t>(support.last - support.first);
  while ((span >> shift_) >= kColumns) {
    ++shift_;
  }
  weights_.resize((span >> shift_) + 1);
  ChooseWeights();
  FillColumns();
  for (std::size_t block = 0; block < weights_.size(); ++block) {
    quick_[block] = static_cast<std::uint32_t>(
        std::floor(std::ldexp(LeastKept(block) * (1 - kMargin), lead_bits())));
  }
}

void UnimodalTable::ChooseWeights() {
  const Target::Support support = target_->support();
  std::vector<double> largest(weights_.size());
  double sum = 0;
  for (std::size_t block = 0; block < weights_.size(); ++block) {
    const std::int64_t left = first_ + static_cast<std::int64_t>(block << shift_);
    const std::int64_t right = left + (std::int64_t{1} << shift_) - 1;
    const std::int64_t nearest = std::clamp(support.mode, left, right);
    largest[block] = std::exp(target_->LogRatio(nearest)) * (1 + kMargin);
    sum += largest[block];
  }
  const auto usable = static_cast<double>(kTotal - 2 * kColumns);
  scale_ = static_cast<std::uint64_t>(usable / (sum * (1 + kMargin)));
  std::uint64_t left_over = kTotal;
  for (std::size_t block = 0; block < weights_.size(); ++block) {
    weights_[block] = static_cast<std::uint64_t>(static_cast<double>(scale_) * largest[block]) + 1;
    TUTTI_CHECK(weights_[block] <= left_over);
    left_over -= weights_[block];
  }
  weights_[static_cast<std::size_t>(support.mode - first_) >> shift_] += left_over;
}

// Columns hold 2^32 each; one that is not full with its own block's weight is filled up by one that
// has too much.
void UnimodalTable::FillColumns() {
  std::array<std::uint64_t, kColumns> left{};
  std::copy(weights_.begin(), weights_.end(), left.begin());
  std::vector<std::uint32_t> small;
  std::vector<std::uint32_t> large;
  for (std::uint32_t column = 0; column < kColumns; ++column) {
    columns_[column] = {.threshold = 0, .other = column};
    (left[column] < kCapacity ? small : large).push_back(column);
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t column = small.back();
    small.pop_back();
    const std::uint32_t giver = large.back();
    columns_[column] = {.threshold = static_cast<std::uint32_t>(left[column]), .other = giver};
    left[giver] -= kCapacity - left[column];
    if (left[giver] < kCapacity) {
      large.pop_back();
      small.push_back(giver);
    }
  }
  TUTTI_CHECK(small.empty());  // the weights add up to what all columns hold
}

// A lower bound of A over the block; 0 where some of it lies outside the support.
double UnimodalTable::LeastKept(std::size_t block) const {
  const std::int64_t left = first_ + static_cast<std::int64_t>(block << shift_);
  const std::int64_t right = left + (std::int64_t{1} << shift_) - 1;
  if (right > target_->support().last) {
    return 0;
  }
  const double least = std::exp(std::min(target_->LogRatio(left), target_->LogRatio(right)));
  return std::min(1.0, least * static_cast<double>(scale_) / static_cast<double>(weights_[block]));
}

bool UnimodalTable::Kept(const Draw& draw, WordStream& words) const {
  if (draw.x > target_->support().last) {
    return false;
  }
  const int lead_bits = this->lead_bits();
  const std::uint64_t more = words.Next();
  const double weight = static_cast<double>(weights_[draw.block]);
  const double limit = static_cast<double>(scale_) * std::exp(target_->LogRatio(draw.x));
  const double u = std::ldexp(
      static_cast<double>(draw.lead) + static_cast<double>(more >> 11) * 0x1p-53, -lead_bits);
  const double above = u + std::ldexp(0x1p-51, -lead_bits);  // the bits left out
  if (above * weight <= limit * (1 - kMargin)) {
    return true;
  }
  if (u * (1 - kMargin) * weight >= limit * (1 + kMargin)) {
    return false;
  }
  return KeptExactly(draw,
                     {(draw.lead << (64 - lead_bits)) | (more >> lead_bits),
                      (more << (64 - lead_bits)) | (words.Next() >> lead_bits)},
                     words);
}

bool UnimodalTable::KeptExactly(const Draw& draw, std::array<std::uint64_t, 2> bits,
                                WordStream& words) const {
  std::vector<std::uint64_t> u(bits.begin(), bits.end());
  while (true) {
    u.push_back(words.Next());
    Bounds product{.lower = FixedPoint(u), .upper = FixedPoint(u)};
    product.upper.AddLastPlace();
    product.Multiply(weights_[draw.block]);
    const Bounds quotient = target_->DivideByRatio(product, draw.x);
    const FixedPoint scale(scale_, u.size());
    if (quotient.upper <= scale) {
      return true;
    }
    if (scale <= quotient.lower) {
      return false;
    }
  }
}

UnimodalSampler::UnimodalSampler(std::unique_ptr<const Target> target, SecureRng& rng)
    : table_(std::make_unique<UnimodalTable>(std::move(target))),
      words_(rng),
      buffers_(std::make_unique<Buffers>()) {}

UnimodalSampler::~UnimodalSampler() {
  if (buffers_ != nullptr) {
    Wipe(buffers_.get(), sizeof(Buffers));
  }
}

std::int64_t UnimodalSampler::Next(std::uint64_t word) {
  while (true) {
    const UnimodalTable::Draw draw =
        table_->Propose(word, table_->needs_wide() ? words_.Next() : 0);
    if (table_->KeptAtOnce(draw) || table_->Kept(draw, words_)) {
      return draw.x;
    }
    word = words_.Next();
  }
}

void UnimodalSampler::Fill(std::span<std::int64_t> out) {
  while (!out.empty()) {
    const std::size_t count = std::min(kBlock, out.size());
    const std::span<std::uint64_t> words = std::span(buffers_->words).first(count);
    words_.Fill(words);
    if (table_->needs_wide()) {
      std::transform(words.begin(), words.end(), out.begin(), [this](auto w) { return Next(w); });
    } else {
      const UnimodalTable& table = *table_;
      for (std::size_t i = 0; i < count; ++i) {
        const UnimodalTable::Draw draw = table.Propose(words[i], 0);
        out[i] = table.KeptAtOnce(draw) || table.Kept(draw, words_) ? draw.x : Next(words_.Next());
      }
    }
    out = out.subspan(count);
  }
}

void UnimodalSampler::Combine(std::span<std::int64_t> values, std::int64_t sign) {
  while (!values.empty()) {
    const std::size_t count = std::min(kBlock, values.size());
    const std::span<std::int64_t> draws = std::span(buffers_->draws).first(count);
    Fill(draws);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(values[i]) +
                                            static_cast<std::uint64_t>(sign * draws[i]));
    }
    values = values.subspan(count);
  }
}

}  // namespace tutti::noise
