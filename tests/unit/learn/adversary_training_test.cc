// Training on changed examples, by layers and by scripts.
#include "tests/unit/learn/script_file.h"

#include <algorithm>
#include <vector>

#include "common/learn/adversary.h"
#include "tests/unit/learn/adversaries.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};

// One feature that is right in 9 of 10 examples and large, and many small ones that are right
// together but can be turned over by a small change (Tsipras et al. 2019, section 2.1).
struct Trap {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  explicit Trap(std::uint64_t seed) {
    TestRng rng(seed);
    for (std::uint32_t i = 0; i < 600; ++i) {
      const double sign = i % 2 == 0 ? -1 : 1;
      features.push_back(static_cast<float>(rng.Unit() < 0.9 ? sign : -sign));
      for (int k = 0; k < 40; ++k) {
        features.push_back(static_cast<float>(0.15 * sign + 0.8 * (rng.Unit() - 0.5)));
      }
      labels.push_back(i % 2);
    }
  }
  DataView view() const { return {.features = features, .labels = labels}; }
};

struct Accuracies {
  double plain = 0, robust = 0;
};

Accuracies TrainOnTrap(const v1::AdversarySpec& adversary, const v1::PrivacySpec& privacy) {
  const Trap trap(1), fresh(2);
  v1::TrainingSpec training;
  training.set_optimiser("sgd");
  training.set_learning_rate(0.2);
  training.set_batch_size(100);
  training.set_local_steps(200);
  auto network = Network::Create(*model::ArchitectureOf(Spec("logistic", {41}, 2)));
  std::vector<float> weights(84);
  auto rng = SeededRng(1);
  const auto result = Train(*network, training, privacy, trap.view(), weights, rng, kNoProgress,
                            {.adversary = adversary});
  INFO(result.status());
  REQUIRE(result.ok());
  REQUIRE(result->steps == 200);
  const auto plain = Evaluate(*network, fresh.view(), weights, kNoProgress);
  const auto robust =
      RobustAccuracy(*network, fresh.view(), weights, Pgd(0.3, 10), rng, kNoProgress);
  REQUIRE(robust.ok());
  REQUIRE(robust->examples == 600);
  REQUIRE(robust->loss > plain->loss);
  return {plain->accuracy, robust->accuracy};
}

TEST_CASE("training on changed examples withstands them, with and without privacy", "[adversary]") {
  v1::PrivacySpec none;
  none.set_unit("none");
  v1::PrivacySpec noise;
  noise.set_unit("example");
  noise.set_clip_norm(1);
  noise.set_noise_multiplier(0.7);
  for (const v1::PrivacySpec& privacy : {none, noise}) {
    const Accuracies usual = TrainOnTrap({}, privacy);
    const Accuracies hardened = TrainOnTrap(Fgsm(0.3), privacy);
    REQUIRE(usual.plain > 0.95);
    REQUIRE(usual.robust < 0.3);
    REQUIRE(hardened.plain > 0.8);
    REQUIRE(hardened.robust > 0.75);
  }
}

// One step with privacy is the sum of the clipped gradients at the changed examples, whichever way
// they are computed.
void RequirePrivateStep(Network& network, World& world, std::span<const float> changed,
                        const std::vector<float>& start) {
  std::vector<double> expected(start.size());
  world.network.Load(start);
  for (std::size_t i = 0; i < 20; ++i) {
    std::vector<float> gradient(start.size());
    const Batch one{.features = changed.subspan(i * 6, 6), .labels = world.Rows(i, 1).labels};
    REQUIRE(world.network.AddGradients(one, gradient).ok());
    const double factor = std::min(1.0, 0.5 / Norm(gradient));
    for (std::size_t k = 0; k < start.size(); ++k) {
      expected[k] += factor * static_cast<double>(gradient[k]);
    }
  }
  v1::TrainingSpec training;
  training.set_learning_rate(1);
  training.set_batch_size(20);
  training.set_local_steps(1);
  v1::PrivacySpec privacy;
  privacy.set_unit("example");
  privacy.set_clip_norm(0.5);
  privacy.set_sampling_rate(1);
  std::vector<float> update = start;
  auto rng = SeededRng(1);
  const auto result =
      Train(network, training, privacy, {.features = world.features, .labels = world.labels},
            update, rng, kNoProgress, {.adversary = Fgsm(0.4)});
  INFO(result.status());
  REQUIRE(result.ok());
  REQUIRE(result->steps == 1);
  REQUIRE(result->sampling_rate == 1);
  for (std::size_t k = 0; k < start.size(); ++k) {
    REQUIRE(update[k] == Approx(-expected[k] / 20).margin(1e-5));
  }
}

