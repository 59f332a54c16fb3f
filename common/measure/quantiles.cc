#include "common/measure/quantiles.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tutti::measure {
namespace {

// Ends of the interval that place `at` of {below, bins, above} stands for.
double LeftEnd(const v1::QuestionSpec& question, std::size_t at) {
  if (at == 0) return -std::numeric_limits<double>::infinity();
  return BinEdge(question, static_cast<std::uint32_t>(at - 1));
}
double RightEnd(const v1::QuestionSpec& question, std::size_t at) {
  if (at > question.bins()) return std::numeric_limits<double>::infinity();
  return BinEdge(question, static_cast<std::uint32_t>(at));
}

}  // namespace

std::vector<double> Ordered(std::span<const double> values) {
  struct Block {
    double sum = 0;
    std::size_t size = 0;
    double mean() const { return sum / static_cast<double>(size); }
  };
  std::vector<Block> blocks;
  for (const double value : values) {
    blocks.push_back({value, 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() >= blocks.back().mean()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().sum += last.sum;
      blocks.back().size += last.size;
    }
  }
  std::vector<double> ordered;
  ordered.reserve(values.size());
  for (const Block& block : blocks) ordered.insert(ordered.end(), block.size, block.mean());
  return ordered;
}

Quantile QuantileOf(const v1::QuestionSpec& question, std::span<const double> counts, double stddev,
                    double share) {
  std::vector<double> running;
  double total = 0;
  for (const double count : counts) running.push_back(total += count);
  // The sums are ordered but for noise; their last one stays the total.
  running.pop_back();
  running = Ordered(running);
  for (double& sum : running) sum = std::min(sum, total);
  running.push_back(total);
  const double target = share * total;
  const auto places = static_cast<double>(counts.size());
  // How far noise may have moved the running sum of the first at + 1 places from `share` of all.
  const auto doubt = [&](std::size_t at) {
    const double first = static_cast<double>(at) + 1;
    const double variance = (1 - share) * (1 - share) * first + share * share * (places - first);
    return Figure::kStddevs * stddev * std::sqrt(variance);
  };
  std::size_t at = 0, first = 0, last = 0;
  while (at + 1 < running.size() && running[at] < target) ++at;
  while (first + 1 < running.size() && running[first] < target - doubt(first)) ++first;
  for (std::size_t i = 0; i + 1 < running.size(); ++i) {
    if (running[i] < target + doubt(i)) last = i + 1;
  }
  if (stddev == 0) first = last = at;
  Quantile quantile{.share = share};
  quantile.low = LeftEnd(question, std::min(first, at));
  quantile.high = RightEnd(question, std::max(last, at));
  if (at == 0 || at > question.bins()) return quantile;
  const double before = running[at - 1], here = running[at] - before;
  const double part = here > 0 ? std::clamp((target - before) / here, 0.0, 1.0) : 0.5;
  const double left = LeftEnd(question, at);
  quantile.value = left + part * (RightEnd(question, at) - left);
  return quantile;
}

}  // namespace tutti::measure
