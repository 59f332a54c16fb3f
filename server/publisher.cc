#include "server/publisher.h"

#include <algorithm>
#include <mutex>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/safetensors.h"
#include "common/secagg/encoding.h"
#include "server/aggregate/server_optimiser.h"

namespace tutti::server {

store::RoundRecord RecordOf(const round::RoundReport& report, const v1::JobConfig& job) {
  store::RoundRecord record;
  record.job = report.job.value();
  record.round = report.round;
  record.attempt = report.attempt;
  record.session = report.session;
  record.invited = static_cast<std::uint32_t>(report.invited.size());
  record.survivors = static_cast<std::uint32_t>(report.survivors.size());
  record.seconds = static_cast<double>(report.duration.count()) / 1000;
  record.failures = report.failures;
  for (const auto& [client, reason] : report.declined) {
    record.refusals.push_back(Join(client, ": ", Escaped(reason, 600)));
  }
  record.declined = static_cast<std::uint32_t>(report.declined.size());
  record.privacy_unit = job.privacy().unit();
  if (record.privacy_unit != "none") {
    record.mechanism = "dp-sgd/poisson/gaussian";
    record.accountant = "rdp";
    record.delta = job.privacy().delta();
  }
  for (const auto& [client, budget] : report.budgets) {
    record.max_epsilon = std::max(record.max_epsilon, budget.epsilon_spent);
    if (budget.delta > 0) {
      record.delta = std::max(record.delta, budget.delta);
    }
  }
  return record;
}

std::vector<std::string> DropoutsOf(const round::RoundReport& report) {
  std::vector<std::string> dropouts;
  for (const ClientId& client : report.invited) {
    if (std::find(report.survivors.begin(), report.survivors.end(), client) ==
        report.survivors.end()) {
      dropouts.push_back(client.value());
    }
  }
  return dropouts;
}

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

StatusOr<Bytes> Publisher::NextCheckpoint(PublishOrder& order, PublishedRound& published) {
  const secagg::RoundConfig& config = order.publish.config;
  TUTTI_TRY(RemoveMasks(*order.sum, order.publish.masks));
  const secagg::RingVector& sum = order.sum->sum();
  published.sum_hash = secagg::WireDigest(sum);
  TUTTI_ASSIGN(secagg::DecodedSum decoded,
               secagg::DecodeSum(
                   config, sum, static_cast<std::uint32_t>(order.publish.report.survivors.size())));
  published.masks_removed = order.publish.masks.size();
  published.weight_sum = decoded.weight_sum;
  order.sum.reset();
  TUTTI_ASSIGN(const store::ModelBytes previous, shelf_.Load(order.model));
  TUTTI_ASSIGN(const std::span<const float> weights,
               model::ViewSafetensors(*previous, order.job->layout));
  std::vector<float> next(weights.size());
  TUTTI_TRY(aggregate::ApplyFedAvg(weights, decoded.mean,
                                   order.job->config.server().learning_rate(), next));
  decoded.mean = std::vector<float>();
  return model::WriteSafetensors(order.job->layout, next,
                                 {{"job", config.job}, {"round", std::to_string(config.round)}});
}

StatusOr<PublishedRound> Publisher::Publish(PublishOrder order) {
  PublishedRound published;
  TUTTI_ASSIGN(Bytes checkpoint, NextCheckpoint(order, published));
  auto bytes = std::make_shared<const Bytes>(std::move(checkpoint));
  const round::RoundReport& report = order.publish.report;
  store::ModelRecord& model = published.model;
  model.job = report.job.value();
  model.round = report.round;
  model.sha256 = crypto::Sha256(*bytes);
  model.bytes = bytes->size();
  model.created_at = clock_.Wall();
  store::RoundRecord& round = published.round;
  round = RecordOf(report, order.job->config);
  round.published = true;
  round.model_sha256 = model.sha256;
  round.sum_sha256 = published.sum_hash;
  round.finished_at = model.created_at;
  round.bytes_up = order.bytes_up;
  round.bytes_down = order.bytes_down;
  TUTTI_ASSIGN(model.path,
               checkpoints_.Write(model.job, model.round, model.sha256, *bytes,
                                  store::ManifestJson(model, round, order.job->task_json)));
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
