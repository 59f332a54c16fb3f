// From the summed outcomes of groups to the next round's tilts (common/measure/tilts.h) in training
// with [fairness]. Thread safety: pure functions.
//
// A rate is the share of positive predictions among a group's examples of one label (equalised
// odds; equal opportunity: of the positive label only) or among all of them (demographic parity). A
// gap D is, with two groups, the first one's rate less the second's; with more, each group's rate
// less that of all groups together. N counts the examples of all groups.
//   penalty      strength / 2 * the sum of D^2. Its gradient has, of the examples of a rate whose
//                derivative in D is a, the coefficient strength * D * a * N / (their number) times
//                the gradient of the predicted probability, in the mean over the N examples.
//   constraint   |D| <= tolerance, by dual ascent: for each gap and sign, lambda becomes
//                max(0, lambda + strength * (+-D - tolerance)); the difference of the two stands in
//                place of strength * D.
//   reweigh      P(group) P(label) / P(group, label).
// D is of the predictions counted, not of probabilities: of what people get. So penalty and
// constraint step along the gradient of a smooth stand-in, with the true gap's size.
// Where a rate is not known (measure::ShareOf: empty, or drowned in noise), its examples are left
// alone. With noise, outcomes are averaged over the rounds, newer ones counting more.
// Sources: Kamiran and Calders 2012 (doi:10.1007/s10115-011-0463-8), reweighing; Agarwal et al.
// 2018 (arXiv:1803.02453), gaps to the rate of all groups and a dual variable for each gap and
// sign. There the best classifier for given duals is found anew each time; here a round of training
// follows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::aggregate {

inline constexpr double kMaxDual = 50;      // a larger lambda would be scaled down in the tilts
inline constexpr double kSmoothing = 0.75;  // share of the past in smoothed outcomes

struct FairnessStep {
  std::vector<double> tilts;  // {groups, 2}; empty with rule "none"
  std::vector<double> dual;   // what the next step needs to know, and nobody else; may be empty
};

// `outcomes` is the family measure::kOutcomes of the model of `round` (1, 2, ...), summed over its
// clients; noise of `noise_stddev` is on each number. `dual`: of the step before, or empty. Tilts
// that exceed measure::kMaxTilt are scaled down all together. InvalidArgument: sizes do not fit the
// task, or a number is not finite.
StatusOr<FairnessStep> NextFairness(const v1::TaskSpec& task, std::uint64_t round,
                                    std::span<const std::int64_t> outcomes, double noise_stddev,
                                    std::span<const double> dual);

}  // namespace tutti::aggregate
