// What a device keeps of a job from round to round and never sends: its control variate (scaffold),
// its personal model (ditto), its own values of personal parameters (ModelSpec.personal), its
// weight in the mixture of clients (training.agnostic_rate). One safetensors file each, in
// <state_directory>/jobs/. What is lost costs accuracy and no privacy, so a file that cannot be
// used counts as none. Thread safety: confined to one thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "common/strategy/sum_vector.h"

namespace tutti::client_store {

using strategy::Kept;

class JobMemory {
 public:
  // `coordinator`: fingerprint of its CA; the same job name of another coordinator is another job.
  JobMemory(std::string state_directory, std::string coordinator)
      : folder_(std::move(state_directory) + "/jobs"), coordinator_(std::move(coordinator)) {}

  // NotFound when there is none of this coordinator and layout; DataLoss when it is damaged.
  StatusOr<std::vector<float>> Load(const std::string& job, Kept kept,
                                    const model::Layout& layout) const;
  // Durable when it returns OK: the old or the new values are there after a crash. InvalidArgument
  // when `job` cannot be a file's name.
  Status Save(const std::string& job, Kept kept, const model::Layout& layout,
              std::span<const float> values) const;
  std::string Path(const std::string& job, Kept kept) const;

  // Files kept; the one that was not saved for longest makes room for a new one.
  static constexpr std::size_t kMostFiles = 64;

 private:
  void MakeRoom(const std::string& path) const;

  std::string folder_;
  std::string coordinator_;
};

}  // namespace tutti::client_store
