// The layers of series, text and residual networks, and the built-in architectures made of them:
// book-keeping against single examples, and what the layers compute against plain arithmetic.
#include "tests/unit/learn/single_examples.h"

#include <limits>

#include "common/learn/train.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

v1::ModelSpec Text(const std::string& architecture, std::uint32_t length, std::uint32_t classes) {
  v1::ModelSpec spec = Spec(architecture, {length}, classes);
  spec.set_vocabulary(20);
  spec.set_width(8);
  return spec;
}

v1::LayerSpec& AddEmbedding(v1::ModelSpec& spec, std::uint32_t vocabulary, std::uint32_t width) {
  v1::LayerSpec& layer = Add(spec, "embedding", width);
  layer.set_vocabulary(vocabulary);
  return layer;
}

TEST_CASE("book-keeping equals the loop over examples for residual networks", "[layers]") {
  v1::ModelSpec spec = Spec("resnet", {3, 13, 11}, 4);
  spec.set_width(4);
  RequireEqualToLoop(spec, 8);
  v1::ModelSpec grey = Spec("resnet", {8, 8}, 2);
  grey.set_width(6);  // one group
  RequireEqualToLoop(grey, 8);
}

TEST_CASE("book-keeping equals the loop over examples for networks of series", "[layers]") {
  v1::ModelSpec spec = Spec("cnn1d", {2, 17}, 3);
  spec.set_width(4);
  RequireEqualToLoop(spec);
  RequireEqualToLoop(Spec("cnn1d", {9}, 2));
  v1::ModelSpec layers = Spec("layers", {2, 17}, 3);
  Add(layers, "conv1d", 6, 3, 2, 1);
  Add(layers, "tanh");
  Add(layers, "max_pool1d", 0, 2, 1, 1);
  Add(layers, "group_norm").set_groups(2);
  Add(layers, "flatten");
  Add(layers, "linear", 3);
  RequireEqualToLoop(layers);
}

TEST_CASE("book-keeping equals the loop over examples for recurrent networks", "[layers]") {
  v1::ModelSpec spec = Spec("gru", {2, 7}, 3);
  spec.set_width(6);
  RequireEqualToLoop(spec);
  RequireEqualToLoop(Spec("gru", {1}, 2));
  v1::ModelSpec text = Spec("layers", {6}, 3);
  AddEmbedding(text, 12, 5);
  Add(text, "gru", 4);
  Add(text, "linear", 3);
  RequireEqualToLoop(text);
}

TEST_CASE("book-keeping equals the loop over examples for bags of embeddings", "[layers]") {
  RequireEqualToLoop(Text("text_bag", 9, 3));
  v1::ModelSpec spec = Spec("layers", {8}, 3);
  AddEmbedding(spec, 12, 6);
  Add(spec, "conv1d", 5, 3);
  Add(spec, "relu");
  Add(spec, "mean_pool");
  Add(spec, "linear", 3);
  RequireEqualToLoop(spec);
}

TEST_CASE("book-keeping equals the loop over examples for transformers", "[layers]") {
  RequireEqualToLoop(Text("transformer", 6, 3), 12);
  v1::ModelSpec spec = Spec("layers", {6, 5}, 3);  // of a series, without tokens
  Add(spec, "transformer").set_heads(3);
  Add(spec, "mean_pool");
  Add(spec, "linear", 3);
  RequireEqualToLoop(spec, 12);
}

TEST_CASE("book-keeping equals the loop over examples for losses of numbers", "[layers]") {
  for (const Loss loss : {Loss::kSquaredError, Loss::kHuber}) {
    RequireEqualToLoop(Spec("linear", {6}, 1), 24, loss);
    RequireEqualToLoop(Text("text_bag", 5, 1), 24, loss);
    v1::ModelSpec mlp = Spec("mlp", {6}, 1);
    mlp.add_hidden(5);
    RequireEqualToLoop(mlp, 24, loss);
  }
}

