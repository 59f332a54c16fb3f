// The real tutti-trainer under the daemon's supervisor, with a table of two clouds.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "client/trainer/supervisor.h"
#include "common/base/rng.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/learn/image_files.h"

namespace tutti::trainer {
namespace {

// A folder with a table of 200 rows: x, y and the class, 1 around (1, 1) and 0 around (-1, -1).
class Table {
 public:
  Table() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "tutti-trainer-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    std::ofstream file(path());
    TestRng rng(5);
    file << "x,y,label,side\n";
    for (int i = 0; i < 200; ++i) {
      const double centre = i % 2 == 1 ? 1.0 : -1.0;
      file << centre + 0.8 * (rng.Unit() - 0.5) << "," << centre + 0.8 * (rng.Unit() - 0.5) << ","
           << i % 2 << ","
           << (i % 5 == 0   ? "left"
               : i % 5 == 1 ? "right"
                            : "middle")
           << "\n";
    }
  }
  ~Table() { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "table.csv").string(); }

 private:
  std::filesystem::path folder_;
};

v1::TrainerConfig Config() {
  v1::TrainerConfig config;
  config.set_program(std::string(TUTTI_BIN_DIR) + "/tutti-trainer");
  config.set_threads(1);
  config.set_memory_mib(4096);
  config.set_idle_seconds(60);
  config.set_time_limit_seconds(240);
  config.set_hang_seconds(120);
  return config;
}

v1::DataConfig Data(const Table& table) {
  v1::DataConfig data;
  data.set_format("csv");
  data.set_file(table.path());
  data.mutable_csv()->set_label("label");
  data.mutable_csv()->add_features("x");
  data.mutable_csv()->add_features("y");
  return data;
}

v1::ModelSpec Model() {
  v1::ModelSpec model;
  model.set_architecture("logistic");
  model.add_input_shape(2);
  model.set_classes(2);
  model.set_seed(1);
  return model;
}

TEST_CASE("the trainer program describes, trains with and without privacy, and evaluates",
          "[trainer]") {
  const Table table;
  Supervisor supervisor(Config());
  v1::DescribeRequest describe;
  *describe.mutable_data() = Data(table);
  *describe.mutable_model() = Model();
  const auto described = supervisor.Describe(describe, {});
  INFO(described.status());
  REQUIRE(described.ok());
  REQUIRE(described->examples() == 200);
  REQUIRE(described->class_counts(1) == 100);
  REQUIRE_FALSE(described->torch_version().empty());
  REQUIRE_FALSE(described->blas().empty());

  std::vector<float> weights = *model::InitialWeights(Model());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  *request.mutable_model() = Model();
  request.mutable_training()->set_optimiser("sgd");
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(40);
  request.mutable_privacy()->set_unit("example");
  request.mutable_privacy()->set_clip_norm(1);
  request.mutable_privacy()->set_noise_multiplier(1);
  const auto trained = supervisor.Train(request, weights, {});
  INFO(trained.status());
  REQUIRE(trained.ok());
  REQUIRE(trained->reply.examples() == 200);
  REQUIRE(trained->reply.steps() == 40);
  REQUIRE(trained->reply.sampling_rate() == 0.25);
  REQUIRE(trained->reply.noise_multiplier() == 1);
  REQUIRE(trained->reply.gradient_method() == "book-keeping");
  REQUIRE(trained->reply.cpu_seconds() > 0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] += trained->update[i];
  }

  request.mutable_privacy()->set_unit("none");
  const auto plain = supervisor.Train(request, weights, {});
  REQUIRE(plain.ok());
  REQUIRE(plain->reply.gradient_method() == "plain");
  REQUIRE(plain->reply.sampling_rate() == 0);

  v1::EvaluateRequest evaluate;
  *evaluate.mutable_data() = Data(table);
  *evaluate.mutable_model() = Model();
  evaluate.set_values(weights.size());
  const auto score = supervisor.Evaluate(evaluate, weights, {});
  INFO(score.status());
  REQUIRE(score.ok());
  REQUIRE(score->examples() == 200);
  REQUIRE(score->accuracy() > 0.95);
  REQUIRE(supervisor.starts() == 1);
}

