// Runs tutti-trainer as a child of the daemon: started when there is work, kept warm, ended when
// idle, killed when it hangs, takes too long or too much memory. Whatever happens to it is a Status
// here; the daemon lives on. Thread safety: confined to one thread (the child dies with the thread
// that started it); a std::stop_source of the caller ends a running task from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::trainer {

// Where tutti-trainer lies when trainer.program is not set: beside the running program.
std::string DefaultTrainerProgram();

using ProgressSink = std::function<void(const v1::TrainerProgress&)>;

struct Trained {
  v1::TrainReply reply;
  std::vector<float> update;  // trained minus received; not yet checked for NaN
  std::vector<float> extra;   // the extra values as the trainer left them; not checked either
};

// Errors of all tasks: what the trainer reported, with its code; Unavailable when it crashed or
// spoke nonsense; ResourceExhausted when it needed too much memory; DeadlineExceeded when it hung
// or passed its time; Aborted when `stop` was requested; NotFound when the program is not
// installed. After any of these but a reported error the child is gone; the next task starts a new
// one.
class Supervisor {
 public:
  explicit Supervisor(v1::TrainerConfig config);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  StatusOr<v1::DescribeReply> Describe(v1::DescribeRequest request, std::stop_token stop);
  // request.values == weights.size(). `extra`: what the strategy brings along, a whole number of
  // blocks of as many values (TrainRequest.extra_blocks).
  StatusOr<Trained> Train(v1::TrainRequest request, std::span<const float> weights,
                          std::stop_token stop, const ProgressSink& progress = {},
                          std::span<const float> extra = {});
  StatusOr<v1::EvaluateReply> Evaluate(v1::EvaluateRequest request, std::span<const float> weights,
                                       std::stop_token stop);
  // `weights`: of request.task's model; empty for jobs that have none.
  StatusOr<v1::CountReply> Count(v1::CountRequest request, std::span<const float> weights,
                                 std::stop_token stop);

  // How long the running child may stay idle from now; nullopt when none runs. Call EndIfIdle then.
  std::optional<Milliseconds> IdleLeft() const;
  void EndIfIdle();
  void End();  // lets it finish by itself for two seconds, then kills it

  bool running() const;
  std::uint64_t starts() const;    // children started so far
  std::uint64_t failures() const;  // children that crashed, hung, were killed or spoke nonsense

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::trainer