// What the model gives for the world's examples, by its squared distance from 0.
double ScoreOf(World& world) {
  const auto score = world.network.Score(world.Rows(0, world.targets.size()));
  REQUIRE(score.ok());
  return score->loss_sum;
}

TEST_CASE("padding at the end of a text changes nothing", "[layers]") {
  for (const std::string architecture : {"text_bag", "transformer", "gru"}) {
    const auto score = [&](std::uint32_t length) {
      v1::ModelSpec spec;
      if (architecture == "gru") {
        spec = Spec("layers", {length}, 1);
        AddEmbedding(spec, 20, 8);
        Add(spec, "gru", 4);
        Add(spec, "linear", 1);
      } else {
        spec = Text(architecture, length, 1);
      }
      World world = Make(spec, 2, Loss::kSquaredError);
      world.features.assign(2 * length, 0.0F);
      for (std::size_t i = 0; i < 4; ++i) {
        world.features[i] = static_cast<float>(3 + i);
        world.features[length + i] = i < 2 ? static_cast<float>(7 - i) : 0.0F;
      }
      world.targets = {0.5F, -0.5F};
      return ScoreOf(world);
    };
    INFO(architecture);
    REQUIRE(score(9) == Approx(score(4)).epsilon(1e-5));
    REQUIRE(score(4) > 1e-3);
  }
}

TEST_CASE("a text of padding alone is no NaN", "[layers]") {
  for (const std::string architecture : {"text_bag", "transformer"}) {
    World world = Make(Text(architecture, 5, 1), 2, Loss::kSquaredError);
    std::fill(world.features.begin(), world.features.end(), 0.0F);
    REQUIRE(std::isfinite(ScoreOf(world)));
    std::vector<float> sum(world.network.weights().size());
    const auto loss = world.network.AddClippedGradients(world.Rows(0, 2), 1.0, sum);
    REQUIRE(loss.ok());
    REQUIRE(loss->counted == 2);
    REQUIRE(std::isfinite(Norm(sum)));
  }
}

// Squares of the differences of what `spec` with these weights gives for one example from `target`.
double SquaredDistance(const v1::ModelSpec& spec, const std::vector<float>& weights,
                       const std::vector<float>& example, float target) {
  auto network = Network::Create(*model::ArchitectureOf(spec));
  REQUIRE(network.ok());
  network->UseLoss(Loss::kSquaredError);
  network->Load(weights);
  const std::vector<float> targets{target};
  const auto score = network->Score({.features = example, .targets = targets});
  REQUIRE(score.ok());
  REQUIRE(score->absolute_error_sum == Approx(std::sqrt(score->loss_sum)).margin(1e-6));
  return score->loss_sum;
}

TEST_CASE("a gru computes Cho's gates", "[layers]") {
  v1::ModelSpec spec = Spec("layers", {2}, 1);
  Add(spec, "gru", 1);
  const std::vector<float> weights{0.5F, -0.3F, 0.8F,   // input weights: reset, update, new
                                   0.2F, 0.4F,  -0.6F,  // of the state
                                   0.1F, 0.0F,  -0.2F,  // input biases
                                   0.3F, 0.1F,  0.5F};  // of the state
  const std::vector<float> example{1.5F, -0.7F};
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  double state = 0;
  for (const double x : {1.5, -0.7}) {
    const double reset = sigmoid(0.5 * x + 0.1 + 0.2 * state + 0.3);
    const double update = sigmoid(-0.3 * x + 0.4 * state + 0.1);
    const double candidate = std::tanh(0.8 * x - 0.2 + reset * (-0.6 * state + 0.5));
    state = (1 - update) * candidate + update * state;
  }
  REQUIRE(SquaredDistance(spec, weights, example, static_cast<float>(state)) < 1e-12);
}

