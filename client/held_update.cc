#include "client/held_update.h"

#include "common/strategy/staleness.h"

namespace tutti::client {
namespace {

bool SamePlan(const policy::Plan& a, const policy::Plan& b) {
  return a.steps == b.steps && a.event == b.event && a.model_event == b.model_event;
}

}  // namespace

const HeldUpdate* LastUpdate::For(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                                  const policy::Plan& plan) {
  if (!held_) return nullptr;
  const secagg::RoundConfig& of = held_->round;
  const bool fits = of.job == round.job && of.task_hash == round.task_hash &&
                    strategy::StillCounts(task.training(), of.round, round.round) &&
                    (of.round != round.round || of.model_hash == round.model_hash) &&
                    SamePlan(held_->plan, plan);
  if (!fits) {
    Forget();
    return nullptr;
  }
  return &*held_;
}

}  // namespace tutti::client
