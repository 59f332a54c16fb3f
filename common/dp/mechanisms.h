// The releases an accountant knows, as values, and what each says of neighbouring data sets. An
// event is `steps` independent releases of one mechanism. Noise is always stated relative to the
// sensitivity, so that no clip norm is needed here.
// Thread safety: value types, pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "common/base/status.h"

namespace tutti::dp {

// How two neighbouring data sets differ. A statement made for one relation is not one for another.
enum class Relation {
  kAddOrRemoveOne,  // one example is in only one of them
  kZeroOutOne,      // one example is replaced by one that contributes nothing
  kReplaceOne,      // one example is replaced by any other; the number of examples is public
};

// A Gaussian with stddev noise_multiplier * clip norm, each step over a fresh Poisson sample: the
// mechanism of DP-SGD. For adding or removing one, and zeroing out one.
struct SubsampledGaussian {
  double sampling_rate =
      1;  // (0, 1]; every example is in a step with this probability, independently
  double noise_multiplier = 0;  // >= 0; 0 is no noise: infinite epsilon
  std::uint64_t steps = 0;      // 0 costs nothing
  auto operator<=>(const SubsampledGaussian&) const = default;
};

// A Gaussian over `sample` examples drawn without replacement out of `population`, with stddev
// noise_multiplier * the sensitivity to replacing one (twice the clip norm). For replacing one.
struct GaussianWithoutReplacement {
  std::uint64_t population = 0;  // 1..2^53
  std::uint64_t sample = 0;      // 1..population
  double noise_multiplier = 0;
  std::uint64_t steps = 0;
  auto operator<=>(const GaussianWithoutReplacement&) const = default;
};

// Laplace noise of scale noise_multiplier * l1 sensitivity, on one number, over a Poisson sample.
// For adding or removing one, and zeroing out one.
struct SubsampledLaplace {
  double sampling_rate = 1;
  double noise_multiplier = 0;
  std::uint64_t steps = 0;
  auto operator<=>(const SubsampledLaplace&) const = default;
};

// Discrete Gaussian noise, mass proportional to exp(-x^2 / 2 sigma^2) on the integers, added to
// `values` integers with this l2 sensitivity. Covers the exact sampler and one that is cut off at
// 11.6 sigma. Source: Canonne, Kamath, Steinke 2020.
struct DiscreteGaussian {
  double sigma = 0;          // >= 0
  double sensitivity = 1;    // > 0; whole when values = 1
  std::uint64_t values = 1;  // >= 1; above 1 only the Renyi bound is known to hold
  std::uint64_t steps = 0;
  auto operator<=>(const DiscreteGaussian&) const = default;
};

// Discrete Laplace noise, mass proportional to exp(-decay |x|) on the integers, added to one
// integer of this sensitivity.
struct DiscreteLaplace {
  double decay = 0;               // > 0; 1 / scale
  std::uint64_t sensitivity = 1;  // 1..2^20
  std::uint64_t steps = 0;
  auto operator<=>(const DiscreteLaplace&) const = default;
};

// Symmetric Skellam noise (the difference of two Poisson numbers) of this variance, the sum of all
// shares, on each of a vector of integers. common/dp/distributed.h has the sensitivities after
// rounding. Source: Agarwal, Kairouz, Liu 2021.
struct Skellam {
  double variance = 0;        // >= 0, in squared grid units
  double l1_sensitivity = 1;  // > 0, in grid units
  double l2_sensitivity = 1;  // > 0, in grid units
  double sampling_rate = 1;   // Poisson sampling of whole contributions
  std::uint64_t steps = 0;
  auto operator<=>(const Skellam&) const = default;
};

// The sum of `shares` discrete Gaussians of parameter share_sigma on each of `values` integers.
// `shares` is the number of honest shares certain to arrive, never the number invited.
// Source: Kairouz, Liu, Steinke 2021, Theorem 1 and Proposition 14.
struct DistributedDiscreteGaussian {
  double share_sigma = 0;     // >= 0, in grid units
  std::uint64_t shares = 1;   // 1..2^20
  double l1_sensitivity = 1;  // > 0, in grid units
  double l2_sensitivity = 1;  // > 0, in grid units
  std::uint64_t values = 1;   // length of the vector, 1..2^53
  double sampling_rate = 1;   // Poisson sampling of whole contributions
  std::uint64_t steps = 0;
  auto operator<=>(const DistributedDiscreteGaussian&) const = default;
};

// Tree aggregation (DP-FTRL): prefix sums of up to `leaves` steps out of a binary tree whose nodes
// each carry a Gaussian of noise_multiplier * clip norm. `steps` counts the trees in which one
// example may appear, once in each. For zeroing out one. Source: Kairouz et al. 2021, appendix D.
struct TreeAggregation {
  double noise_multiplier = 0;
  std::uint64_t leaves = 1;  // 1..2^53
  std::uint64_t steps = 0;
  auto operator<=>(const TreeAggregation&) const = default;
};

// The noise multiplier of the one Gaussian that a whole tree is: an example is in one node of each
// of its ceil(log2(leaves + 1)) levels.
double NoisePerTree(const TreeAggregation& event);

// A release whose privacy is not known: epsilon is infinite with it, whatever else there is.
struct UnknownRelease {
  std::string name;
  std::uint64_t steps = 1;
  auto operator<=>(const UnknownRelease&) const = default;
};

using Event = std::variant<SubsampledGaussian, GaussianWithoutReplacement, SubsampledLaplace,
                           DiscreteGaussian, DiscreteLaplace, Skellam, DistributedDiscreteGaussian,
                           TreeAggregation, UnknownRelease>;

// InvalidArgument when a field is not a number or out of range; the text names the mechanism, the
// field, the value and the range.
Status CheckEvent(const Event& event);

std::uint64_t StepsOf(const Event& event);
Event WithSteps(Event event, std::uint64_t steps);

// A release that treats a client as a whole, seen as one of an example in it: neighbours then
// differ in a contribution that is anything of the same length, so by twice as much. An
// UnknownRelease for mechanisms no client's contribution is released by.
Event AsExampleEvent(Event client_event);

// "gaussian", "gaussian-without-replacement", "laplace", "discrete-gaussian", "discrete-laplace",
// "skellam", "distributed-discrete-gaussian", "tree-aggregation" or "unknown".
std::string NameOf(const Event& event);
std::string NameOf(Relation relation);  // "add-or-remove-one", "zero-out-one", "replace-one"

bool HoldsFor(const Event& event, Relation relation);

// The first relation, in the order of the enumeration, for which the events seen so far all hold.
class CommonRelation {
 public:
  // InvalidArgument when no relation is left, naming the event and the one it does not go with;
  // then nothing changes. Events of 0 steps are not looked at.
  Status Add(const Event& event);
  Relation relation() const;

 private:
  unsigned holds_ = 7;       // bit per relation
  std::string narrowed_by_;  // names of the events that took relations away
};

}  // namespace tutti::dp