TEST_CASE("the trainer program trains on changed examples, or says why it cannot", "[trainer]") {
  const Table table;
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  *request.mutable_model() = Model();
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(200);
  request.mutable_training()->set_local_steps(40);
  request.mutable_privacy()->set_unit("none");
  const std::vector<float> start(6);
  const auto loss = [&](const std::string& kind) {
    request.mutable_adversary()->set_kind(kind);
    const auto trained = supervisor.Train(request, start, {});
    INFO(trained.status());
    REQUIRE(trained.ok());
    REQUIRE(trained->reply.steps() == 40);
    return trained->reply.loss();
  };
  request.mutable_adversary()->set_radius(0.5);
  request.mutable_adversary()->set_steps(5);
  request.mutable_adversary()->set_share(1);
  const double plain = loss("none");
  REQUIRE(loss("fgsm") > plain + 0.02);
  REQUIRE(loss("pgd") > plain + 0.02);
  request.mutable_adversary()->set_radius(0);
  REQUIRE(MessageOf(supervisor.Train(request, start, {}).status()).find("adversary.radius is 0") !=
          std::string_view::npos);
}

TEST_CASE("the trainer program predicts a number when data and job both say so", "[trainer]") {
  const Table table;  // the label, 0 or 1, as a number
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  request.mutable_data()->set_target("number");
  v1::ModelSpec& model = *request.mutable_model();
  model.set_architecture("linear");
  model.add_input_shape(2);
  model.set_classes(1);
  request.mutable_training()->set_learning_rate(0.1);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(60);
  request.mutable_training()->set_loss("mse");
  request.mutable_privacy()->set_unit("none");
  const auto trained = supervisor.Train(request, std::vector<float>(3), {});
  INFO(trained.status());
  REQUIRE(trained.ok());
  v1::EvaluateRequest evaluate;
  *evaluate.mutable_data() = request.data();
  *evaluate.mutable_model() = model;
  evaluate.set_values(3);
  const auto score = supervisor.Evaluate(evaluate, trained->update, {});
  INFO(score.status());
  REQUIRE(score.ok());
  REQUIRE(score->loss() < 0.05);  // the variance is 0.25
  REQUIRE(score->accuracy() == -1);

  request.mutable_data()->set_target("class");
  REQUIRE(MessageOf(supervisor.Train(request, std::vector<float>(3), {}).status())
              .find("needs data.target = \"number\"") != std::string_view::npos);
  request.mutable_data()->set_target("number");
  model.set_classes(2);
  model.set_architecture("logistic");
  request.mutable_training()->clear_loss();
  REQUIRE(MessageOf(supervisor.Train(request, std::vector<float>(6), {}).status())
              .find("data.target is \"number\", the job's model has 2 classes") !=
          std::string_view::npos);
}

TEST_CASE("the trainer program trains and evaluates on features, and on the images again",
          "[trainer]") {
  const ImageFiles files(200, 0);
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  request.mutable_data()->set_format("idx");
  request.mutable_data()->set_images(files.images());
  request.mutable_data()->set_labels(files.labels());
  v1::ModelSpec& model = *request.mutable_model();
  model.set_architecture("logistic");
  model.add_input_shape(ImageFiles::kSide);
  model.add_input_shape(ImageFiles::kSide);
  model.set_classes(2);
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(20);
  request.mutable_privacy()->set_unit("example");
  request.mutable_privacy()->set_clip_norm(1);
  request.mutable_privacy()->set_noise_multiplier(0.5);
  // Other features and other groups need other inputs; the same ones again do not.
  for (const auto& [features, groups, values] : {std::tuple{"none", 0U, 64U * 2 + 2},
                                                 {"scattering", 0U, 81U * 4 * 2 + 2},
                                                 {"scattering", 27U, 81U * 4 * 2 + 2},
                                                 {"none", 0U, 64U * 2 + 2}}) {
    model.set_features(features);
    model.set_feature_groups(groups);
    std::vector<float> weights(values);
    for (int round = 0; round < 2; ++round) {
      const auto trained = supervisor.Train(request, weights, {});
      INFO(trained.status());
      REQUIRE(trained.ok());
      REQUIRE(trained->reply.gradient_method() == "book-keeping");
      for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] += trained->update[i];
      }
    }
    v1::EvaluateRequest evaluate;
    *evaluate.mutable_data() = request.data();
    *evaluate.mutable_model() = model;
    evaluate.set_values(weights.size());
    const auto score = supervisor.Evaluate(evaluate, weights, {});
    INFO(features << " " << groups << " " << score.status());
    REQUIRE(score.ok());
    REQUIRE(score->accuracy() > 0.9);
  }
  REQUIRE(supervisor.starts() == 1);
}

