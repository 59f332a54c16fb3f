#include "server/publisher.h"

#include <algorithm>
#include <mutex>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/safetensors.h"
#include "server/job/model_step.h"
#include "server/job/next_model.h"
#include "server/job/sum_privacy.h"

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
  const StatusOr<privacy::Setting> setting = privacy::SettingOf(config::TaskOf(job, 0));
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

StatusOr<std::optional<GroupResult>> Publisher::Open(PublishOrder& order, std::size_t place,
                                                     const CheckpointTerms& terms,
                                                     round::OpenedSum& opened) {
  const PreparedJob& job = *order.job;
  const round::ClosedSum& closed = order.publish.sums[place];
  const std::unique_ptr<secagg::Accumulator> held = std::move(order.sums[place]);
  if (held == nullptr) {
    return Aborted("a masked vector was lost on the coordinator's disk; the sum is not whole");
  }
  TUTTI_TRY(RemoveMasks(*held, closed.masks));
  opened.session = closed.session;
  opened.sum_hash = secagg::WireDigest(held->sum());
  Secret32 key;
  if (job.terms && job.terms->setting.noise == privacy::NoiseSource::kTree) {
    TUTTI_ASSIGN(key, TreeKey(noise_key_file_, job.config.name(), job.identity));
  }
  crypto::SystemRng rng;
  StatusOr<GroupResult> result =
      OpenSum(job, closed.config, held->sum(), static_cast<std::uint32_t>(closed.survivors.size()),
              terms, {rng, &key});
  if (result.status().code() == StatusCode::kDataLoss) {
    opened.spoiled = std::string(MessageOf(result.status()));
    return std::optional<GroupResult>();
  }
  TUTTI_TRY(result.status());
  return std::optional(*std::move(result));
}

StatusOr<NextModel> Publisher::OpenAll(PublishOrder& order, PublishedRound& published,
                                       std::vector<round::OpenedSum>& sums) {
  TUTTI_ASSIGN(const store::ModelBytes model, shelf_.Load(order.model));
  TUTTI_ASSIGN(const CheckpointTerms terms, CheckpointTermsOf(*order.job, *model));
  std::vector<GroupResult> results;
  std::string spoiled;
  for (std::size_t place = 0; place < order.publish.sums.size(); ++place) {
    published.masks_removed += order.publish.sums[place].masks.size();
    round::OpenedSum& opened = sums.emplace_back();
    TUTTI_ASSIGN(std::optional<GroupResult> result, Open(order, place, terms, opened));
    if (result) {
      published.weight_sum += result->mean.weight;
      results.push_back(*std::move(result));
    } else {
      spoiled = opened.spoiled;
    }
  }
  if (results.size() < order.publish.groups_needed) {
    return DataLoss(Join("SUM_REJECTED: ", sums.size() - results.size(), " of ", sums.size(),
                         " sums failed their checks and ", order.publish.groups_needed,
                         " are needed; the last one: ", spoiled));
  }
  return Next(order, *model, std::move(results));
}

StatusOr<NextModel> Publisher::Next(const PublishOrder& order, BytesView model,
                                    std::vector<GroupResult> results) {
  const PreparedJob& job = *order.job;
  RoundMemory memory{.round = order.publish.report.round,
                     .clients = order.publish.report.survivors.size()};
  if (job.checkpoint.values > job.layout.values) {
    TUTTI_ASSIGN(const std::vector<store::ClientRecord> clients, store_.Clients());
    memory.population = static_cast<std::uint64_t>(
        std::count_if(clients.begin(), clients.end(), [](const store::ClientRecord& client) {
          return !client.revoked && client.role == "trainer";
        }));
  }
  Bytes state;
  store::ModelBytes before;
  if (HasOptimiserState(job.config)) {
    TUTTI_ASSIGN(state, OptimiserState(order, model));
    memory.optimiser_state = state;
  } else if (job.config.server().momentum() > 0) {
    TUTTI_ASSIGN(before, ModelBefore(order));
    if (before != nullptr) memory.before = *before;
  }
  return MakeNextModel(job, model, memory, std::move(results));
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
StatusOr<store::ModelBytes> Publisher::ModelBefore(const PublishOrder& order) {
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
  if (!RealisedIsKnown(*order.job)) return OkStatus();
  std::map<std::uint64_t, std::uint64_t> counts;
  TUTTI_ASSIGN(counts, store_.ReleasedSums(order.job->config.name()));
  ++counts[smallest];
  TUTTI_ASSIGN(const RealisedEpsilon realised, RealisedOf(*order.job, counts));
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

StatusOr<std::optional<store::RoundRecord>> Publisher::RoundOf(const std::string& job,
                                                               std::uint64_t round) {
  TUTTI_ASSIGN(const std::vector<store::RoundRecord> rounds, store_.Rounds(job));
  for (const store::RoundRecord& one : rounds) {
    if (one.round == round) return std::optional(one);
  }
  return std::optional<store::RoundRecord>();
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
  if (next.verdict && next.verdict->round > 0) {
    publication.evaluation = {model.job, next.verdict->round, next.verdict->examples,
                              next.verdict->loss, next.verdict->accuracy};
  }
  if (Status stored = store_.Publish(publication); !stored.ok()) {
    checkpoints_.Remove(model);
    return stored;
  }
  shelf_.Put(model, std::move(bytes));
  published.evaluation = publication.evaluation;
  if (published.evaluation) {
    // The round is published whatever comes of this: only watchers miss a line.
    const auto evaluated = RoundOf(model.job, published.evaluation->round);
    if (evaluated.ok()) {
      published.evaluated = *evaluated;
    } else {
      log::Warn("an evaluated round could not be read",
                {{"job", model.job}, {"reason", evaluated.status()}});
    }
  }
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
