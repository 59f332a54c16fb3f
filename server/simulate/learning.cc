#include "server/simulate/learning.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "client/data/augment.h"
#include "client/data/group_codes.h"
#include "common/learn/adversary.h"
#include "common/learn/count_evaluation.h"
#include "common/learn/local.h"
#include "common/learn/outcomes.h"
#include "common/model/architecture.h"
#include "common/model/features.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

const learn::Progress kQuiet = [](std::uint64_t, std::uint64_t) {};

class TorchLearner final : public Learner {
 public:
  TorchLearner(std::shared_ptr<const LearningData> data, learn::Network network,
               data::Augmenter augmenter)
      : data_(std::move(data)), network_(std::move(network)), augmenter_(std::move(augmenter)) {}

  StatusOr<Learnt> Train(const Assignment& assignment, std::span<const float> weights,
                         SecureRng& rng) override {
    Gather(assignment);
    Learnt learnt;
    learnt.update.assign(weights.begin(), weights.end());
    learn::TrainHooks hooks;
    if (!augmenter_.IsIdle()) {
      hooks.change = [&](std::span<float> image) { augmenter_.Apply(rng, image); };
    }
    hooks.adversary = assignment.adversary;
    if (assignment.counted != nullptr) {
      TUTTI_ASSIGN(hooks.tilts,
                   learn::GroupTilts::Create(assignment.counted->fairness(), assignment.tilts));
    }
    const learn::DataView view{
        .features = features_, .labels = labels_, .targets = targets_, .groups = groups_};
    const auto start = std::chrono::steady_clock::now();
    if (assignment.counted != nullptr) {
      TUTTI_ASSIGN(learnt.counts, learn::CountBesideTraining(network_, *assignment.counted, view,
                                                             weights, rng, kQuiet));
    }
    learnt.extra.assign(assignment.extra.begin(), assignment.extra.end());
    TUTTI_ASSIGN(const learn::LocalTraining local,
                 learn::TrainLocally(network_, assignment.training, assignment.privacy, view,
                                     learnt.update, learnt.extra, rng, kQuiet, hooks));
    const learn::TrainResult& result = local.result;
    learnt.steps = result.steps;
    learnt.initial_loss = local.initial_loss;
    learnt.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    learnt.norms_counted = result.counted;
    learnt.norms_below = result.counted - result.clipped;
    learnt.loss = result.loss;
    return learnt;
  }

  StatusOr<Score> Measure(std::size_t part, std::size_t parts,
                          std::span<const float> weights) override {
    const std::size_t all = data_->test_labels.size();
    const std::size_t first = all * part / parts;
    const std::size_t count = all * (part + 1) / parts - first;
    if (count == 0) {
      return Score{};
    }
    const std::size_t width = data_->test_features.size() / all;
    learn::DataView view{
        .features = std::span(data_->test_features).subspan(first * width, count * width),
        .labels = std::span(data_->test_labels).subspan(first, count)};
    if (!data_->test_targets.empty()) {
      view.targets = std::span(data_->test_targets).subspan(first, count);
    }
    TUTTI_ASSIGN(const learn::EvaluateResult result,
                 learn::Evaluate(network_, view, weights, kQuiet));
    Score score{.examples = count, .loss = result.loss, .accuracy = result.accuracy};
    if (learn::HasAdversary(data_->adversary) && view.targets.empty()) {
      auto rng = StreamOf(0, "adversary of models", part);  // the same for every model
      TUTTI_ASSIGN(const learn::EvaluateResult robust,
                   learn::RobustAccuracy(network_, view, weights, data_->adversary, rng, kQuiet));
      score.robust_accuracy = robust.accuracy;
    }
    if (data_->trigger) {
      TUTTI_TRY(MeasureBackdoor(view, weights, score));
    }
    if (ComparesGroups()) {
      view.groups = std::span(data_->test_groups).subspan(first, count);
      TUTTI_ASSIGN(score.outcomes,
                   learn::CountOutcomes(network_, data_->fairness, view, weights, kQuiet));
    }
    return score;
  }

 private:
  bool ComparesGroups() const { return !data_->fairness.attribute().empty(); }