TEST_CASE("an added output is taken at every second position, with zeros for new channels",
          "[layers]") {
  v1::ModelSpec spec = Spec("layers", {1, 4}, 1);
  Add(spec, "conv1d", 2, 1, 2);  // [2, 2]
  Add(spec, "add").set_skip(2);  // the input: positions 0 and 2
  Add(spec, "flatten");
  Add(spec, "linear", 1);
  //                               conv: w0  w1    b0    b1    linear: four weights         bias
  const std::vector<float> weights{2.0F, 3.0F, 0.5F, 0.25F, 1.0F, 10.0F, 100.0F, 1000.0F, 0.0F};
  const std::vector<float> example{1, 2, 3, 4};
  const double expected = (2.0 * 1 + 0.5 + 1) + 10 * (2.0 * 3 + 0.5 + 3) + 100 * (3.0 * 1 + 0.25) +
                          1000 * (3.0 * 3 + 0.25);
  REQUIRE(SquaredDistance(spec, weights, example, static_cast<float>(expected)) < 1e-6);
}

TEST_CASE("regression finds a line, and evaluation gives both errors", "[layers]") {
  std::vector<float> features, targets;
  TestRng rng(3);
  for (int i = 0; i < 100; ++i) {
    features.push_back(static_cast<float>(2 * rng.Unit() - 1));
    targets.push_back(3 * features.back() - 1);
  }
  const DataView data{.features = features, .targets = targets};
  v1::PrivacySpec privacy;
  privacy.set_unit("none");
  const Progress quiet = [](std::uint64_t, std::uint64_t) {};
  for (const std::string loss : {"mse", "huber"}) {
    v1::TrainingSpec training;
    training.set_learning_rate(0.2);
    training.set_batch_size(20);
    training.set_local_steps(200);
    training.set_loss(loss);
    std::vector<float> update(2);
    auto random = SeededRng(1);
    REQUIRE(Train(Spec("linear", {1}, 1), training, privacy, data, update, random, quiet).ok());
    REQUIRE(static_cast<double>(update[0]) == Approx(3).margin(0.02));
    REQUIRE(static_cast<double>(update[1]) == Approx(-1).margin(0.02));
    const auto after = Evaluate(Spec("linear", {1}, 1), data, update, quiet);
    REQUIRE(after.ok());
    REQUIRE(after->loss < 1e-3);
    REQUIRE(after->mean_absolute_error < 0.02);
    REQUIRE(after->accuracy == -1);
  }
  const auto before = Evaluate(Spec("linear", {1}, 1), data, std::vector<float>{0, 1}, quiet);
  double squares = 0, distances = 0;
  for (const float target : targets) {
    squares += (target - 1.0) * (target - 1.0) / 100;
    distances += std::abs(target - 1.0) / 100;
  }
  REQUIRE(before->loss == Approx(squares).epsilon(1e-5));
  REQUIRE(before->mean_absolute_error == Approx(distances).epsilon(1e-5));
}

// Accuracy on the examples it was trained on.
double Learnt(const v1::ModelSpec& spec, const DataView& data, std::uint32_t steps) {
  v1::TrainingSpec training;
  training.set_optimiser("adam");
  training.set_learning_rate(0.01);
  training.set_batch_size(32);
  training.set_local_steps(steps);
  v1::PrivacySpec privacy;
  privacy.set_unit("none");
  const Progress quiet = [](std::uint64_t, std::uint64_t) {};
  const std::vector<float> start = *model::InitialWeights(spec);
  std::vector<float> weights = start;
  auto random = SeededRng(1);
  REQUIRE(Train(spec, training, privacy, data, weights, random, quiet).ok());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] += start[i];
  }
  return Evaluate(spec, data, weights, quiet)->accuracy;
}

