#include "server/simulate/course.h"

#include <utility>

#include "common/crypto/hash.h"
#include "common/measure/metadata.h"
#include "common/model/safetensors.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {

StatusOr<Course> Course::Start(const server::PreparedJob& job, BytesView warm_start) {
  Course course(job);
  TUTTI_ASSIGN(Bytes first, server::FirstCheckpoint(job, warm_start));
  TUTTI_TRY(course.Take(std::move(first)));
  return course;
}

Status Course::Take(Bytes model) {
  TUTTI_ASSIGN(terms_, server::CheckpointTermsOf(*job_, model));
  TUTTI_ASSIGN(tilts_, measure::TiltsOf(job_->task, model));
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(model));
  TUTTI_ASSIGN(growth_, strategy::MixtureGrowthOf(metadata));
  before_ = std::exchange(model_, std::move(model));
  TUTTI_ASSIGN(values_, model::ViewSafetensors(model_, job_->checkpoint));
  sha256_ = crypto::Sha256(model_);
  return OkStatus();
}

StatusOr<server::GroupResult> Course::Open(const secagg::RoundConfig& config,
                                           const secagg::RingVector& sum, std::size_t survivors,
                                           std::uint64_t seed) const {
  auto rng = StreamOf(seed, "coordinator's noise", config.round, config.attempt, config.group);
  Secret32 tree_key;
  StreamOf(seed, "tree").Fill(tree_key.mutable_view());
  return server::OpenSum(*job_, config, sum, static_cast<std::uint32_t>(survivors), terms_,
                         {rng, &tree_key});
}

Status Course::Advance(std::vector<server::GroupResult> results, std::size_t clients,
                       std::size_t population) {
  const server::RoundMemory memory{.round = rounds_done_ + 1,
                                   .clients = clients,
                                   .population = population,
                                   .before = before_,
                                   .optimiser_state = optimiser_state_};
  TUTTI_ASSIGN(server::NextModel next,
               server::MakeNextModel(*job_, model_, memory, std::move(results)));
  ++rounds_done_;
  optimiser_state_ = std::move(next.optimiser_state);
  verdict_ = next.verdict;
  return Take(std::move(next.checkpoint));
}

Status Course::GoBack(const Saved& saved) {
  Bytes before = std::move(before_);  // the newest model but one, whatever the job goes on from
  optimiser_state_ = saved.optimiser_state;
  TUTTI_TRY(Take(saved.model));
  before_ = std::move(before);
  return OkStatus();
}

}  // namespace tutti::simulate
