// Models that PyTorch scripted (tests/vectors/torchscript/write.py): each trains with privacy by
// the fast rules, and gives what single examples give.
// Torch headers come before Catch2's (tests/catch.h).
#include <cmath>
#include <fstream>
#include <sstream>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/learn/network.h"
#include "common/learn/train.h"
#include "common/model/safetensors.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

std::string PathOf(const std::string& name) {
  return std::string(TUTTI_TEST_DATA) + "/vectors/torchscript/" + name;
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  REQUIRE(!bytes.str().empty());
  return bytes.str();
}

// A model of this folder: the job's settings, its first weights and made-up data that it can learn.
struct Model {
  std::string file;
  v1::ModelSpec spec;
  std::vector<float> weights;
  std::vector<float> features;
  std::vector<std::uint32_t> labels;

  Model(const std::string& name, const std::vector<std::uint32_t>& input)
      : file(PathOf(name + ".pt")) {
    spec.set_architecture("torchscript");
    spec.set_torchscript_sha256(ToHex(crypto::Sha256(AsBytes(Contents(file)))));
    std::size_t width = 1;
    for (const std::uint32_t size : input) {
      spec.add_input_shape(size);
      width *= size;
    }
    spec.set_classes(3);
    const std::string first = Contents(PathOf(name + ".safetensors"));
    const auto parameters = model::SafetensorsParameters(AsBytes(first));
    for (const v1::ParameterSpec& parameter : *parameters) {
      *spec.add_parameters() = parameter;
    }
    const auto architecture = model::ArchitectureOf(spec);
    weights = model::ReadSafetensors(AsBytes(first), architecture->layout).value();
    TestRng rng(3);
    for (std::uint32_t i = 0; i < 240; ++i) {
      labels.push_back(i % 3);
      for (std::size_t k = 0; k < width; ++k) {
        const double centre = k % 4 % 3 == i % 3 ? 1 : -1;  // the same in every step
        features.push_back(static_cast<float>(centre + rng.Unit() - 0.5));
      }
    }
  }
  DataView data() const { return {.features = features, .labels = labels}; }
};

struct Row {
  const char* name;
  std::vector<std::uint32_t> input;
};

const std::vector<Row> kModels = {{"perceptron", {4}},
                                  {"convolution", {8, 8}},
                                  {"lstm-batch-first", {6, 4}},
                                  {"lstm-steps-first", {6, 4}},
                                  {"lstm-last-state", {6, 4}},
                                  {"gru-batch-first", {6, 4}},
                                  {"attention-batch-first", {6, 4}},
                                  {"attention-steps-first", {6, 4}}};

}  // namespace

TEST_CASE("what PyTorch scripted gives the clipped sum of its single examples", "[python]") {
  for (const Row& row : kModels) {
    INFO(row.name);
    const Model model(row.name, row.input);
    auto network = Network::Create(model::ArchitectureOf(model.spec).value(), model.file);
    INFO(network.status());
    REQUIRE(network.ok());
    std::copy(model.weights.begin(), model.weights.end(), network->weights().begin());
    REQUIRE(network->GradientMethod().value() == "book-keeping");
    const std::size_t width = model.features.size() / model.labels.size();
    constexpr std::size_t kExamples = 12;
    const std::span<const float> features(model.features);
    const std::span<const std::uint32_t> labels(model.labels);
    std::vector<float> together(model.weights.size()), singly(model.weights.size());
    REQUIRE(network
                ->AddClippedGradients({.features = features.first(kExamples * width),
                                       .labels = labels.first(kExamples)},
                                      0.5, together)
                .ok());
    for (std::size_t i = 0; i < kExamples; ++i) {
      REQUIRE(network
                  ->AddClippedGradients({.features = features.subspan(i * width, width),
                                         .labels = labels.subspan(i, 1)},
                                        0.5, singly)
                  .ok());
    }
    double largest = 0;
    for (std::size_t i = 0; i < singly.size(); ++i) {
      REQUIRE(std::abs(together[i] - singly[i]) < 2e-5F);
      largest = std::max(largest, static_cast<double>(std::abs(singly[i])));
    }
    REQUIRE(largest > 0.01);
  }
}

TEST_CASE("what PyTorch scripted learns with privacy", "[python]") {
  v1::TrainingSpec training;
  training.set_learning_rate(1);
  training.set_batch_size(120);
  training.set_local_steps(40);
  v1::PrivacySpec privacy;
  privacy.set_unit("example");
  privacy.set_clip_norm(1);
  privacy.set_noise_multiplier(0.5);
  const Progress no_progress = [](std::uint64_t, std::uint64_t) {};
  for (const Row& row : kModels) {
    INFO(row.name);
    const Model model(row.name, row.input);
    std::vector<float> weights = model.weights;
    auto secure = SeededRng(2);
    const auto result = Train(model.spec, training, privacy, model.data(), weights, secure,
                              no_progress, {}, model.file);
    INFO(result.status());
    REQUIRE(result.ok());
    REQUIRE(result->method == "book-keeping");
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] += model.weights[i];
    }
    const auto score = Evaluate(model.spec, model.data(), weights, no_progress, model.file);
    INFO(score.status());
    REQUIRE(score.ok());
    INFO(score->accuracy);
    REQUIRE(score->accuracy > 0.8);
  }
}

}  // namespace tutti::learn