// The same model as a script gives the same changed examples, and one that mixes examples or reads
// tokens is refused.
TEST_CASE("scripts are trained on changed examples by every way to their gradients",
          "[adversary]") {
  const v1::ModelSpec twin = Spec("logistic", {6}, 3);
  World world = Make(twin, 20);
  const auto expected = Changed(Fgsm(0.4), world, world.Rows(0, 20));
  for (const auto& [product, method] :
       {std::pair{"torch.linear(x, self.w, self.b)", "book-keeping"},
        {"torch.linear(torch.flip(torch.flip(x, [1]), [1]), self.w, self.b)", "vmap: "},
        {"torch.linear(x * (2.0 if float(x.sum()) > 1e9 else 1.0), self.w, self.b)",
         "single examples: "}}) {
    INFO(product);
    const ScriptFile file({{"", "w", {3, 6}}, {"", "b", {3}}},
                          Join("def forward(self, x):\n    return ", product, "\n"));
    auto network = file.Open(file.Spec({6}, 3));
    INFO(network.status());
    REQUIRE(network.ok());
    const auto way = network->GradientMethod();
    INFO(way.status());
    REQUIRE(way.ok());
    INFO(*way);
    REQUIRE(way->starts_with(method));
    std::vector<float> start(world.network.weights().begin(), world.network.weights().end());
    network->Load(start);
    auto rng = SeededRng(1);
    const auto changed =
        Of(Fgsm(0.4), *network).Changed(*network, world.Rows(0, 20), Mode::kTraining, rng);
    INFO(changed.status());
    REQUIRE(*changed == expected);
    RequirePrivateStep(*network, world, expected, start);
  }
}

TEST_CASE("a script whose loss does not follow from its features by a gradient is refused",
          "[adversary]") {
  const ScriptFile file({{"", "w", {5, 3}}}, R"(
def forward(self, x):
    return torch.embedding(self.w, x.clamp(0, 4).long()).sum(1)
)");
  auto network = file.Open(file.Spec({2}, 3));
  INFO(network.status());
  REQUIRE(network.ok());
  const std::vector<float> features{1, 4};
  const std::vector<std::uint32_t> labels{2};
  auto rng = SeededRng(1);
  const auto changed =
      Of(Fgsm(1), *network)
          .Changed(*network, {.features = features, .labels = labels}, Mode::kTraining, rng);
  REQUIRE(changed.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(MessageOf(changed.status()).find("numbers of tokens") != std::string_view::npos);
}

TEST_CASE("training with privacy refuses a script that mixes examples, changed or not",
          "[adversary]") {
  const ScriptFile file({{"", "w", {3, 6}}}, R"(
def forward(self, x):
    return torch.linear(x - x.mean(0), self.w)
)");
  World world = Make(Spec("logistic", {6}, 3), 20);
  std::vector<float> weights(18);
  auto rng = SeededRng(1);
  v1::TrainingSpec training;
  training.set_learning_rate(1);
  training.set_batch_size(20);
  training.set_local_steps(1);
  v1::PrivacySpec privacy;
  privacy.set_unit("example");
  privacy.set_clip_norm(0.5);
  const auto result = Train(file.Spec({6}, 3), training, privacy,
                            {.features = world.features, .labels = world.labels}, weights, rng,
                            kNoProgress, {.adversary = Fgsm(0.4)}, file.path());
  INFO(result.status());
  REQUIRE(result.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(MessageOf(result.status()).find("depends on the other examples") !=
          std::string_view::npos);
}

}  // namespace
}  // namespace tutti::learn
