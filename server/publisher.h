// From an attempt's closed sums to a published model: masks off, decode, check, combine the groups'
// means, server optimiser, checkpoint file, one transaction. Memory: the sums, then a mean for
// each, and the new checkpoint, beside the models being served. Thread safety: confined to the
// publishing thread; the masks are removed on all cores.
#pragma once

#include "common/platform/executor.h"
#include "common/secagg/accumulator.h"
#include "server/job/model_step.h"
#include "server/job/next_model.h"
#include "server/store/checkpoints.h"
#include "server/store/model_shelf.h"
#include "server/store/store.h"

namespace tutti::server {

struct PublishOrder {
  std::shared_ptr<const PreparedJob> job;
  Digest model{};  // the checkpoint the clients trained from
  std::vector<std::unique_ptr<secagg::Accumulator>> sums;  // of publish.sums, in their order
  round::Publish publish;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
};

struct PublishedRound {
  store::RoundRecord round;
  store::ModelRecord model;
  std::uint64_t masks_removed = 0;  // self masks of survivors, pairwise masks of dropouts
  std::uint64_t weight_sum = 0;     // the weight lanes of the sums in the model
  // What the clients counted of an earlier round's model, and that round as it is now on record.
  std::optional<protocol::EvaluationReport> evaluation = {};
  std::optional<store::RoundRecord> evaluated = {};
};

struct PublishResult {
  StatusOr<PublishedRound> round;
  std::vector<round::OpenedSum> sums;  // those that were opened, also after a failure
};

class Publisher {
 public:
  // Everything is borrowed. `keep_models`: newest checkpoints kept per job. `noise_key_file`: where
  // the key of jobs with noise = "tree" is, or is made.
  Publisher(store::Store& store, store::Checkpoints& checkpoints, store::ModelShelf& shelf,
            platform::Executor& cores, const Clock& clock, std::size_t keep_models,
            std::string noise_key_file)
      : store_(store),
        checkpoints_(checkpoints),
        shelf_(shelf),
        cores_(cores),
        clock_(clock),
        keep_models_(keep_models),
        noise_key_file_(std::move(noise_key_file)) {}

  // After an error nothing was published. DataLoss when fewer sums than the job needs pass their
  // checks: `sums` says what each of the others failed.
  PublishResult Publish(PublishOrder order);
  // Forgets all but the newest checkpoints of a job. After a publication, when nobody waits for it.
  void CollectOldModels(const std::string& job);

 private:
  Status RemoveMasks(secagg::Accumulator& sum, std::span<const secagg::LeftoverMask> masks);
  // Opens the sum of that place, says in `opened` what came of it, and gives its mean when it
  // passes the checks.
  StatusOr<std::optional<GroupResult>> Open(PublishOrder& order, std::size_t place,
                                            const CheckpointTerms& terms, round::OpenedSum& opened);
  // The optimiser's state after the current model; empty when there is none or it is damaged.
  StatusOr<Bytes> OptimiserState(const PublishOrder& order, BytesView checkpoint);
  // The model the last round began with, for server.momentum; null when it is gone.
  StatusOr<store::ModelBytes> ModelBefore(const PublishOrder& order);
  // What this round and those before it came to; `round` is filled in but for that.
  Status FillRealised(const PublishOrder& order, store::RoundRecord& round);
  // Opens all sums, fills in what `published` and `sums` say of them and gives the next model.
  StatusOr<NextModel> OpenAll(PublishOrder& order, PublishedRound& published,
                              std::vector<round::OpenedSum>& sums);
  StatusOr<NextModel> Next(const PublishOrder& order, BytesView model,
                           std::vector<GroupResult> results);
  StatusOr<std::optional<store::RoundRecord>> RoundOf(const std::string& job, std::uint64_t round);
  StatusOr<PublishedRound> Store(PublishOrder& order, NextModel next,
                                 std::span<const round::OpenedSum> sums, PublishedRound published);

  store::Store& store_;
  store::Checkpoints& checkpoints_;
  store::ModelShelf& shelf_;
  platform::Executor& cores_;
  const Clock& clock_;
  const std::size_t keep_models_;
  const std::string noise_key_file_;
};

// The record of an attempt as far as its report tells; also for failures.
store::RoundRecord RecordOf(const round::RoundReport& report, const v1::JobConfig& job);
// Invited clients that are in no group's survivor set.
std::vector<std::string> DropoutsOf(const round::RoundReport& report);

}  // namespace tutti::server
