#include "server/job/next_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/measure/evaluation_figures.h"
#include "common/measure/groups.h"
#include "common/measure/metadata.h"
#include "common/measure/tilts.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/privacy/clip_norm.h"
#include "common/strategy/clusters.h"
#include "common/strategy/mixture.h"
#include "common/strategy/plateau.h"
#include "common/strategy/sum_vector.h"
#include "server/aggregate/adaptive.h"
#include "server/aggregate/fairness.h"
#include "server/aggregate/server_optimiser.h"

namespace tutti::server {
namespace {

constexpr char kStateHash[] = "optimiser_state_sha256";
constexpr char kRound[] = "round";

aggregate::AdaptiveRule RuleOf(const v1::ServerOptimiserSpec& server) {
  aggregate::AdaptiveRule rule;
  rule.kind = server.optimiser() == "fedadam"   ? aggregate::Adaptive::kAdam
              : server.optimiser() == "fedyogi" ? aggregate::Adaptive::kYogi
                                                : aggregate::Adaptive::kAdagrad;
  rule.learning_rate = server.learning_rate();
  rule.beta1 = server.momentum();
  rule.beta2 = server.second_moment_decay();
  rule.tau = server.adaptivity();
  return rule;
}

// Two tensors of the model's length.
model::Layout StateLayout(std::uint64_t values) {
  model::Layout layout;
  for (const char* name : {"mean", "square"}) {
    layout.parameters.push_back({name, {values}, layout.values, values, 1, model::Start::kZero});
    layout.values += values;
  }
  return layout;
}

StatusOr<Bytes> StepAdaptively(const PreparedJob& job, std::span<const float> weights,
                               std::span<const float> update, BytesView state,
                               std::span<float> next) {
  const model::Layout layout = StateLayout(weights.size());
  aggregate::Moments moments;
  if (!state.empty()) {
    TUTTI_ASSIGN(const std::vector<float> values, model::ReadSafetensors(state, layout));
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(weights.size());
    moments = {{values.begin(), middle}, {middle, values.end()}};
  }
  TUTTI_TRY(aggregate::ApplyAdaptive(RuleOf(job.config.server()), weights, update, moments, next));
  moments.mean.insert(moments.mean.end(), moments.square.begin(), moments.square.end());
  return model::WriteSafetensors(layout, moments.mean, {{"job", job.config.name()}});
}

Status StepByAverage(const PreparedJob& job, std::span<const float> weights,
                     std::span<const float> update, BytesView before, std::span<float> next) {
  const v1::ServerOptimiserSpec& server = job.config.server();
  TUTTI_TRY(aggregate::ApplyFedAvg(weights, update, server.learning_rate(), next));
  if (server.momentum() == 0 || before.empty()) return OkStatus();
  TUTTI_ASSIGN(const std::span<const float> previous,
               model::ViewSafetensors(before, job.checkpoint));
  return aggregate::AddMomentum(previous.first(weights.size()), weights, server.momentum(), next);
}

// scaffold: clients that were not there keep theirs, and c is the mean over all.
void AddControl(std::span<const float> change, const RoundMemory& memory,
                std::span<float> control) {
  const std::uint64_t all = std::max({memory.population, memory.clients, std::uint64_t{1}});
  const auto share =
      static_cast<float>(static_cast<double>(memory.clients) / static_cast<double>(all));
  for (std::size_t i = 0; i < change.size(); ++i) control[i] += share * change[i];
}

// What the next round's training is tilted by, in jobs whose [fairness] has a rule.
Status AddTilts(const PreparedJob& job, BytesView checkpoint, const RoundMemory& memory,
                const measure::OpenedCounts& opened, model::Metadata& metadata) {
  if (!job.setting.update || measure::FairRuleOf(job.task.fairness()) == measure::FairRule::kNone) {
    return OkStatus();
  }
  const std::span<const std::int64_t> outcomes =
      measure::Of<const std::int64_t>(job.counts->layout, measure::kOutcomes, opened.counts);
  // The groups' family is the first one; all its lanes have the same noise.
  const double noise_stddev =
      measure::NoiseStddevs(job.counts->layout, opened.noise_multiplier).front();
  TUTTI_ASSIGN(const std::vector<double> dual, measure::DualOf(checkpoint));
  TUTTI_ASSIGN(const aggregate::FairnessStep step,
               aggregate::NextFairness(job.task, memory.round, outcomes, noise_stddev, dual));
  measure::SetTilts(step.tilts, step.dual, metadata);
  return OkStatus();
}

StatusOr<std::optional<ClientsVerdict>> VerdictOf(const PreparedJob& job,
                                                  const model::Metadata& before,
                                                  const measure::OpenedCounts& opened) {
  TUTTI_ASSIGN(const std::optional<measure::Validation> figures,
               measure::ValidationOf(job.task, {opened.counts, opened.noise_multiplier}));
  if (!figures || !figures->loss.known()) return std::optional<ClientsVerdict>();
  ClientsVerdict verdict{
      .examples = static_cast<std::uint64_t>(std::llround(figures->examples.value)),
      .loss = std::max(0.0, figures->loss.value),
      .accuracy = figures->accuracy.known() ? figures->accuracy.value : -1};
  if (figures->clients && figures->clients->known) {
    const bool number = job.task.model().classes() == 1;
    const measure::Within& worst = number ? figures->clients->highest : figures->clients->lowest;
    const double unit = number ? job.task.secure_aggregation().value_clip() : 1;
    verdict.worst_client = measure::Within{unit * worst.low, unit * worst.high};
  }
  if (const auto round = before.find(kRound); round != before.end()) {
    std::from_chars(round->second.data(), round->second.data() + round->second.size(),
                    verdict.round);
  }
  return std::optional(verdict);
}

Status AddPlateau(const PreparedJob& job, const model::Metadata& before,
                  const std::optional<ClientsVerdict>& verdict, model::Metadata& metadata) {
  if (!strategy::HasPlateau(job.task.training())) return OkStatus();
  TUTTI_ASSIGN(strategy::Plateau plateau, strategy::PlateauOf(before));
  if (verdict) plateau = strategy::NextPlateau(job.task.training(), plateau, verdict->loss);
  strategy::SetPlateau(plateau, metadata);
  return OkStatus();
}

// The sums over all groups of clients, and what follows from them for the next round.
StatusOr<std::optional<ClientsVerdict>> AddCounts(const PreparedJob& job, BytesView checkpoint,
                                                  const RoundMemory& memory,
                                                  std::span<const GroupResult> results,
                                                  model::Metadata& metadata) {
  measure::OpenedCounts opened{.counts = std::vector<std::int64_t>(job.counts->layout.lanes()),
                               .clients = memory.clients,
                               .noise_multiplier = job.counts->NoiseIn(memory.clients)};
  for (const GroupResult& result : results) {
    TUTTI_CHECK(result.counts.size() == opened.counts.size());
    for (std::size_t i = 0; i < result.counts.size(); ++i) opened.counts[i] += result.counts[i];
  }
  measure::SetCounts(opened, metadata);
  TUTTI_TRY(AddTilts(job, checkpoint, memory, opened, metadata));
  TUTTI_ASSIGN(const model::Metadata before, model::SafetensorsMetadata(checkpoint));
  TUTTI_ASSIGN(const std::optional<ClientsVerdict> verdict, VerdictOf(job, before, opened));
  TUTTI_TRY(AddPlateau(job, before, verdict, metadata));
  return verdict;
}

// Of a job that does not train.
StatusOr<NextModel> SameModel(const PreparedJob& job, BytesView checkpoint,
                              const model::Metadata& metadata) {
  TUTTI_ASSIGN(const std::vector<float> weights,
               model::ReadSafetensors(checkpoint, job.checkpoint));
  return NextModel{.checkpoint = model::WriteSafetensors(job.checkpoint, weights, metadata),
                   .optimiser_state = {}};
}

// AFL: devices take the common factor of their weights out again.
Status AddGrowth(BytesView checkpoint, double mean_weight, model::Metadata& metadata) {
  TUTTI_ASSIGN(const model::Metadata before, model::SafetensorsMetadata(checkpoint));
  TUTTI_ASSIGN(const strategy::MixtureGrowth growth, strategy::MixtureGrowthOf(before));
  strategy::SetMixtureGrowth(strategy::NextGrowth(growth, mean_weight), metadata);
  return OkStatus();
}

}  // namespace

bool HasOptimiserState(const v1::JobConfig& job) {
  const std::string& optimiser = job.server().optimiser();
  return !optimiser.empty() && optimiser != "fedavg";
}

BytesView StateOf(BytesView checkpoint, BytesView state) {
  const StatusOr<model::Metadata> metadata = model::SafetensorsMetadata(checkpoint);
  if (state.empty() || !metadata.ok()) return {};
  const auto hash = metadata->find(kStateHash);
  const bool same =
      hash != metadata->end() && hash->second == ToHex(BytesView(crypto::Sha256(state)));
  return same ? state : BytesView();
}

StatusOr<NextModel> MakeNextModel(const PreparedJob& job, BytesView checkpoint,
                                  const RoundMemory& memory, std::vector<GroupResult> results) {
  model::Metadata metadata = {{"job", job.config.name()}, {kRound, std::to_string(memory.round)}};
  NextModel made;
  if (job.counts) {
    TUTTI_ASSIGN(made.verdict, AddCounts(job, checkpoint, memory, results, metadata));
  }
  if (!job.setting.update) return SameModel(job, checkpoint, metadata);
  std::vector<aggregate::GroupMean> means;
  double share_below = 0, mean_weight = 0;
  for (GroupResult& result : results) {
    share_below += result.share_below / static_cast<double>(results.size());
    mean_weight += result.mean_weight / static_cast<double>(results.size());
    means.push_back(std::move(result.mean));
  }
  TUTTI_ASSIGN(const std::vector<float> combined, aggregate::Combine(std::move(means), job.rule));
  const std::span<const float> mean(combined);
  const strategy::SumShape shape = strategy::SumShapeOf(job.task);
  if (mean.size() != shape.update + shape.control) {
    return InvalidArgument(Join("the round's mean has ", mean.size(), " values, expected ",
                                shape.update + shape.control));
  }
  TUTTI_ASSIGN(const std::span<const float> all,
               model::ViewSafetensors(checkpoint, job.checkpoint));
  // Frozen and personal parameters keep the values they have.
  const std::span<const float> weights = all.first(job.layout.values);
  const std::span<const float> common = mean.first(shape.update);
  const std::vector<float> update =
      Spread(job.layout, model::Section::kCommon, {common.begin(), common.end()});
  std::vector<float> next(all.begin(), all.end());
  const std::span<float> moved = std::span<float>(next).first(job.layout.values);
  if (model::HasCentres(job.config.model())) {
    TUTTI_TRY(strategy::StepCentres(job.task, job.layout, update, moved));
  } else if (HasOptimiserState(job.config)) {
    TUTTI_ASSIGN(made.optimiser_state,
                 StepAdaptively(job, weights, update, memory.optimiser_state, moved));
    metadata[kStateHash] = ToHex(BytesView(crypto::Sha256(made.optimiser_state)));
  } else {
    TUTTI_TRY(StepByAverage(job, weights, update, memory.before, moved));
  }
  AddControl(mean.subspan(shape.update), memory, std::span<float>(next).subspan(job.layout.values));
  if (job.config.privacy().target_quantile() > 0) {
    TUTTI_ASSIGN(const CheckpointTerms terms, CheckpointTermsOf(job, checkpoint));
    privacy::SetClipNorm(privacy::NextClipNorm(job.config.privacy(), terms.clip_norm, share_below),
                         metadata);
  }
  if (job.config.training().agnostic_rate() > 0) {
    TUTTI_TRY(AddGrowth(checkpoint, mean_weight, metadata));
  }
  if (!model::AllFinite(next)) {
    return DataLoss("a value of the next model is not finite; the old model is kept");
  }
  made.checkpoint = model::WriteSafetensors(job.checkpoint, next, metadata);
  return made;
}

}  // namespace tutti::server
