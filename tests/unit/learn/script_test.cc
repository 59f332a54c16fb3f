// Models in TorchScript files: computed as their twins made of layers, and refused by name.
// Torch headers come before Catch2's (tests/catch.h).
#include "tests/unit/learn/script_file.h"

#include <cmath>

#include "client/trainer/supervisor.h"
#include "common/learn/network.h"
#include "common/learn/train.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};

const std::vector<Part> kMlp = {{"one", "bias", {8}},  // sorted by name, as they are often saved
                                {"one", "weight", {8, 6}},
                                {"two", "bias", {3}},
                                {"two", "weight", {3, 8}}};
const std::string kMlpCode = R"(
def forward(self, x):
    h = torch.relu(torch.linear(x, self.one.weight, self.one.bias))
    return torch.linear(h, self.two.weight, self.two.bias)
)";

// The weights of a twin made of layers, whose parameters are named `twin` in the script's order.
std::vector<float> InOrder(const model::Layout& twin, std::span<const float> values,
                           const std::vector<std::string>& order) {
  std::vector<float> sorted;
  for (const std::string& name : order) {
    for (const model::Parameter& parameter : twin.parameters) {
      if (parameter.name == name) {
        const auto part = values.subspan(parameter.offset, parameter.values);
        sorted.insert(sorted.end(), part.begin(), part.end());
      }
    }
  }
  REQUIRE(sorted.size() == values.size());
  return sorted;
}

void RequireTwins(const ScriptFile& file, const v1::ModelSpec& script, const v1::ModelSpec& layers,
                  const std::vector<std::string>& order) {
  constexpr std::size_t kExamples = 12;
  const auto twin = model::ArchitectureOf(layers).value();
  auto expected = Network::Create(twin);
  auto network = file.Open(script);
  INFO(network.status());
  REQUIRE(network.ok());
  const auto weights = model::InitialWeights(twin.layout, 3);
  std::copy(weights.begin(), weights.end(), expected->weights().begin());
  const auto sorted = InOrder(twin.layout, weights, order);
  std::copy(sorted.begin(), sorted.end(), network->weights().begin());

  std::size_t width = 1;
  for (const std::uint64_t size : twin.input) width *= size;
  TestRng rng(4);
  std::vector<float> features(kExamples * width);
  std::vector<std::uint32_t> labels(kExamples);
  for (float& value : features) value = static_cast<float>(4 * rng.Unit() - 2);
  for (std::uint32_t& label : labels) label = static_cast<std::uint32_t>(rng.Below(twin.classes));
  const Batch batch{.features = features, .labels = labels};

  REQUIRE(network->GradientMethod().value() == "book-keeping");
  std::vector<float> wanted(weights.size()), found(weights.size());
  const auto wanted_loss = expected->AddClippedGradients(batch, 0.7, wanted);
  const auto found_loss = network->AddClippedGradients(batch, 0.7, found);
  REQUIRE(found_loss.ok());
  REQUIRE(found_loss->clipped == wanted_loss->clipped);
  REQUIRE(found_loss->clipped > 0);
  REQUIRE(found_loss->loss_sum == Approx(wanted_loss->loss_sum).epsilon(1e-5));
  const auto wanted_sorted = InOrder(twin.layout, wanted, order);
  for (std::size_t i = 0; i < found.size(); ++i) {
    REQUIRE(std::abs(found[i] - wanted_sorted[i]) < 2e-6F);
  }
  REQUIRE(network->Score(batch)->correct == expected->Score(batch)->correct);
}

TEST_CASE("a script gives the clipped sums of its twin made of layers", "[script]") {
  const ScriptFile mlp(kMlp, kMlpCode);
  v1::ModelSpec layers = mlp.Spec({6}, 3);
  layers.clear_torchscript_sha256();
  layers.clear_parameters();
  layers.set_architecture("mlp");
  layers.add_hidden(8);
  RequireTwins(mlp, mlp.Spec({6}, 3), layers, {"0.bias", "0.weight", "2.bias", "2.weight"});

  const ScriptFile cnn({{"conv", "weight", {4, 1, 3, 3}},
                        {"conv", "bias", {4}},
                        {"", "head", {3, 64}},
                        {"", "offset", {3}}},
                       R"(
def forward(self, x):
    h = torch.tanh(torch.conv2d(x, self.conv.weight, self.conv.bias, [1, 1], [0, 0], [1, 1], 1))
    return torch.linear(torch.flatten(h, 1), self.head, self.offset)
)");
  layers = v1::ModelSpec();
  layers.set_architecture("layers");
  layers.add_input_shape(6);
  layers.add_input_shape(6);
  layers.set_classes(3);
  layers.add_layers()->set_type("conv2d");
  layers.mutable_layers(0)->set_outputs(4);
  layers.mutable_layers(0)->set_kernel(3);
  layers.add_layers()->set_type("tanh");
  layers.add_layers()->set_type("flatten");
  layers.add_layers()->set_type("linear");
  layers.mutable_layers(3)->set_outputs(3);
  RequireTwins(cnn, cnn.Spec({6, 6}, 3), layers, {"0.weight", "0.bias", "3.weight", "3.bias"});
}

