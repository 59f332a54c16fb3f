// What the losses of a job's evaluated rounds say: whether it goes on, ends early, or goes back to
// its best model. Thread safety: value type.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "server/round/core.h"

namespace tutti::round::internal {

struct TrendVerdict {
  std::uint64_t back_to = 0;  // the round to go on from; 0: the job ends
  std::string reason;
};

class Trend {
 public:
  Trend() = default;
  // Of rounds whose model is kept the checkpoint is known.
  Trend(std::map<std::uint64_t, double> losses, std::map<std::uint64_t, ModelRef> models)
      : losses_(std::move(losses)), models_(std::move(models)) {}

  // A model that will be evaluated. Only the best one's and the newest two are remembered.
  void Offered(std::uint64_t round, const ModelRef& model);
  // The mean loss over all evaluators so far; again when another reports. A loss that is not finite
  // counts as infinite.
  void Evaluated(std::uint64_t round, double loss);
  // The models up to `newest` gave way to the best one: their losses say nothing of what follows.
  void Dropped(std::uint64_t newest) { dropped_ = newest; }

  // The first round with the smallest loss.
  std::optional<std::uint64_t> Best() const;
  // The same among those whose checkpoint is still there: the newest two, and this one.
  std::optional<std::uint64_t> BestKept() const;
  std::optional<ModelRef> ModelOf(std::uint64_t round) const;
  // After `round` was evaluated. `patience` and `max_loss_increase` as JobSettings.
  std::optional<TrendVerdict> Judge(std::uint64_t round, std::uint32_t patience,
                                    double max_loss_increase) const;

 private:
  std::map<std::uint64_t, double> losses_;
  std::map<std::uint64_t, ModelRef> models_;
  std::uint64_t dropped_ = 0;
};

}  // namespace tutti::round::internal
