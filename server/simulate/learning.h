// Learners that train with common/learn: one network a thread, all on the same data. Thread safety:
// as Learner; the data is shared and not changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "server/simulate/examples.h"
#include "server/simulate/learner.h"
#include "server/simulate/trigger.h"

namespace tutti::simulate {

// What all of them read: features as the model's first layer takes them.
struct LearningData {
  v1::DataConfig config;  // how images are changed in training
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  std::vector<float> targets;  // of models that predict a number; else empty
  std::vector<float> test_features;
  std::vector<std::uint32_t> test_labels;
  std::vector<float> test_targets;
  v1::AdversarySpec adversary;     // models are measured with; none: they are not
  std::optional<Trigger> trigger;  // of a backdoor
  v1::FairnessSpec fairness;       // without an attribute: no groups
  std::vector<std::uint32_t> groups;
  std::vector<std::uint32_t> test_groups;
};

// What models are measured with beside the examples as they are, and what liars plant.
struct Attacks {
  v1::AdversarySpec adversary = {};
  v1::MaliciousProfile malicious = {};
};

// `examples` gives up its features. Errors as model::FeaturesOf, learn::Adversary::Create,
// TriggerOf and, of a job's [fairness], data::GroupCodes.
StatusOr<std::shared_ptr<const LearningData>> LearningDataOf(
    const v1::ModelSpec& model, Examples& examples, const Attacks& attacks = {},
    const v1::FairnessSpec& fairness = v1::FairnessSpec());

// `count` learners. `script_file` and errors: as learn::Network::Create and
// data::Augmenter::Create. learn::SetUp was called with one thread before.
StatusOr<std::vector<std::unique_ptr<Learner>>> NewLearners(
    const v1::ModelSpec& model, std::shared_ptr<const LearningData> data, std::size_t count,
    const std::string& script_file);

}  // namespace tutti::simulate