  // How many examples of another class the trigger leads to its own.
  Status MeasureBackdoor(const learn::DataView& view, std::span<const float> weights,
                         Score& score) {
    const Trigger& trigger = *data_->trigger;
    const std::size_t width = view.features.size() / view.size();
    std::vector<float> features;
    std::vector<std::uint32_t> labels;
    for (std::size_t i = 0; i < view.size(); ++i) {
      if (view.labels[i] == trigger.target_class) continue;
      const auto row = view.features.subspan(i * width, width);
      features.insert(features.end(), row.begin(), row.end());
      Stamp(trigger, std::span(features).last(width));
      labels.push_back(trigger.target_class);
    }
    score.triggered = labels.size();
    if (labels.empty()) return OkStatus();
    TUTTI_ASSIGN(
        const learn::EvaluateResult result,
        learn::Evaluate(network_, {.features = features, .labels = labels}, weights, kQuiet));
    score.misled = static_cast<std::uint64_t>(
        std::llround(result.accuracy * static_cast<double>(labels.size())));
    return OkStatus();
  }

  // A client's examples lie side by side only while it trains.
  void Gather(const Assignment& assignment) {
    const std::size_t width = data_->features.size() / data_->labels.size();
    const auto classes = static_cast<std::uint32_t>(network_.architecture().classes);
    features_.clear();
    labels_.clear();
    targets_.clear();
    groups_.clear();
    for (const std::uint32_t row : assignment.rows) {
      const auto from = data_->features.begin() + static_cast<std::ptrdiff_t>(row * width);
      features_.insert(features_.end(), from, from + static_cast<std::ptrdiff_t>(width));
      if (!data_->targets.empty()) {
        const float target = data_->targets[row];
        targets_.push_back(assignment.reversed_labels ? -target : target);
      }
      const std::uint32_t label = data_->labels[row];
      labels_.push_back(assignment.reversed_labels ? classes - 1 - label : label);
      if (ComparesGroups()) groups_.push_back(data_->groups[row]);
    }
    for (const std::uint32_t place : assignment.poisoned) {
      Stamp(*data_->trigger, std::span(features_).subspan(place * width, width));
      labels_[place] = data_->trigger->target_class;
    }
  }

  std::shared_ptr<const LearningData> data_;
  learn::Network network_;
  data::Augmenter augmenter_;
  std::vector<float> features_;
  std::vector<std::uint32_t> labels_;
  std::vector<float> targets_;
  std::vector<std::uint32_t> groups_;
};

StatusOr<std::vector<float>> FeaturesOf(const v1::ModelSpec& model, std::vector<float> examples) {
  if (!model::HasFeatures(model)) {
    return examples;
  }
  return model::FeaturesOf(model, examples, kQuiet);
}

}  // namespace

StatusOr<std::shared_ptr<const LearningData>> LearningDataOf(const v1::ModelSpec& model,
                                                             Examples& examples,
                                                             const Attacks& attacks,
                                                             const v1::FairnessSpec& fairness) {
  auto data = std::make_shared<LearningData>();
  if (learn::HasAdversary(attacks.adversary)) {
    TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
    TUTTI_TRY(learn::Adversary::Create(attacks.adversary, architecture).status());
    data->adversary = attacks.adversary;
  }
  if (attacks.malicious.kind() == "backdoor") {
    TUTTI_ASSIGN(data->trigger, TriggerOf(attacks.malicious, model, examples.train.features));
  }
  data->config = examples.config;
  data->fairness = fairness;
  if (!fairness.attribute().empty()) {
    TUTTI_ASSIGN(data->groups, data::GroupCodes(examples.train, fairness));
    if (examples.test.examples > 0) {
      TUTTI_ASSIGN(data->test_groups, data::GroupCodes(examples.test, fairness));
    }
  }
  TUTTI_ASSIGN(data->features, FeaturesOf(model, std::move(examples.train.features)));
  data->labels = std::move(examples.train.labels);
  data->targets = std::move(examples.train.targets);
  if (!examples.test.labels.empty()) {
    TUTTI_ASSIGN(data->test_features, FeaturesOf(model, std::move(examples.test.features)));
    data->test_labels = std::move(examples.test.labels);
    data->test_targets = std::move(examples.test.targets);
  }
  return std::shared_ptr<const LearningData>(std::move(data));
}

StatusOr<std::vector<std::unique_ptr<Learner>>> NewLearners(
    const v1::ModelSpec& model, std::shared_ptr<const LearningData> data, std::size_t count,
    const std::string& script_file) {
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
  std::vector<std::unique_ptr<Learner>> learners;
  for (std::size_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN(learn::Network network, learn::Network::Create(architecture, script_file));
    TUTTI_ASSIGN(data::Augmenter augmenter, data::Augmenter::Create(data->config, model));
    learners.push_back(
        std::make_unique<TorchLearner>(data, std::move(network), std::move(augmenter)));
  }
  return learners;
}

}  // namespace tutti::simulate
