#include "client/update/strategy_state.h"

#include <utility>

#include "common/base/text.h"

namespace tutti::update {

model::Layout KeptLayout(const v1::TaskSpec& task, const model::Layout& model) {
  const strategy::Kept kept = strategy::KeptBy(task);
  if (kept == strategy::Kept::kMixture) return strategy::MixtureLayout();
  if (kept != strategy::Kept::kParameters) return model;
  model::Layout personal = Sublayout(model, model::Section::kPersonal);
  for (model::Parameter& parameter : personal.parameters) {
    parameter.name = Join(task.privacy().unit(), " ", task.privacy().noise(), " ", parameter.name);
  }
  return personal;
}

StrategyState::StrategyState(const v1::TaskSpec& task, const model::Layout& model,
                             std::vector<float> checkpoint, std::vector<float> kept,
                             const strategy::MixtureRound& mixture)
    : kind_(strategy::KeptBy(task)),
      layout_(model),
      mixture_(mixture),
      agnostic_rate_(task.training().agnostic_rate()) {
  const auto middle = checkpoint.begin() + static_cast<std::ptrdiff_t>(model.values);
  control_.assign(middle, checkpoint.end());
  checkpoint.resize(model.values);
  weights_ = std::move(checkpoint);
  if (kind_ == strategy::Kept::kControl) {
    own_ = std::move(kept);
    extra_ = control_;
    for (std::size_t i = 0; i < own_.size(); ++i) extra_[i] -= own_[i];
  } else if (kind_ == strategy::Kept::kMixture) {
    own_ = std::move(kept);
  } else if (kind_ == strategy::Kept::kPersonal) {
    extra_ = kept.empty() ? weights_ : std::move(kept);
  } else if (kind_ == strategy::Kept::kParameters && !kept.empty()) {
    Put(layout_, model::Section::kPersonal, kept, weights_);
  }
}

std::vector<float> StrategyState::Common(std::span<const float> whole) const {
  return Take(layout_, model::Section::kCommon, whole);
}

strategy::LocalResult StrategyState::Local(std::span<const float> update, std::uint64_t steps,
                                           double initial_loss) const {
  strategy::LocalResult local{.update = update, .steps = steps, .initial_loss = initial_loss};
  if (kind_ == strategy::Kept::kMixture) {
    local.log_weight = strategy::LogWeight(mixture_, own_, agnostic_rate_, initial_loss);
  } else {
    local.control = control_;
    local.client_control = own_;
  }
  return local;
}

std::vector<float> StrategyState::Keep(const v1::TaskSpec& task, const strategy::LocalResult& local,
                                       std::span<const float> whole,
                                       std::vector<float> extra) const {
  switch (kind_) {
    case strategy::Kept::kControl:
      return strategy::NextControl(task, local);
    case strategy::Kept::kPersonal:
      return extra;
    case strategy::Kept::kParameters: {
      std::vector<float> own = Take(layout_, model::Section::kPersonal, weights_);
      const std::vector<float> learnt = Take(layout_, model::Section::kPersonal, whole);
      for (std::size_t i = 0; i < own.size(); ++i) own[i] += learnt[i];
      return own;
    }
    case strategy::Kept::kMixture:
      return strategy::KeptWeight(mixture_, local.log_weight);
    case strategy::Kept::kNothing:
      break;
  }
  return {};
}

}  // namespace tutti::update