TEST_CASE("examples kept for validation are measured and not trained on", "[trainer]") {
  const Table table;
  Supervisor supervisor(Config());
  v1::DescribeRequest describe;
  *describe.mutable_data() = Data(table);
  describe.mutable_data()->set_validation_fraction(0.3);
  *describe.mutable_model() = Model();
  const auto described = supervisor.Describe(describe, {});
  INFO(described.status());
  REQUIRE(described.ok());
  REQUIRE(described->examples() > 110);  // 140 expected
  REQUIRE(described->examples() < 170);
  REQUIRE(described->class_counts(0) + described->class_counts(1) == described->examples());

  std::vector<float> weights = *model::InitialWeights(Model());
  v1::TrainRequest request;
  *request.mutable_data() = describe.data();
  *request.mutable_model() = Model();
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(5);
  request.mutable_privacy()->set_unit("none");
  REQUIRE(supervisor.Train(request, weights, {})->reply.examples() == described->examples());

  v1::EvaluateRequest evaluate;
  *evaluate.mutable_data() = describe.data();
  *evaluate.mutable_model() = Model();
  evaluate.set_values(weights.size());
  REQUIRE(supervisor.Evaluate(evaluate, weights, {})->examples() == 200 - described->examples());
}

TEST_CASE("the trainer program counts groups of the received model and trains by the tilts",
          "[trainer]") {
  const Table table;
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  *request.mutable_model() = Model();
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(200);
  request.mutable_training()->set_local_steps(1);
  request.mutable_privacy()->set_unit("none");
  v1::FairnessSpec& fairness = *request.mutable_counted()->mutable_fairness();
  fairness.set_attribute("side");
  fairness.add_groups("right");
  fairness.add_groups("left");
  fairness.set_rule("penalty");
  fairness.set_positive_class(1);
  // Says 1 where x is above 0, which is right.
  const std::vector<float> weights{0, 0, 1, 0, 0, 0};
  const Status refused = supervisor.Train(request, weights, {}).status();
  REQUIRE(refused.code() == StatusCode::kFailedPrecondition);
  REQUIRE(MessageOf(refused).find("data.sensitive") != std::string_view::npos);

  request.mutable_data()->add_sensitive("side");
  const auto plain = supervisor.Train(request, weights, {});
  INFO(plain.status());
  REQUIRE(plain.ok());
  const std::vector<std::uint64_t> counts(plain->reply.counts().begin(),
                                          plain->reply.counts().end());
  REQUIRE(counts == std::vector<std::uint64_t>{20, 0, 0, 20, 20, 0, 0, 20});
  const auto train = [&](double tilt) {
    request.clear_tilts();
    for (int i = 0; i < 4; ++i) request.add_tilts(tilt);
    const auto trained = supervisor.Train(request, weights, {});
    INFO(trained.status());
    REQUIRE(trained.ok());
    return trained->update;
  };
  // Where all probabilities cost something they fall.
  REQUIRE(train(0)[5] == Approx(plain->update[5]).margin(1e-6));
  REQUIRE(train(5)[5] < plain->update[5] - 0.1F);
  REQUIRE(train(-5)[5] > plain->update[5] + 0.1F);
  request.set_tilts(0, 51);
  REQUIRE(supervisor.Train(request, weights, {}).status().code() == StatusCode::kInvalidArgument);

  // The validation part is counted where there is one.
  request.clear_tilts();
  request.mutable_data()->set_validation_fraction(0.3);
  const auto part = supervisor.Train(request, weights, {});
  REQUIRE(part.ok());
  std::uint64_t counted = 0;
  for (const std::uint64_t count : part->reply.counts()) counted += count;
  REQUIRE(counted > 5);  // 24 expected
  REQUIRE(counted < 50);
}