TEST_CASE("a transformer learns the order of two words, of which a bag knows nothing", "[layers]") {
  std::vector<float> texts;
  std::vector<std::uint32_t> labels;
  TestRng rng(4);
  for (int i = 0; i < 256; ++i) {
    std::vector<float> text(8);
    for (float& token : text) {
      token = static_cast<float>(3 + rng.Below(17));
    }
    const std::uint64_t first = rng.Below(4), second = 4 + rng.Below(4);
    labels.push_back(static_cast<std::uint32_t>(rng.Below(2)));
    text[first] = labels.back() == 1 ? 1.0F : 2.0F;
    text[second] = labels.back() == 1 ? 2.0F : 1.0F;
    texts.insert(texts.end(), text.begin(), text.end());
  }
  const DataView data{.features = texts, .labels = labels};
  v1::ModelSpec spec = Text("transformer", 8, 2);
  spec.set_width(16);
  REQUIRE(Learnt(spec, data, 300) > 0.95);
  spec.set_architecture("text_bag");
  REQUIRE(Learnt(spec, data, 300) < 0.85);
}

TEST_CASE("networks of series learn which way a step goes", "[layers]") {
  std::vector<float> series;
  std::vector<std::uint32_t> labels;
  TestRng rng(4);
  for (int i = 0; i < 128; ++i) {
    labels.push_back(static_cast<std::uint32_t>(rng.Below(2)));
    const std::uint64_t step = 4 + rng.Below(12);
    for (std::uint64_t k = 0; k < 20; ++k) {
      const bool high = (k >= step) == (labels.back() == 1);
      series.push_back(static_cast<float>((high ? 1.0 : -1.0) + 0.5 * (rng.Unit() - 0.5)));
    }
  }
  const DataView data{.features = series, .labels = labels};
  for (const std::string architecture : {"gru", "cnn1d"}) {
    INFO(architecture);
    REQUIRE(Learnt(Spec(architecture, {20}, 2), data, 150) > 0.95);
  }
}

std::string ErrorOf(const v1::ModelSpec& spec, const std::string& loss, const DataView& data) {
  v1::TrainingSpec training;
  training.set_learning_rate(0.1);
  training.set_batch_size(2);
  training.set_local_steps(1);
  training.set_loss(loss);
  v1::PrivacySpec privacy;
  privacy.set_unit("none");
  std::vector<float> weights(model::LayoutOf(spec)->values);
  auto random = SeededRng(1);
  const auto result =
      Train(spec, training, privacy, data, weights, random, [](std::uint64_t, std::uint64_t) {});
  REQUIRE_FALSE(result.ok());
  return std::string(MessageOf(result.status()));
}

TEST_CASE("losses, targets and tokens that do not fit the model are refused", "[layers]") {
  const std::vector<float> features{1, 2}, targets{0.5F, 1.5F};
  const std::vector<std::uint32_t> labels{0, 1};
  const DataView numbers{.features = features, .targets = targets};
  const DataView classes{.features = features, .labels = labels};
  REQUIRE(ErrorOf(Spec("linear", {1}, 1), "cross_entropy", numbers)
              .find("training.loss is \"cross_entropy\" with model.classes = 1") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {1}, 2), "mse", classes)
              .find("training.loss is \"mse\" with model.classes = 2") == 0);
  REQUIRE(ErrorOf(Spec("linear", {1}, 1), "absolute", numbers)
              .find("training.loss is \"absolute\", expected") == 0);
  REQUIRE(ErrorOf(Spec("linear", {1}, 1), "mse", classes)
              .find("the data has labels of classes, the job predicts a number") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {1}, 2), "", numbers)
              .find("the data has numbers to predict, the job has 2 classes") == 0);
  const std::vector<float> infinite{0.5F, std::numeric_limits<float>::infinity()};
  REQUIRE(ErrorOf(Spec("linear", {1}, 1), "mse", {.features = features, .targets = infinite})
              .find("example 1 has a target that is no finite number") == 0);
  for (const float token : {20.0F, -1.0F, 0.5F, std::nanf("")}) {
    const std::vector<float> text{1, 19, 2, token};
    REQUIRE(ErrorOf(Text("text_bag", 2, 2), "", {.features = text, .labels = labels})
                .find("example 1 has the token ") == 0);
  }
}

}  // namespace
}  // namespace tutti::learn
