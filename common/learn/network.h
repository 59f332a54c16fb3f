// A model ready to compute: weights as one flat vector, gradients of a batch, predictions. The only
// door to LibTorch for the rest of common/learn; torch-free. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/learn/loss.h"
#include "common/model/architecture.h"

namespace tutti::learn {

// Some examples, row major: rows of the architecture's input values each.
struct Batch {
  std::span<const float> features;
  std::span<const std::uint32_t> labels = {};  // each below the architecture's classes
  std::span<const float> targets = {};         // in their place for a loss that NeedsTargets
  // Of models of classes, for gradients only: loss * factor + tilt * probability of tilted_class.
  std::span<const float> factors = {};  // one an example; empty: 1
  std::span<const float> tilts = {};    // one an example; empty: 0
  std::uint32_t tilted_class = 1;
  std::size_t size() const { return targets.empty() ? labels.size() : targets.size(); }
};

struct BatchLoss {
  double loss_sum = 0;      // over the examples with a finite loss
  std::size_t counted = 0;  // those examples
  std::size_t clipped = 0;  // examples above the clip norm; 0 without clipping
};

struct BatchScore {
  double loss_sum = 0;
  std::size_t correct = 0;        // of classes
  double absolute_error_sum = 0;  // of predicted numbers
};

// How a model in a script is run: as torch.nn.Module.train and eval. Others know no difference.
enum class Mode { kTraining, kAnswering };

class Network {
 public:
  // Weights start at zero. `script_file`: where the TorchScript file of an architecture that is one
  // lies; it is loaded only if its SHA-256 is the architecture's, and may be refused as
  // Script::Load says. ResourceExhausted or Internal with LibTorch's own text when it fails.
  static StatusOr<Network> Create(const model::Architecture& architecture,
                                  const std::string& script_file = {});
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;
  ~Network();

  const model::Architecture& architecture() const;

  // What gradients and scores are of: cross entropy at first.
  void UseLoss(Loss loss);

  // Sets all weights, frozen ones too; in layout order, as many as the layout has.
  void Load(std::span<const float> all);

  // Those that are trained (model::Section::kTrained): all when none is frozen. Write here to set
  // or step.
  std::span<float> weights();

  // Adds the sum over the batch of the gradients of each example's loss to `sum`, of weights().
  StatusOr<BatchLoss> AddGradients(const Batch& batch, std::span<float> sum);

  // How per-example gradients are computed, and why not faster: "book-keeping" or "single examples:
  // ..."; decided by trial at the first call. FailedPrecondition: the model mixes examples.
  StatusOr<std::string> GradientMethod();

  // The same with each example's gradient clipped to `clip_norm` first (per_example.h).
  StatusOr<BatchLoss> AddClippedGradients(const Batch& batch, double clip_norm,
                                          std::span<float> sum);

  StatusOr<BatchScore> Score(const Batch& batch);

  // Logarithms of the probability of each class, row major {examples, classes}; of a loss that
  // NeedsTargets the predicted numbers.
  StatusOr<std::vector<float>> Outputs(const Batch& batch);

  // The gradient of each example's loss by its features, in their place. FailedPrecondition when
  // the loss does not depend on them by anything that has a gradient.
  StatusOr<std::vector<float>> FeatureGradients(const Batch& batch, Mode mode);

 private:
  struct State;
  explicit Network(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::learn
