#include "client/update/strategy_state.h"

#include <utility>

namespace tutti::update {

StrategyState::StrategyState(const v1::TaskSpec& task, const model::Layout& model,
                             std::vector<float> checkpoint, std::vector<float> kept)
    : kind_(strategy::KeptBy(task.training())) {
  const auto middle = checkpoint.begin() + static_cast<std::ptrdiff_t>(model.values);
  control_.assign(middle, checkpoint.end());
  checkpoint.resize(model.values);
  weights_ = std::move(checkpoint);
  if (kind_ == strategy::Kept::kControl) {
    own_ = std::move(kept);
    extra_ = control_;
    for (std::size_t i = 0; i < own_.size(); ++i) extra_[i] -= own_[i];
  } else if (kind_ == strategy::Kept::kPersonal) {
    extra_ = kept.empty() ? weights_ : std::move(kept);
  }
}

strategy::LocalResult StrategyState::Local(std::span<const float> update, std::uint64_t steps,
                                           double initial_loss) const {
  return {.update = update,
          .steps = steps,
          .initial_loss = initial_loss,
          .control = control_,
          .client_control = own_};
}

std::vector<float> StrategyState::Keep(const v1::TaskSpec& task, const strategy::LocalResult& local,
                                       std::vector<float> extra) const {
  switch (kind_) {
    case strategy::Kept::kControl:
      return strategy::NextControl(task, local);
    case strategy::Kept::kPersonal:
      return extra;
    case strategy::Kept::kNothing:
      break;
  }
  return {};
}

}  // namespace tutti::update
