#include "server/simulate/evaluate.h"

#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "client/data/dataset.h"
#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/learn/runtime.h"
#include "common/model/architecture.h"
#include "common/model/warm_start.h"
#include "common/platform/files.h"
#include "server/job/job_settings.h"
#include "server/simulate/examples.h"
#include "server/simulate/learning.h"

namespace tutti::simulate {
namespace {

constexpr std::uint64_t kMostModelBytes = std::uint64_t{8} << 30;

struct Question {
  std::string job_file, data, script_file;
  std::vector<std::string> models;
};

// The file's weights, all of them.
StatusOr<std::vector<float>> WeightsOf(const v1::ModelSpec& model, const std::string& path) {
  TUTTI_ASSIGN(const Bytes file, platform::ReadFile(path, kMostModelBytes));
  TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(model));
  const auto reuse = model::PlanReuse(model, layout, file);
  if (!reuse.ok()) return Annotate(reuse.status(), path);
  if (!reuse->seeded.empty()) {
    return InvalidArgument(Join(path, " is not a file of the job's model: ", TextOf(*reuse)));
  }
  auto weights = model::ReuseWeights(model, layout, file);
  if (!weights.ok()) return Annotate(weights.status(), path);
  return weights;
}

// The model as the job has it; a torchscript one may have its layout from the first file.
StatusOr<v1::ModelSpec> ModelOf(const v1::JobConfig& job, const std::string& path) {
  if (!model::IsScript(job.model())) return job.model();
  TUTTI_ASSIGN(const Bytes file, platform::ReadFile(path, kMostModelBytes));
  TUTTI_ASSIGN(const v1::JobConfig completed, server::CompletedJob(job, file));
  return completed.model();
}

StatusOr<std::unique_ptr<Learner>> Judge(const v1::ModelSpec& model, const Question& question) {
  Examples examples;
  TUTTI_ASSIGN(examples.config, DataConfigOf(question.data, "t10k"));
  TUTTI_ASSIGN(examples.test, data::Load(examples.config, model));
  if (examples.test.labels.empty()) {
    return InvalidArgument(Join(question.data, " has no examples"));
  }
  TUTTI_ASSIGN(auto data, LearningDataOf(model, examples));
  TUTTI_ASSIGN(auto learners, NewLearners(model, std::move(data), 1, question.script_file));
  return std::move(learners.front());
}

StatusOr<nlohmann::json> Answer(const v1::JobConfig& job, const Question& question) {
  TUTTI_ASSIGN(const v1::ModelSpec model, ModelOf(job, question.models.front()));
  TUTTI_ASSIGN(const std::unique_ptr<Learner> judge, Judge(model, question));
  nlohmann::json answer = {{"examples", 0}, {"models", nlohmann::json::array()}};
  for (const std::string& path : question.models) {
    TUTTI_ASSIGN(const std::vector<float> weights, WeightsOf(model, path));
    TUTTI_ASSIGN(const Score score, judge->Measure(0, 1, weights));
    answer["examples"] = score.examples;
    nlohmann::json entry = {{"file", path}, {"loss", score.loss}, {"accuracy", nullptr}};
    if (model.classes() > 1) entry["accuracy"] = score.accuracy;
    answer["models"].push_back(std::move(entry));
  }
  return answer;
}

}  // namespace

int EvaluateFiles(const std::vector<std::string>& words) {
  if (words.size() < 4) {
    std::cerr << "tutti-simulator: " << kEvaluateWord
              << " needs a job file, data, a torchscript file or \"\", and model files\n";
    return 64;
  }
  const Question question{words[0], words[1], words[2], {words.begin() + 3, words.end()}};
  const auto job = config::Load<v1::JobConfig>(question.job_file);
  std::cerr << config::ToText(job.problems);
  if (!job.ok()) return config::ExitCode(job.problems);
  learn::SetUp(1);
  const StatusOr<nlohmann::json> answer = Answer(job.value, question);
  if (!answer.ok()) {
    std::cerr << "tutti model: " << TextOf(answer.status()) << "\n";
    return 1;
  }
  std::cout << answer->dump(2, ' ', true, nlohmann::json::error_handler_t::replace) << "\n";
  return 0;
}

}  // namespace tutti::simulate
