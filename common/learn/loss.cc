#include "common/learn/loss.h"

#include "common/base/text.h"
#include "common/learn/example_losses.h"

namespace tutti::learn {

StatusOr<Loss> LossOf(const v1::TrainingSpec& training, const model::Architecture& architecture) {
  const std::string& name = training.loss();
  Loss loss = Loss::kCrossEntropy;
  if (name == "mse") {
    loss = Loss::kSquaredError;
  } else if (name == "huber") {
    loss = Loss::kHuber;
  } else if (name == "distortion") {
    loss = Loss::kDistortion;
  } else if (!name.empty() && name != "cross_entropy") {
    return InvalidArgument(Join("training.loss is \"", Escaped(name, 40),
                                "\", expected cross_entropy, mse, huber or distortion"));
  }
  if ((loss == Loss::kDistortion) != architecture.clusters) {
    return InvalidArgument(
        Join("training.loss is \"", name.empty() ? "cross_entropy" : name,
             "\", but \"distortion\" and architecture = \"kmeans\" (or a list of "
             "layers that ends with one of centres) need each other; set both, "
             "or neither"));
  }
  if (NeedsTargets(loss) != (architecture.classes == 1)) {
    return InvalidArgument(Join("training.loss is \"", name.empty() ? "cross_entropy" : name,
                                "\" with model.classes = ", architecture.classes,
                                "; \"mse\" and \"huber\" are for classes = 1, a number that is "
                                "predicted, and \"cross_entropy\" for 2 classes or more"));
  }
  return loss;
}

Loss MeasuredBy(const model::Architecture& architecture) {
  if (architecture.clusters) {
    return Loss::kDistortion;
  }
  return architecture.classes == 1 ? Loss::kSquaredError : Loss::kCrossEntropy;
}

namespace {

at::Tensor PlainLosses(Loss loss, const at::Tensor& outputs, const at::Tensor& wanted) {
  switch (loss) {
    case Loss::kCrossEntropy:
      return at::cross_entropy_loss(outputs, wanted, {}, at::Reduction::None);
    case Loss::kSquaredError:
      return at::mse_loss(outputs.squeeze(1), wanted, at::Reduction::None);
    case Loss::kHuber:
      return at::huber_loss(outputs.squeeze(1), wanted, at::Reduction::None, /*delta=*/1.0);
    case Loss::kDistortion:
      return std::get<0>(at::min(outputs, /*dim=*/1));
  }
  return {};
}

}  // namespace

at::Tensor ExampleLosses(Loss loss, const at::Tensor& outputs, const at::Tensor& wanted,
                         const ExampleTerms& terms) {
  at::Tensor losses = PlainLosses(loss, outputs, wanted);
  if (terms.factors.defined()) losses = losses * terms.factors;
  if (terms.tilts.defined()) {
    losses = losses + terms.tilts * at::softmax(outputs, 1).select(1, terms.tilted_class);
  }
  return losses;
}

}  // namespace tutti::learn
