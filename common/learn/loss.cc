#include "common/learn/loss.h"

#include "common/base/text.h"
#include "common/learn/example_losses.h"

namespace tutti::learn {

StatusOr<Loss> LossOf(const v1::TrainingSpec& training, std::uint32_t classes) {
  const std::string& name = training.loss();
  Loss loss = Loss::kCrossEntropy;
  if (name == "mse") {
    loss = Loss::kSquaredError;
  } else if (name == "huber") {
    loss = Loss::kHuber;
  } else if (!name.empty() && name != "cross_entropy") {
    return InvalidArgument(
        Join("training.loss is \"", Escaped(name, 40), "\", expected cross_entropy, mse or huber"));
  }
  if (NeedsTargets(loss) != (classes == 1)) {
    return InvalidArgument(Join("training.loss is \"", name.empty() ? "cross_entropy" : name,
                                "\" with model.classes = ", classes,
                                "; \"mse\" and \"huber\" are for classes = 1, a number that is "
                                "predicted, and \"cross_entropy\" for 2 classes or more"));
  }
  return loss;
}

at::Tensor ExampleLosses(Loss loss, const at::Tensor& outputs, const at::Tensor& wanted) {
  switch (loss) {
    case Loss::kCrossEntropy:
      return at::cross_entropy_loss(outputs, wanted, {}, at::Reduction::None);
    case Loss::kSquaredError:
      return at::mse_loss(outputs.squeeze(1), wanted, at::Reduction::None);
    case Loss::kHuber:
      return at::huber_loss(outputs.squeeze(1), wanted, at::Reduction::None, /*delta=*/1.0);
  }
  return {};
}

}  // namespace tutti::learn
