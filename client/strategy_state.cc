#include "client/strategy_state.h"

#include <utility>

#include "common/base/text.h"
#include "common/log/log.h"

namespace tutti::client {
namespace {

std::vector<float> Recall(const client_store::JobMemory& memory, const std::string& job,
                          std::uint64_t round, client_store::Kept kept,
                          const model::Layout& layout) {
  if (round <= 1) return {};
  StatusOr<std::vector<float>> values = memory.Load(job, kept, layout);
  if (values.ok()) return *std::move(values);
  if (values.status().code() != StatusCode::kNotFound) {
    log::Warn("job_memory_lost", {{"job", job}, {"reason", values.status()}});
  }
  return {};
}

}  // namespace

model::Layout PersonalLayout(const v1::TaskSpec& task, const model::Layout& layout) {
  model::Layout personal = Sublayout(layout, model::Section::kPersonal);
  for (model::Parameter& parameter : personal.parameters) {
    parameter.name = Join(task.privacy().unit(), " ", task.privacy().noise(), " ", parameter.name);
  }
  return personal;
}

StrategyState StrategyState::Begin(const client_store::JobMemory& memory, const v1::TaskSpec& task,
                                   std::uint64_t round, const model::Layout& layout,
                                   std::vector<float> checkpoint) {
  StrategyState state;
  state.correction_ = strategy::CorrectionOf(task.training());
  state.layout_ = layout;
  const auto middle = checkpoint.begin() + static_cast<std::ptrdiff_t>(layout.values);
  state.control_.assign(middle, checkpoint.end());
  checkpoint.resize(layout.values);
  state.weights_ = std::move(checkpoint);
  if (state.correction_ == strategy::Correction::kScaffold) {
    state.own_ = Recall(memory, task.job(), round, client_store::Kept::kControl, layout);
    state.extra_ = state.control_;
    for (std::size_t i = 0; i < state.own_.size(); ++i) state.extra_[i] -= state.own_[i];
  } else if (state.correction_ == strategy::Correction::kDitto) {
    state.extra_ = Recall(memory, task.job(), round, client_store::Kept::kPersonal, layout);
    if (state.extra_.empty()) state.extra_ = state.weights_;
  }
  const model::Layout personal = PersonalLayout(task, layout);
  if (personal.values > 0) {
    const std::vector<float> own =
        Recall(memory, task.job(), round, client_store::Kept::kParameters, personal);
    if (!own.empty()) Put(layout, model::Section::kPersonal, own, state.weights_);
  }
  return state;
}

strategy::LocalResult StrategyState::Local(const v1::TrainReply& trained,
                                           std::span<const float> update) const {
  return {.update = update,
          .steps = trained.steps(),
          .initial_loss = trained.initial_loss(),
          .control = control_,
          .client_control = own_};
}

StatusOr<std::vector<float>> StrategyState::SumVector(const v1::TaskSpec& task,
                                                      const v1::TrainReply& trained,
                                                      std::span<const float> update) const {
  return strategy::MakeSumVector(task, Local(trained, update));
}

std::optional<ToKeep> StrategyState::Keep(const v1::TaskSpec& task, const v1::TrainReply& trained,
                                          std::span<const float> update,
                                          std::vector<float> extra) const {
  if (correction_ == strategy::Correction::kScaffold) {
    return ToKeep{task.job(), client_store::Kept::kControl, layout_,
                  strategy::NextControl(task, Local(trained, update))};
  }
  if (correction_ == strategy::Correction::kDitto) {
    return ToKeep{task.job(), client_store::Kept::kPersonal, layout_, std::move(extra)};
  }
  model::Layout personal = PersonalLayout(task, layout_);
  if (personal.values > 0) {
    std::vector<float> own = Take(layout_, model::Section::kPersonal, weights_);
    const std::vector<float> learnt = Take(layout_, model::Section::kPersonal, update);
    for (std::size_t i = 0; i < own.size(); ++i) own[i] += learnt[i];
    return ToKeep{task.job(), client_store::Kept::kParameters, std::move(personal), std::move(own)};
  }
  return std::nullopt;
}

}  // namespace tutti::client
