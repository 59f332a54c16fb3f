#include "server/round/core.h"

#include "server/round/machine.h"

namespace tutti::round {

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kIdle:
      return "idle";
    case Phase::kSelecting:
      return "selecting";
    case Phase::kTraining:
      return "training";
    case Phase::kSharing:
      return "sharing";
    case Phase::kCollecting:
      return "collecting";
    case Phase::kCommitting:
      return "committing";
    case Phase::kUnmasking:
      return "unmasking";
    case Phase::kPublishing:
      return "publishing";
  }
  return "unknown";
}

std::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kWaiting:
      return "waiting";
    case JobState::kRunning:
      return "running";
    case JobState::kStopped:
      return "stopped";
    case JobState::kDone:
      return "done";
    case JobState::kFailed:
      return "failed";
  }
  return "unknown";
}

struct Core::State {
  internal::Machine machine;
};

Core::Core(CoreSettings settings, crypto::PeerVerifier& verifier, SecureRng& rng)
    : state_(new State{internal::Machine(std::move(settings), verifier, rng)}) {}
Core::Core(Core&&) noexcept = default;
Core::~Core() = default;

std::vector<Effect> Core::Advance(Instant now, const Event& event) {
  return state_->machine.Advance(now, event);
}
std::optional<Instant> Core::NextDeadline() const { return state_->machine.NextDeadline(); }
Phase Core::phase() const { return state_->machine.phase(); }
std::optional<JobId> Core::RunningJob() const { return state_->machine.running(); }
std::size_t Core::Attached(Role role) const { return state_->machine.Attached(role); }
std::uint64_t Core::refusals() const { return state_->machine.refusals(); }

}  // namespace tutti::round
