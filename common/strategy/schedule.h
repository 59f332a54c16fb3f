// The learning rate of one round of a job: it may change from the first round to the last, or with
// the losses (plateau.h). Both
// sides compute it, because with noise in the sum the vector is scaled by it. Thread safety: pure
// functions. Source of the cosine: Loshchilov and Hutter 2017 (arXiv:1608.03983) without restarts.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

// training.schedule fits final_learning_rate and the keys of plateaus; InvalidArgument says what to
// change.
Status CheckSchedule(const v1::TaskSpec& task);

// `round` is 1, 2, ..., `rounds`; others count as the nearest of these. A job of one round has the
// first learning rate. With s = (round - 1) / (rounds - 1), from a to b: linear a + s (b - a);
// cosine b + (a - b) (1 + cos(pi s)) / 2; exponential a (b / a)^s; plateau max(a * factor, b),
// where `factor` is that of the round's checkpoint; constant a.
double LearningRateOf(const v1::TrainingSpec& training, std::uint64_t round, std::uint64_t rounds,
                      double factor = 1);

// The task as it is in `round`: with that round's learning rate.
v1::TaskSpec TaskOfRound(v1::TaskSpec task, std::uint64_t round, double factor);

}  // namespace tutti::strategy
