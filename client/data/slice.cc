#include "client/data/slice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "common/base/text.h"

namespace tutti::data {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014), fixed here: the slices of an experiment must not change
// with a library.
class SliceRng {
 public:
  SliceRng(std::uint64_t seed, std::uint64_t stream) : state_(seed) {
    state_ = Next() ^ (stream * 0xd1342543de82ef95ULL);
  }
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t Below(std::uint64_t bound) {
    const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
    std::uint64_t value = Next();
    while (value >= limit) value = Next();
    return value % bound;
  }
  double OpenUnit() { return (static_cast<double>(Next() >> 11) + 0.5) * 0x1.0p-53; }  // (0, 1)
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(OpenUnit()));
    return radius * std::cos(2.0 * std::numbers::pi * OpenUnit());
  }

 private:
  std::uint64_t state_;
};

void Shuffle(std::vector<std::size_t>& values, SliceRng& rng) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[rng.Below(i)]);
}

// The logarithm of a Gamma(alpha, 1) variate.
double LogGammaVariate(double alpha, SliceRng& rng) {
  double boost = 0;
  if (alpha < 1) {
    boost = std::log(rng.OpenUnit()) / alpha;
    alpha += 1;
  }
  const double d = alpha - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = rng.Normal();
    const double v = std::pow(1.0 + c * x, 3);
    if (v <= 0) continue;
    if (std::log(rng.OpenUnit()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return boost + std::log(d * v);
    }
  }
}

// Shares of `parts` parts that sum to 1, as running totals: totals[i] is where part i ends.
std::vector<double> DirichletTotals(double alpha, std::size_t parts, SliceRng& rng) {
  std::vector<double> totals(parts);
  for (double& value : totals) value = LogGammaVariate(alpha, rng);
  const double largest = *std::max_element(totals.begin(), totals.end());
  double sum = 0;
  for (double& value : totals) {
    sum += std::exp(value - largest);
    value = sum;
  }
  for (double& value : totals) value /= sum;
  totals.back() = 1.0;
  return totals;
}

std::vector<std::uint32_t> IidOwners(const v1::SliceConfig& config, std::size_t examples) {
  std::vector<std::size_t> all(examples);
  std::iota(all.begin(), all.end(), std::size_t{0});
  SliceRng rng(config.seed(), 0);
  Shuffle(all, rng);
  std::vector<std::uint32_t> owners(examples);
  std::size_t at = 0;
  for (std::uint64_t part = 0; part < config.count(); ++part) {
    const std::size_t end = examples * (part + 1) / config.count();
    for (; at < end; ++at) owners[all[at]] = static_cast<std::uint32_t>(part);
  }
  return owners;
}

std::vector<std::uint32_t> DirichletOwners(const v1::SliceConfig& config,
                                           std::span<const std::uint32_t> labels,
                                           std::uint32_t classes) {
  std::vector<std::vector<std::size_t>> by_class(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) by_class[labels[i]].push_back(i);
  std::vector<std::uint32_t> owners(labels.size());
  for (std::uint32_t c = 0; c < classes; ++c) {
    SliceRng rng(config.seed(), std::uint64_t{c} + 1);
    std::vector<std::size_t>& members = by_class[c];
    Shuffle(members, rng);
    const std::vector<double> totals = DirichletTotals(config.alpha(), config.count(), rng);
    std::size_t at = 0;
    for (std::size_t part = 0; part < totals.size(); ++part) {
      const auto end =
          static_cast<std::size_t>(std::floor(totals[part] * static_cast<double>(members.size())));
      for (; at < end; ++at) owners[members[at]] = static_cast<std::uint32_t>(part);
    }
  }
  return owners;
}

std::vector<std::size_t> PartOf(std::span<const std::uint32_t> owners, std::uint32_t index) {
  std::vector<std::size_t> part;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] == index) part.push_back(i);
  }
  return part;
}

Status CheckIndex(const v1::SliceConfig& config) {
  if (config.index() < config.count()) return OkStatus();
  return InvalidArgument(Join("data.slice.index is ", config.index(),
                              ", expected 0 .. count - 1 = ", std::int64_t{config.count()} - 1));
}

}  // namespace

StatusOr<std::vector<std::size_t>> SliceIndices(const v1::SliceConfig& config,
                                                std::span<const std::uint32_t> labels,
                                                std::uint32_t classes) {
  if (config.kind().empty() || config.kind() == "all") {
    std::vector<std::size_t> all(labels.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  TUTTI_TRY(CheckIndex(config));
  std::vector<std::size_t> part;
  if (config.kind() == "iid") {
    part = PartOf(IidOwners(config, labels.size()), config.index());
  } else if (config.kind() == "dirichlet") {
    if (!(config.alpha() > 0)) return InvalidArgument("data.slice.alpha must be above 0");
    part = PartOf(DirichletOwners(config, labels, classes), config.index());
  } else {
    return InvalidArgument(Join("data.slice.kind is \"", Escaped(config.kind()),
                                "\", expected all, iid, dirichlet or column (of a csv table)"));
  }
  return part;
}

StatusOr<std::vector<std::size_t>> SliceByGroup(const v1::SliceConfig& config,
                                                std::span<const std::uint32_t> group_of,
                                                const std::vector<std::string>& names,
                                                std::vector<std::string>& cells) {
  TUTTI_TRY(CheckIndex(config));
  if (names.size() < config.count()) {
    return InvalidArgument(Join("data.slice.count is ", config.count(), ", column \"",
                                Escaped(config.column(), 60), "\" has ", names.size(),
                                " different cells; expected at most as many clients"));
  }
  const auto first_of = [&](std::uint64_t part) { return names.size() * part / config.count(); };
  const std::size_t first = first_of(config.index());
  const std::size_t end = first_of(std::uint64_t{config.index()} + 1);
  cells.assign(names.begin() + static_cast<std::ptrdiff_t>(first),
               names.begin() + static_cast<std::ptrdiff_t>(end));
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < group_of.size(); ++i) {
    if (group_of[i] >= first && group_of[i] < end) rows.push_back(i);
  }
  return rows;
}

StatusOr<std::vector<std::uint32_t>> SliceOwners(const v1::SliceConfig& config,
                                                 std::span<const std::uint32_t> labels,
                                                 std::uint32_t classes) {
  if (config.count() == 0) return InvalidArgument("data.slice.count is 0, expected at least 1");
  if (config.kind() == "iid") return IidOwners(config, labels.size());
  if (config.kind() == "dirichlet" && config.alpha() > 0) {
    return DirichletOwners(config, labels, classes);
  }
  return InvalidArgument(Join("data.slice is \"", Escaped(config.kind(), 40), "\" with alpha ",
                              config.alpha(), ", expected iid, or dirichlet with alpha above 0"));
}

}  // namespace tutti::data
