// Examples changed within a small distance so that the model errs. For training that withstands
// them, and to measure how well a model does. Every feature moves by at most `radius` (the
// l-infinity ball) and stays in `range`; one that lies outside of the range never moves further
// out. Where the loss of an example has no finite gradient its features stay as they are.
//
// Each example is changed by itself: what becomes of it follows from its own features and label,
// the weights and the generator, never from the other examples of its batch (for a model that
// treats every example by itself, which training with privacy requires). The gradient at the
// changed example can then be clipped as if it were the example.
//
// Torch-free. Thread safety: confined to one thread. Sources: fgsm, Goodfellow, Shlens, Szegedy
// 2015 (arXiv:1412.6572), section 4: one step of `radius` along the sign of the loss's gradient;
// pgd, Madry et al. 2018 (arXiv:1706.06083), section 2.1: `steps` steps of `step_size`, each
// brought back into the ball, from a start drawn evenly from it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/learn/network.h"
#include "common/learn/train.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

// False for kind "none" (or nothing): examples stay as they are.
bool HasAdversary(const v1::AdversarySpec& spec);

class Adversary {
 public:
  // InvalidArgument: the spec is none or contradicts itself; `architecture` reads tokens, whose
  // numbers have no neighbours, or fixed features of the example (ModelSpec.features), near which
  // no real example need lie.
  static StatusOr<Adversary> Create(const v1::AdversarySpec& spec,
                                    const model::Architecture& architecture);
  // The same, or nothing when there is none.
  static StatusOr<std::optional<Adversary>> CreateIfAny(const v1::AdversarySpec& spec,
                                                        const model::Architecture& architecture);

  // The features of all examples of `batch`, changed. The network's loss and weights count, and
  // `mode` says how the model is run. FailedPrecondition: the loss does not depend on the features
  // by anything that has a gradient; other errors as the network's.
  StatusOr<std::vector<float>> Changed(Network& network, const Batch& batch, Mode mode,
                                       SecureRng& rng) const;

  // Changes `features`, those of `batch`, in place for a step of training: each example with
  // probability `share`, by a coin of its own.
  Status ChangeShare(Network& network, const Batch& batch, std::span<float> features,
                     SecureRng& rng) const;

 private:
  Adversary() = default;
  float Within(float value, float origin) const;

  bool random_start_ = false;
  std::uint32_t steps_ = 1;
  float radius_ = 0;
  float step_ = 0;
  float low_ = 0, high_ = 0;  // of every feature; infinite when the spec has no range
  double share_ = 1;
};

// `batch` changed against the model with `weights` (all of them, in layout order), with the loss
// Evaluate measures. Its size is up to the caller, who holds several times its features meanwhile.
// InvalidArgument when data and weights do not fit the network; else as above.
StatusOr<std::vector<float>> Perturb(Network& network, std::span<const float> weights,
                                     const DataView& batch, const v1::AdversarySpec& spec,
                                     SecureRng& rng);

// Evaluate on the changed examples: `accuracy` is the robust accuracy, an upper bound of what the
// strongest adversary of that radius would leave. Memory: a few parts of the data.
StatusOr<EvaluateResult> RobustAccuracy(Network& network, const DataView& data,
                                        std::span<const float> weights,
                                        const v1::AdversarySpec& spec, SecureRng& rng,
                                        const Progress& progress);

}  // namespace tutti::learn
