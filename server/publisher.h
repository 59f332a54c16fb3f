// From a closed sum to a published model: masks off, decode, server optimiser, checkpoint file, one
// transaction. Four passes over the vector; memory: the sum, the mean, and the new checkpoint,
// beside the models being served. Thread safety: confined to the publishing thread; the masks are
// removed on all cores.
#pragma once

#include "common/platform/executor.h"
#include "common/secagg/accumulator.h"
#include "server/job_settings.h"
#include "server/store/checkpoints.h"
#include "server/store/model_shelf.h"
#include "server/store/store.h"

namespace tutti::server {

struct PublishOrder {
  std::shared_ptr<const PreparedJob> job;
  Digest model{};  // the checkpoint the clients trained from
  std::unique_ptr<secagg::Accumulator> sum;
  round::Publish publish;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
};

struct PublishedRound {
  store::RoundRecord round;
  store::ModelRecord model;
  Digest sum_hash{};
  std::uint64_t masks_removed = 0;  // self masks of survivors, pairwise masks of dropouts
  std::uint64_t weight_sum = 0;     // the weight lane of the opened sum
};

class Publisher {
 public:
  // Everything is borrowed. `keep_models`: newest checkpoints kept per job.
  Publisher(store::Store& store, store::Checkpoints& checkpoints, store::ModelShelf& shelf,
            platform::Executor& cores, const Clock& clock, std::size_t keep_models)
      : store_(store),
        checkpoints_(checkpoints),
        shelf_(shelf),
        cores_(cores),
        clock_(clock),
        keep_models_(keep_models) {}

  // After an error nothing was published.
  StatusOr<PublishedRound> Publish(PublishOrder order);
  // Forgets all but the newest checkpoints of a job. After a publication, when nobody waits for it.
  void CollectOldModels(const std::string& job);

 private:
  Status RemoveMasks(secagg::Accumulator& sum, std::span<const secagg::LeftoverMask> masks);
  // Opens the sum, fills in what `published` says of it and gives the next checkpoint.
  StatusOr<Bytes> NextCheckpoint(PublishOrder& order, PublishedRound& published);

  store::Store& store_;
  store::Checkpoints& checkpoints_;
  store::ModelShelf& shelf_;
  platform::Executor& cores_;
  const Clock& clock_;
  const std::size_t keep_models_;
};

// The record of an attempt as far as its report tells; also for failures.
store::RoundRecord RecordOf(const round::RoundReport& report, const v1::JobConfig& job);
// Invited clients that are not among the survivors.
std::vector<std::string> DropoutsOf(const round::RoundReport& report);

}  // namespace tutti::server
