#include "server/publisher.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/safetensors.h"
#include "common/model/update_norm.h"
#include "common/privacy/clip_norm.h"
#include "common/secagg/encoding.h"
#include "common/strategy/schedule.h"
#include "common/strategy/sum_vector.h"
#include "server/sum_privacy.h"

namespace tutti::server {

store::RoundRecord RecordOf(const round::RoundReport& report, const v1::JobConfig& job) {
  store::RoundRecord record;
  record.job = report.job.value();
  record.round = report.round;
  record.attempt = report.attempt;
  record.session = report.session;
  record.invited = static_cast<std::uint32_t>(report.invited.size());
  record.survivors = static_cast<std::uint32_t>(report.survivors.size());
  record.groups = static_cast<std::uint32_t>(report.groups.size());
  record.groups_left_out = static_cast<std::uint32_t>(
      std::count_if(report.groups.begin(), report.groups.end(),
                    [](const round::GroupReport& group) { return !group.lost.empty(); }));
  record.seconds = static_cast<double>(report.duration.count()) / 1000;
  record.failures = report.failures;
  for (const auto& [client, reason] : report.declined) {
    record.refusals.push_back(Join(client, ": ", Escaped(reason, 600)));
  }
  record.declined = static_cast<std::uint32_t>(report.declined.size());
  record.privacy_unit = job.privacy().unit();
  const StatusOr<privacy::Setting> setting = privacy::SettingOf(job.privacy());
  if (setting.ok() && setting->with_privacy()) {
    record.mechanism = privacy::MechanismName(*setting);
    record.accountant = "rdp";
    record.delta = job.privacy().delta();
  }
  for (const auto& [client, budget] : report.budgets) {
    record.max_epsilon = std::max(record.max_epsilon, budget.epsilon_spent);
    record.max_epsilon_models = std::max(record.max_epsilon_models, budget.epsilon_models);
    if (budget.delta > 0) {
      record.delta = std::max(record.delta, budget.delta);
    }
  }
  return record;
}

std::vector<std::string> DropoutsOf(const round::RoundReport& report) {
  std::vector<std::string> dropouts;
  for (const round::GroupReport& group : report.groups) {
    for (const ClientId& client : group.invited) {
      if (std::find(group.survivors.begin(), group.survivors.end(), client) ==
          group.survivors.end()) {
        dropouts.push_back(client.value());
      }
    }
  }
  return dropouts;
}

namespace {

// Each client scales its update to the bound before rounding it, so a mean that is longer by more
// than rounding can add holds a vector of somebody who did not.
Status CheckNorm(const secagg::RoundConfig& config, std::uint32_t survivors,
                 const secagg::DecodedSum& sum, double bound) {
  if (bound == 0) {
    return OkStatus();
  }
  const double step =
      config.value_clip / static_cast<double>((std::uint64_t{1} << (config.value_bits - 1)) - 1);
  const double error = survivors * std::ldexp(step, static_cast<int>(config.weight_bits)) /
                       static_cast<double>(sum.weight_sum);
  const double limit = bound * (1 + 1e-6) + error * std::sqrt(static_cast<double>(config.values));
  const double norm = model::L2Norm(sum.mean);
  if (norm <= limit) {
    return OkStatus();
  }
  return DataLoss(Join("the mean update has norm ", norm, ", max_update_norm is ", bound,
                       " and rounding adds at most ", limit - bound,
                       "; a client sent a wrong vector, the sum is discarded"));
}

// The clients of groups whose sum was left out are in no sum.
void LeaveOut(round::RoundReport& report, std::span<const round::OpenedSum> sums) {
  for (round::GroupReport& group : report.groups) {
    for (const round::OpenedSum& sum : sums) {
      if (sum.session == group.session && !sum.spoiled.empty()) {
        group.lost = sum.spoiled;
        std::erase_if(report.survivors, [&](const ClientId& client) {
          return std::binary_search(group.survivors.begin(), group.survivors.end(), client);
        });
      }
    }
  }
}

// What a round's record and its clients can check: the hash of the one sum, or of the hashes of
// several.
Digest HashOf(std::span<const round::OpenedSum> sums) {
  Bytes hashes;
  std::size_t count = 0;
  Digest last{};
  for (const round::OpenedSum& sum : sums) {
    if (sum.spoiled.empty()) {
      hashes.insert(hashes.end(), sum.sum_hash.begin(), sum.sum_hash.end());
      last = sum.sum_hash;
      ++count;
    }
  }
  return count == 1 ? last : crypto::Sha256(hashes);
}

}  // namespace

Status Publisher::RemoveMasks(secagg::Accumulator& sum,
                              std::span<const secagg::LeftoverMask> masks) {
  const std::uint64_t lanes = sum.sum().count();
  const std::uint64_t parts = cores_.threads() + 1;
  const std::uint64_t step = (lanes + parts - 1) / parts;
  std::mutex mutex;
  Status status;  // guarded by mutex
  platform::RunInParallel(cores_, parts, [&](std::size_t part) {
    const std::uint64_t first = part * step;
    if (first >= lanes) {
      return;
    }
    const Status removed = sum.RemoveMasks(masks, first, std::min(step, lanes - first));
    const std::lock_guard lock(mutex);
    status.Update(removed);
  });
  return status;
}

StatusOr<std::optional<Publisher::GroupResult>> Publisher::OpenSum(PublishOrder& order,
                                                                   std::size_t place,
                                                                   double clip_norm,
                                                                   round::OpenedSum& opened) {
  const round::ClosedSum& closed = order.publish.sums[place];
  const std::unique_ptr<secagg::Accumulator> held = std::move(order.sums[place]);
  if (held == nullptr) {
    return Aborted("a masked vector was lost on the coordinator's disk; the sum is not whole");
  }
  TUTTI_TRY(RemoveMasks(*held, closed.masks));
  const secagg::RingVector& sum = held->sum();
  opened.session = closed.session;
  opened.sum_hash = secagg::WireDigest(sum);
  const auto survivors = static_cast<std::uint32_t>(closed.survivors.size());
  StatusOr<secagg::DecodedSum> decoded = secagg::DecodeSum(closed.config, sum, survivors);
  Status sound = decoded.status();
  if (sound.ok()) {
    sound =
        CheckNorm(closed.config, survivors, *decoded, order.job->config.robust().max_update_norm());
  }
  if (sound.code() == StatusCode::kDataLoss) {
    opened.spoiled = std::string(MessageOf(sound));
    return std::optional<GroupResult>();
  }
  TUTTI_TRY(sound);
  GroupResult result{{std::move(decoded->mean), decoded->weight_sum}, 0};
  if (!order.job->terms) {
    const v1::TaskSpec task = strategy::TaskOfRound(order.job->task, order.publish.report.round);
    StatusOr<strategy::OpenedMean> parts =
        strategy::OpenSumVector(task, std::move(result.mean.values));
    if (parts.status().code() == StatusCode::kDataLoss) {
      opened.spoiled = std::string(MessageOf(parts.status()));
      return std::optional<GroupResult>();
    }
    TUTTI_TRY(parts.status());
    result.mean.values = std::move(parts->update);
    result.mean.values.insert(result.mean.values.end(), parts->control_change.begin(),
                              parts->control_change.end());
  } else {
    TUTTI_ASSIGN(privacy::OpenedVector vector,
                 OpenPrivately(order, closed, std::move(result.mean.values), clip_norm));
    result.mean.values = std::move(vector.update);
    result.share_below = vector.share_below;
  }
  return std::optional(std::move(result));
}

StatusOr<privacy::OpenedVector> Publisher::OpenPrivately(const PublishOrder& order,
                                                         const round::ClosedSum& closed,
                                                         std::vector<float> mean,
                                                         double clip_norm) {
  const PreparedJob& job = *order.job;
  const privacy::Terms& terms = *job.terms;
  const std::uint64_t survivors = closed.survivors.size();
  TUTTI_ASSIGN(std::vector<float> vector, privacy::Unrotate(terms, closed.config, std::move(mean)));
  if (terms.setting.noise == privacy::NoiseSource::kCentral) {
    crypto::SystemRng rng;
    AddCentralNoise(terms.noise_multiplier, survivors, rng, vector);
  }
  if (terms.setting.noise == privacy::NoiseSource::kTree) {
    TUTTI_TRY(AddTreeNoise(order, survivors, vector));
  }
  const v1::TaskSpec task = strategy::TaskOfRound(job.task, order.publish.report.round);
  return OpenVector(task, terms, std::move(vector), survivors, privacy::UnitScale(task, clip_norm));
}

// The tree's promise is about running sums, so every round is divided by the same number: the
// cohort's size, whoever came.
Status Publisher::AddTreeNoise(const PublishOrder& order, std::uint64_t survivors,
                               std::span<float> vector) {
  const PreparedJob& job = *order.job;
  TUTTI_ASSIGN(const Secret32 key, TreeKey(noise_key_file_, job.config.name(), job.identity));
  for (float& value : vector) value *= static_cast<float>(survivors);
  NoiseTree(key, job.terms->noise_multiplier).AddStep(order.publish.report.round, vector);
  for (float& value : vector) value /= static_cast<float>(job.config.cohort().size());
  return OkStatus();
}

StatusOr<NextModel> Publisher::OpenAll(PublishOrder& order, PublishedRound& published,
                                       std::vector<round::OpenedSum>& sums) {
  const PreparedJob& job = *order.job;
  TUTTI_ASSIGN(const store::ModelBytes previous, shelf_.Load(order.model));
  TUTTI_ASSIGN(const std::optional<double> own_clip, privacy::ClipNormOf(*previous));
  const double clip_norm = own_clip.value_or(job.config.privacy().clip_norm());
  std::vector<aggregate::GroupMean> means;
  double share_below = 0;
  std::string spoiled;
  for (std::size_t place = 0; place < order.publish.sums.size(); ++place) {
    published.masks_removed += order.publish.sums[place].masks.size();
    round::OpenedSum& opened = sums.emplace_back();
    TUTTI_ASSIGN(std::optional<GroupResult> result, OpenSum(order, place, clip_norm, opened));
    if (result) {
      published.weight_sum += result->mean.weight;
      share_below += result->share_below;
      means.push_back(std::move(result->mean));
    } else {
      spoiled = opened.spoiled;
    }
  }
  if (means.size() < order.publish.groups_needed) {
    return DataLoss(Join("SUM_REJECTED: ", sums.size() - means.size(), " of ", sums.size(),
                         " sums failed their checks and ", order.publish.groups_needed,
                         " are needed; the last one: ", spoiled));
  }
  share_below /= static_cast<double>(means.size());
  RoundStep step{.round = order.publish.report.round};
  TUTTI_ASSIGN(step.mean, aggregate::Combine(std::move(means), job.rule));
  if (job.config.privacy().target_quantile() > 0) {
    step.clip_norm = privacy::NextClipNorm(job.config.privacy(), clip_norm, share_below);
  }
  return NextModelOf(order, *previous, std::move(step));
}

StatusOr<NextModel> Publisher::NextModelOf(const PublishOrder& order, BytesView checkpoint,
                                           RoundStep step) {
  const PreparedJob& job = *order.job;
  step.clients = order.publish.report.survivors.size();
  if (job.checkpoint.values > job.layout.values) {
    TUTTI_ASSIGN(const std::vector<store::ClientRecord> clients, store_.Clients());
    step.population = static_cast<std::uint64_t>(
        std::count_if(clients.begin(), clients.end(), [](const store::ClientRecord& client) {
          return !client.revoked && client.role == "trainer";
        }));
  }
  Bytes state;
  store::ModelBytes before;
  if (HasOptimiserState(job.config)) {
    TUTTI_ASSIGN(state, OptimiserState(order, checkpoint));
    step.optimiser_state = state;
  } else if (job.config.server().momentum() > 0) {
    TUTTI_ASSIGN(before, CheckpointBefore(order));
    if (before != nullptr) step.before = *before;
  }
  return MakeNextModel(job, checkpoint, step);
}

StatusOr<Bytes> Publisher::OptimiserState(const PublishOrder& order, BytesView checkpoint) {
  TUTTI_ASSIGN(const std::vector<store::ModelRecord> models,
               store_.Models(order.job->config.name()));
  const auto current = std::find_if(models.begin(), models.end(),
                                    [&](const auto& one) { return one.sha256 == order.model; });
  if (current == models.end() || current->round == 0) return Bytes();
  StatusOr<Bytes> state = checkpoints_.ReadOptimiserState(
      *current, 3 * checkpoint.size() + model::kMaxSafetensorsHeader);
  if (state.ok() && !StateOf(checkpoint, *state).empty()) return state;
  log::Warn(
      "the server optimiser starts anew",
      {{"job", order.job->config.name()},
       {"reason", state.ok() ? DataLoss("its state is not that of the model") : state.status()}});
  return Bytes();
}

// The model the last round started from; none when it is gone.
StatusOr<store::ModelBytes> Publisher::CheckpointBefore(const PublishOrder& order) {
  TUTTI_ASSIGN(const std::vector<store::ModelRecord> models,
               store_.Models(order.job->config.name()));
  const auto current = std::find_if(models.begin(), models.end(),
                                    [&](const auto& one) { return one.sha256 == order.model; });
  if (current == models.end() || current + 1 == models.end()) return store::ModelBytes();
  if (store::ModelBytes held = shelf_.Find((current + 1)->sha256); held != nullptr) return held;
  StatusOr<Bytes> read = checkpoints_.Read(*(current + 1));
  if (read.ok()) return std::make_shared<const Bytes>(*std::move(read));
  log::Warn("a round takes no momentum",
            {{"job", order.job->config.name()}, {"reason", read.status()}});
  return store::ModelBytes();
}

Status Publisher::FillRealised(const PublishOrder& order, store::RoundRecord& round) {
  std::uint64_t smallest = 0;
  for (const round::GroupReport& group : order.publish.report.groups) {
    if (!group.lost.empty()) continue;
    const std::uint64_t clients = group.survivors.size();
    smallest = smallest == 0 ? clients : std::min(smallest, clients);
  }
  round.smallest_sum = static_cast<std::uint32_t>(smallest);
  if (!order.job->terms) return OkStatus();
  std::map<std::uint64_t, std::uint64_t> counts;
  TUTTI_ASSIGN(counts, store_.ReleasedSums(order.job->config.name()));
  ++counts[smallest];
  TUTTI_ASSIGN(const RealisedEpsilon realised,
               RealisedOf(*order.job->terms, order.job->config.privacy().delta(), counts));
  round.realised_epsilon = realised.coordinator;
  round.realised_epsilon_models = realised.models;
  return OkStatus();
}

PublishResult Publisher::Publish(PublishOrder order) {
  PublishedRound published;
  std::vector<round::OpenedSum> sums;
  StatusOr<NextModel> next = OpenAll(order, published, sums);
  if (!next.ok()) {
    return {next.status(), std::move(sums)};
  }
  LeaveOut(order.publish.report, sums);
  StatusOr<PublishedRound> round = Store(order, *std::move(next), sums, std::move(published));
  return {std::move(round), std::move(sums)};
}

StatusOr<PublishedRound> Publisher::Store(PublishOrder& order, NextModel next,
                                          std::span<const round::OpenedSum> sums,
                                          PublishedRound published) {
  auto bytes = std::make_shared<const Bytes>(std::move(next.checkpoint));
  const round::RoundReport& report = order.publish.report;
  store::ModelRecord& model = published.model;
  model.job = report.job.value();
  model.round = report.round;
  model.sha256 = crypto::Sha256(*bytes);
  model.bytes = bytes->size();
  model.created_at = clock_.Wall();
  store::RoundRecord& round = published.round;
  round = RecordOf(report, order.job->config);
  TUTTI_TRY(FillRealised(order, round));
  round.published = true;
  round.model_sha256 = model.sha256;
  round.sum_sha256 = HashOf(sums);
  round.finished_at = model.created_at;
  round.bytes_up = order.bytes_up;
  round.bytes_down = order.bytes_down;
  TUTTI_ASSIGN(model.path,
               checkpoints_.Write(model.job, model.round, model.sha256, *bytes,
                                  store::ManifestJson(model, round, order.job->task_json),
                                  next.optimiser_state));
  Failpoint("server.checkpoint_written");
  store::Publication publication;
  publication.round = round;
  publication.model = model;
  for (const ClientId& client : report.survivors) {
    publication.survivors.push_back(client.value());
  }
  publication.dropouts = DropoutsOf(report);
  for (const auto& [client, budget] : report.budgets) {
    publication.budgets[client.value()] = budget;
    // Ledgers are compared in the order the reports come in, which this transaction does not keep.
    publication.budgets[client.value()].ledger.reset();
  }
  if (Status stored = store_.Publish(publication); !stored.ok()) {
    checkpoints_.Remove(model);
    return stored;
  }
  shelf_.Put(model, std::move(bytes));
  return published;
}

void Publisher::CollectOldModels(const std::string& job) {
  const auto old = store_.ForgetOldModels(job, keep_models_);
  if (!old.ok()) {
    log::Warn("old checkpoints were not collected", {{"job", job}, {"reason", old.status()}});
    return;
  }
  for (const store::ModelRecord& model : *old) {
    shelf_.Forget(model.sha256);
    checkpoints_.Remove(model);
  }
}

}  // namespace tutti::server