TEST_CASE("the trainer program changes images in training as the owner says", "[trainer]") {
  const ImageFiles files(200, 0);
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  request.mutable_data()->set_format("idx");
  request.mutable_data()->set_images(files.images());
  request.mutable_data()->set_labels(files.labels());
  v1::ModelSpec& model = *request.mutable_model();
  model.set_architecture("logistic");
  model.add_input_shape(ImageFiles::kSide);
  model.add_input_shape(ImageFiles::kSide);
  model.set_classes(2);
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(200);
  request.mutable_training()->set_local_steps(1);
  request.mutable_privacy()->set_unit("none");
  const std::vector<float> weights(64 * 2 + 2);
  // One step on all examples: the same each time, unless they are changed at random.
  const auto plain = supervisor.Train(request, weights, {});
  REQUIRE(plain.ok());
  double apart = 0;
  for (int again = 0; again < 2; ++again) {
    const auto trained = supervisor.Train(request, weights, {});
    REQUIRE(trained.ok());
    apart = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      apart = std::max(apart, std::abs(double{trained->update[i]} - double{plain->update[i]}));
    }
    if (again == 0) {
      REQUIRE(apart < 1e-5);  // another order of the sum
      for (const char* word : {"shift", "noise"}) request.mutable_data()->add_augment(word);
    }
  }
  REQUIRE(apart > 1e-3);
  model.set_features("scattering");
  const auto refused = supervisor.Train(request, std::vector<float>(81 * 4 * 2 + 2), {});
  REQUIRE(TextOf(refused.status()).find("computed once") != std::string::npos);
}

TEST_CASE("only with an insecure seed does the trainer repeat its batches and noise", "[trainer]") {
  const Table table;
  const std::vector<float> weights = *model::InitialWeights(Model());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  *request.mutable_model() = Model();
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(3);
  request.mutable_privacy()->set_unit("example");
  request.mutable_privacy()->set_clip_norm(1);
  request.mutable_privacy()->set_noise_multiplier(1);
  const auto train = [&](Supervisor& supervisor, std::uint64_t seed) {
    request.set_insecure_noise_seed(seed);
    const auto trained = supervisor.Train(request, weights, {});
    INFO(trained.status());
    REQUIRE(trained.ok());
    return trained->update;
  };
  Supervisor one(Config());
  Supervisor other(Config());
  const std::vector<float> first = train(one, 7);
  REQUIRE(train(other, 7) == first);
  const std::vector<float> second = train(one, 7);  // the stream goes on
  REQUIRE(second != first);
  REQUIRE(train(other, 7) == second);
  REQUIRE(train(other, 8) != first);
  REQUIRE(train(one, 0) != train(other, 0));
}

TEST_CASE("the trainer program answers what it cannot do and stays", "[trainer]") {
  const Table table;
  Supervisor supervisor(Config());
  v1::TrainRequest request;
  *request.mutable_data() = Data(table);
  *request.mutable_model() = Model();
  request.mutable_training()->set_learning_rate(0.5);
  request.mutable_training()->set_batch_size(50);
  request.mutable_training()->set_local_steps(1);
  request.mutable_privacy()->set_unit("none");
  const auto few = supervisor.Train(request, std::vector<float>(5), {});
  REQUIRE(few.status().code() == StatusCode::kInvalidArgument);
  REQUIRE(MessageOf(few.status()).find("states 5 values, the model has 6") !=
          std::string_view::npos);
  request.mutable_data()->set_file(table.path() + ".missing");
  REQUIRE(supervisor.Train(request, std::vector<float>(6), {}).status().code() ==
          StatusCode::kNotFound);
  request.mutable_data()->set_file(table.path());
  request.mutable_model()->set_architecture("transformer");
  REQUIRE(supervisor.Train(request, std::vector<float>(6), {}).status().code() ==
          StatusCode::kInvalidArgument);
  request.mutable_model()->set_architecture("logistic");
  REQUIRE(supervisor.Train(request, std::vector<float>(6), {}).ok());
  REQUIRE(supervisor.starts() == 1);
}

}  // namespace
}  // namespace tutti::trainer
