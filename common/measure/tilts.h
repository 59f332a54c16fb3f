// The coefficients by which training with [fairness] changes the loss of each example: one for each
// (group, label), where label 1 is the positive class and 0 any other; {groups, 2}, row major.
//   penalty, constraint   loss + tilt * (predicted probability of the positive class)
//   reweigh               loss * tilt
// Neither needs another example, so per-example clipping stays exact. The coordinator computes them
// from summed counts (server/aggregate/fairness.h), devices refuse what lies outside the bounds.
// Thread safety: pure functions.
#pragma once

#include <span>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::measure {

enum class FairRule { kNone, kReweigh, kPenalty, kConstraint };
FairRule FairRuleOf(const v1::FairnessSpec& fairness);

// Which labels' cells a rate of a criterion is taken over: each entry is one set of labels.
// Equalised odds: {0} and {1}; equal opportunity: {1}; demographic parity: {0, 1}.
std::vector<std::vector<int>> LabelSets(const v1::FairnessSpec& fairness);

inline constexpr double kMaxTilt = 50;                      // of penalty and constraint, absolute
inline constexpr double kMinFactor = 0.1, kMaxFactor = 10;  // of reweigh

// What changes nothing: zeros, ones (reweigh), or empty with rule "none".
std::vector<double> InitialTilts(const v1::FairnessSpec& fairness);

// InvalidArgument unless `tilts` is empty or {groups, 2} numbers within the rule's bounds.
Status CheckTilts(const v1::FairnessSpec& fairness, std::span<const double> tilts);

}  // namespace tutti::measure