TEST_CASE("a script trains with privacy, with and without the fast rules", "[script]") {
  for (const auto& [product, method] :
       {std::pair{"torch.linear(x, self.w, self.b)", "book-keeping"},
        {"torch.linear(torch.flip(x, [1]), self.w, self.b)", ": "}}) {
    const ScriptFile file({{"", "w", {2, 2}}, {"", "b", {2}}},
                          Join("def forward(self, x):\n    return ", product, "\n"));
    const v1::ModelSpec spec = file.Spec({2}, 2);
    std::vector<float> features;
    std::vector<std::uint32_t> labels;
    TestRng rng(5);
    for (std::uint32_t i = 0; i < 200; ++i) {
      for (int k = 0; k < 2; ++k) {
        features.push_back(
            static_cast<float>((i % 2 == 1 ? 1.0 : -1.0) + 0.8 * (rng.Unit() - 0.5)));
      }
      labels.push_back(i % 2);
    }
    const DataView data{.features = features, .labels = labels};
    v1::TrainingSpec training;
    training.set_learning_rate(0.5);
    training.set_batch_size(50);
    training.set_local_steps(20);
    v1::PrivacySpec privacy;
    privacy.set_unit("example");
    privacy.set_clip_norm(1);
    privacy.set_noise_multiplier(0.5);
    std::vector<float> weights(6);
    auto secure = SeededRng(1);
    const auto result =
        Train(spec, training, privacy, data, weights, secure, kNoProgress, {}, file.path());
    INFO(result.status());
    REQUIRE(result.ok());
    INFO(result->method);
    REQUIRE(result->method.find(method) != std::string::npos);
    REQUIRE(result->noise_multiplier == 0.5);
    const auto score = Evaluate(spec, data, weights, kNoProgress, file.path());
    REQUIRE(score.ok());
    REQUIRE(score->accuracy > 0.95);
  }
}

// The file is refused with this text.
void RequireRefused(const ScriptFile& file, const v1::ModelSpec& spec, const std::string& text,
                    StatusCode code = StatusCode::kInvalidArgument) {
  const auto network = file.Open(spec);
  INFO(network.status());
  REQUIRE(network.status().code() == code);
  REQUIRE(MessageOf(network.status()).find(text) != std::string_view::npos);
}

