#include "server/job/job_settings.h"

#include <google/protobuf/util/json_util.h>

#include <cmath>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/config/validate.h"
#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"
#include "common/model/warm_start.h"
#include "common/strategy/sum_vector.h"

namespace tutti::server {
namespace {

Milliseconds Span(double seconds) {
  return Milliseconds(static_cast<std::int64_t>(std::llround(seconds * 1000)));
}

aggregate::CombinationRule RuleOf(const v1::RobustSpec& robust) {
  if (robust.rule() == "trimmed_mean") {
    return {aggregate::Combination::kTrimmedMean, robust.trim()};
  }
  return {
      robust.rule() == "median" ? aggregate::Combination::kMedian : aggregate::Combination::kMean,
      0};
}

}  // namespace

StatusOr<v1::JobConfig> CompletedJob(v1::JobConfig config, BytesView warm_start) {
  v1::ModelSpec& model = *config.mutable_model();
  if (!model::IsScript(model) || !model.parameters().empty() || warm_start.empty()) {
    return config;
  }
  const auto parameters = model::SafetensorsParameters(warm_start);
  if (!parameters.ok()) {
    return Annotate(parameters.status(), "warm_start");
  }
  for (const v1::ParameterSpec& parameter : *parameters) {
    *model.add_parameters() = parameter;
  }
  return config;
}

StatusOr<PreparedJob> PrepareJob(const v1::JobConfig& config) {
  TUTTI_TRY(config::CheckJob(config));
  PreparedJob job;
  job.config = config;
  const bool has_model = config.kind() != "analyse";
  if (has_model) {
    TUTTI_ASSIGN(job.layout, model::LayoutOf(config.model()));
  }
  const std::uint64_t values = ValuesIn(job.layout, model::Section::kCommon);
  job.task = config::TaskOf(config, values);
  const v1::TaskSpec& task = job.task;
  job.checkpoint = strategy::CheckpointLayout(task, job.layout);
  job.rule = RuleOf(config.robust());
  round::JobSettings& settings = job.settings;
  settings.name = JobId(config.name());
  settings.rounds = config.rounds();
  settings.task = ToBytes(AsBytes(task.SerializeAsString()));
  if (settings.task.size() > protocol::kMaxTaskBytes) {
    return InvalidArgument(Join("the task has ", settings.task.size(), " bytes, at most ",
                                protocol::kMaxTaskBytes, " are possible; use fewer layers"));
  }
  TUTTI_ASSIGN(settings.config, config::RoundTemplate(config, values));
  TUTTI_ASSIGN(job.setting, privacy::SettingOf(task));
  TUTTI_ASSIGN(job.counts, privacy::CountTermsOf(task, settings.config));
  if (job.setting.in_ring()) {
    TUTTI_ASSIGN(job.terms, privacy::TermsOf(task, settings.config));
  }
  settings.cohort_size = config.cohort().size();
  settings.groups_needed = aggregate::GroupsNeeded(job.rule);
  settings.exclude_offenders = config.robust().exclude_offenders();
  settings.over_selection = config.cohort().over_selection();
  settings.evaluate_every = job.setting.update ? config.evaluation().every() : 0;
  settings.clients_evaluate = job.task.validation();
  settings.patience = config.evaluation().patience();
  settings.max_loss_increase = config.evaluation().max_loss_increase();
  const v1::DeadlineSpec& deadlines = config.deadlines();
  settings.select = Span(deadlines.select_seconds());
  settings.train = Span(deadlines.train_seconds());
  settings.share = Span(deadlines.share_seconds());
  settings.upload = Span(deadlines.upload_seconds());
  settings.commit = Span(deadlines.commit_seconds());
  settings.unmask = Span(deadlines.unmask_seconds());
  settings.retry = Span(deadlines.retry_seconds());
  settings.max_failures = deadlines.max_failures();
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(task, &job.task_json, options).ok()) {
    return Internal("the task cannot be written as JSON");
  }
  return job;
}

StatusOr<Bytes> FirstCheckpoint(const PreparedJob& job, BytesView warm_start) {
  const model::Metadata metadata = {{"job", job.config.name()}, {"round", "0"}};
  if (warm_start.empty() && model::IsScript(job.config.model())) {
    return InvalidArgument(
        "warm_start: the job came without first weights, which architecture = \"torchscript\" "
        "needs; submit it with `tutti run`, which sends the file along");
  }
  if (warm_start.empty()) {
    return model::WriteSafetensors(
        job.checkpoint, model::InitialWeights(job.checkpoint, job.config.model().seed()), metadata);
  }
  auto weights = model::ReuseWeights(job.config.model(), job.layout, warm_start);
  if (!weights.ok()) {
    return Annotate(weights.status(), "warm_start");
  }
  weights->resize(job.checkpoint.values);
  return model::WriteSafetensors(job.checkpoint, *weights, metadata);
}

}  // namespace tutti::server
