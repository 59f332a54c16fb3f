// Clusters of examples (k-means) as a job like any other: parameters are the centres [k, features]
// and the clusters' shares [k] of the examples; one step of gradient descent with rate 1 over all
// of a client's n examples moves a centre by (sum over its examples of example - centre) / n and
// its share by (its examples) / n. The mean of the clients' updates, weighted by examples, divided
// for each cluster by the mean of its shares, is the step of Lloyd's algorithm on the examples of
// all clients together. Masks, noise and clipping see an update like any other. Thread safety: pure
// functions. Source: Lloyd 1982.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

// A key of a job file and what is wrong with it for a job that finds clusters.
struct ClusterProblem {
  std::string key;
  std::string text;
};
// All of them; none for a job that finds no clusters (model::HasCentres) and does not ask for it.
std::vector<ClusterProblem> ClusterProblems(const v1::TaskSpec& task);

// A cluster whose mean share is below this keeps its centre, given the mean of all shares (those
// above 0). Without noise: 8 steps of secure_aggregation.value_bits (1.5e-5 with the defaults),
// below which a share is mostly rounding; that of an empty cluster is exactly 0. With privacy: a
// tenth of the mean of the shares, or noise would throw small clusters about.
double LeastShare(const v1::TaskSpec& task, double mean_share);

// `update`: the clients' mean, of all values of the model. `next` holds the current values and
// becomes the next ones: a centre moves by its update / share, or stays, and a share becomes that
// of this round; with privacy divided by the sum of all (those above 0), because clipping and the
// unit of noisy sums scale them together. InvalidArgument when the layout is not that of centres.
Status StepCentres(const v1::TaskSpec& task, const model::Layout& layout,
                   std::span<const float> update, std::span<float> next);

}  // namespace tutti::strategy