TEST_CASE("only the file with the job's hash is loaded", "[script]") {
  const ScriptFile file(kMlp, kMlpCode);
  v1::ModelSpec spec = file.Spec({6}, 3);
  const auto none = Network::Create(model::ArchitectureOf(spec).value());
  REQUIRE(none.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(MessageOf(none.status()).find("trainer.torchscript_directory") != std::string_view::npos);
  REQUIRE(Network::Create(model::ArchitectureOf(spec).value(), file.folder()).status().code() ==
          StatusCode::kNotFound);
  spec.set_torchscript_sha256(std::string(64, 'a'));
  RequireRefused(file, spec, "it was not loaded", StatusCode::kFailedPrecondition);
  // A file that is no archive is refused for its hash before anything parses it.
  const v1::ModelSpec right = file.Spec({6}, 3);
  std::ofstream(file.path(), std::ios::app) << "more";
  RequireRefused(file, right, "it was not loaded", StatusCode::kFailedPrecondition);
}

TEST_CASE("a script that is not the model of the layout is refused", "[script]") {
  const ScriptFile file(kMlp, kMlpCode);
  v1::ModelSpec spec = file.Spec({6}, 3);
  spec.mutable_parameters(1)->set_name("one.weights");
  RequireRefused(file, spec, "the script has no parameter \"one.weights\"");
  spec = file.Spec({6}, 3);
  spec.mutable_parameters(1)->set_shape(0, 9);
  RequireRefused(file, spec, "the script's parameter \"one.weight\" has shape [8, 6]");
  spec = file.Spec({6}, 3);
  spec.mutable_parameters()->RemoveLast();
  RequireRefused(file, spec, "the script has the parameter \"two.weight\"");
  RequireRefused(file, file.Spec({6}, 4), "expected Float of shape [2, 4]");
  RequireRefused(file, file.Spec({7}, 3), "the script fails on 2 examples of shape [7]: ");
}

TEST_CASE("a parameter that a script holds twice is one parameter, or the script is refused",
          "[script]") {
  const auto listed = [](torch::jit::Module& module, const at::Tensor& w) {
    module.register_attribute("all", c10::ListType::create(c10::TensorType::get()),
                              c10::List<at::Tensor>({w}));
  };
  const std::vector<Part> parts = {{"", "w", {3, 2}}};
  const ScriptFile list(parts, "def forward(self, x):\n    return torch.linear(x, self.all[0])\n",
                        {}, listed);
  auto network = list.Open(list.Spec({2}, 3));
  INFO(network.status());
  REQUIRE(network.ok());
  const std::vector<float> x{1, -1};
  const std::vector<std::uint32_t> labels{2};
  std::vector<float> sum(6);
  REQUIRE(network->AddClippedGradients({.features = x, .labels = labels}, 1, sum).ok());
  REQUIRE(std::abs(sum[4]) > 0.1F);

  const auto named = [](torch::jit::Module& module, const at::Tensor& w) {
    module.register_attribute("again", c10::TensorType::get(), w);
  };
  const ScriptFile twice(parts, "def forward(self, x):\n    return torch.linear(x, self.again)\n",
                         {}, named);
  RequireRefused(twice, twice.Spec({2}, 3), "holds the parameter \"w\" under another name");
}

TEST_CASE("a script that keeps something or mixes examples is refused by name", "[script]") {
  const ScriptFile norm({{"", "w", {3, 2}}},
                        R"(
def forward(self, x):
    h = torch.batch_norm(x, None, None, self.mean, self.variance, True, 0.1, 0.00001, False)
    return torch.linear(h, self.w)
)",
                        {"mean", "variance"});
  RequireRefused(norm, norm.Spec({2}, 3), "use group_norm or layer_norm");
  const ScriptFile mixing({{"", "w", {3, 2}}}, R"(
def forward(self, x):
    h = torch.batch_norm(x, None, None, None, None, True, 0.1, 0.00001, False)
    return torch.linear(h, self.w)
)");
  auto network = mixing.Open(mixing.Spec({2}, 3));
  REQUIRE(network.ok());
  const auto method = network->GradientMethod();
  REQUIRE(method.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(MessageOf(method.status()).find("which mixes the examples of a batch") !=
          std::string_view::npos);
  const ScriptFile keeping({{"", "w", {3, 2}}},
                           R"(
def forward(self, x):
    if bool(x.sum() > 1000.0):
        self.last = x
    return torch.linear(x, self.w)
)",
                           {"last"});
  RequireRefused(keeping, keeping.Spec({2}, 3), "the script changes \"last\"");
  // A buffer that stays as it is belongs to the model.
  const ScriptFile constant({{"", "w", {3, 2}}},
                            "def forward(self, x):\n    return torch.linear(x + self.c, self.w)\n",
                            {"c"});
  REQUIRE(constant.Open(constant.Spec({2}, 3)).ok());
}

TEST_CASE("the trainer program trains and evaluates a script, and refuses another file",
          "[script]") {
  const ScriptFile file({{"", "w", {2, 2}}, {"", "b", {2}}},
                        "def forward(self, x):\n    return torch.linear(x, self.w, self.b)\n");
  const std::string table = file.folder() + "/table.csv";
  std::ofstream out(table);
  out << "x,y,label\n";
  for (int i = 0; i < 100; ++i) {
    out << (i % 2 == 1 ? "1,0.8,1\n" : "-1,-0.7,0\n");
  }
  out.close();
  v1::TrainerConfig config;
  config.set_program(std::string(TUTTI_BIN_DIR) + "/tutti-trainer");
  config.set_threads(1);
  config.set_memory_mib(4096);
  config.set_idle_seconds(60);
  config.set_time_limit_seconds(240);
  config.set_hang_seconds(120);
  trainer::Supervisor supervisor(config);
  v1::TrainRequest request;
  request.mutable_data()->set_format("csv");
  request.mutable_data()->set_file(table);
  request.mutable_data()->mutable_csv()->set_label("label");
  *request.mutable_model() = file.Spec({2}, 2);
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(20);
  request.mutable_privacy()->set_unit("example");
  request.mutable_privacy()->set_clip_norm(1);
  request.mutable_privacy()->set_noise_multiplier(0.5);
  std::vector<float> weights(6);
  const auto nothing = supervisor.Train(request, weights, {});
  REQUIRE(nothing.status().code() == StatusCode::kFailedPrecondition);
  request.set_script_file(file.path());
  const auto trained = supervisor.Train(request, weights, {});
  INFO(trained.status());
  REQUIRE(trained.ok());
  REQUIRE(trained->reply.gradient_method() == "book-keeping");
  v1::EvaluateRequest evaluate;
  *evaluate.mutable_data() = request.data();
  *evaluate.mutable_model() = request.model();
  evaluate.set_script_file(file.path());
  evaluate.set_values(trained->update.size());
  const auto score = supervisor.Evaluate(evaluate, trained->update, {});
  REQUIRE(score.ok());
  REQUIRE(score->accuracy() > 0.95);
  request.mutable_model()->set_torchscript_sha256(std::string(64, 'a'));
  REQUIRE(MessageOf(supervisor.Train(request, weights, {}).status()).find("it was not loaded") !=
          std::string_view::npos);
  REQUIRE(supervisor.starts() == 1);
}

}  // namespace
}  // namespace tutti::learn
