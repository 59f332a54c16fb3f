#include "client/learner.h"

#include <fstream>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "tests/catch.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
namespace {

// Nobody answers; what is asked for is counted.
class DeadLink final : public client_rpc::Link {
 public:
  Status Send(const protocol::Request&, std::stop_token) override { return Unavailable("dead"); }
  StatusOr<Bytes> FetchModel(const Digest&, std::uint64_t, std::stop_token) override {
    ++fetches;
    return Unavailable("dead");
  }
  Status Upload(const protocol::UploadHeader&, client_rpc::SharedBytes, std::stop_token) override {
    return Unavailable("dead");
  }
  void SetBudget(const protocol::BudgetReport&) override {}

  int fetches = 0;
};

// A job of a TorchScript file with two weights.
v1::TaskSpec ScriptTask(const std::string& sha256) {
  v1::TaskSpec task;
  v1::ModelSpec& model = *task.mutable_model();
  model.set_architecture("torchscript");
  model.set_torchscript_sha256(sha256);
  model.add_input_shape(1);
  model.set_classes(2);
  v1::ParameterSpec& weight = *model.add_parameters();
  weight.set_name("w");
  weight.add_shape(2);
  return task;
}

}  // namespace

TEST_CASE("nothing is fetched for a TorchScript file that is not on the device", "[client]") {
  const TestFolder folder;
  const std::string file = folder.path() + "/model.pt";
  const auto hash_of = [](const std::string& text) { return ToHex(crypto::Sha256(AsBytes(text))); };
  crypto::SystemRng rng;
  DeadLink link;
  v1::ClientConfig config;
  config.mutable_trainer()->set_torchscript_directory(folder.path());
  const client_store::JobMemory memory(folder.path(), "coordinator");
  Learner learner(config, {}, link, rng, memory);
  secagg::RoundConfig round;
  round.job = "job";
  round.round = 1;
  const ModelRef model{.sha256 = {}, .bytes = 2 * sizeof(float) + 100};
  const auto failures = [&](const std::string& sha256) {
    const v1::TaskSpec task = ScriptTask(sha256);
    const auto trained = learner.Prepare(model, task, round, {}, {});
    const auto evaluated = learner.Evaluate(model, task, {});
    REQUIRE_FALSE(trained.value);
    REQUIRE_FALSE(evaluated.value);
    REQUIRE(trained.failure.code == evaluated.failure.code);
    REQUIRE(trained.failure.reason == evaluated.failure.reason);
    return trained.failure;
  };
  // No file; then another file, which is as good as none. The owner's paths stay on the device.
  for (const bool wrong : {false, true}) {
    if (wrong) std::ofstream(file) << "another model";
    const Failure failure = failures(hash_of("the model"));
    REQUIRE(failure.code == "POLICY");
    REQUIRE(failure.reason == "the TorchScript file with SHA-256 " + hash_of("the model") +
                                  " is not installed on this device; its owner has to put it into "
                                  "trainer.torchscript_directory");
    REQUIRE(failure.detail.code() == StatusCode::kNotFound);
    REQUIRE(MessageOf(failure.detail).find(wrong ? "none of the 1 files" : "none of the 0 files") ==
            0);
    REQUIRE(link.fetches == 0);
  }
  // A hash that is none is escaped and cut.
  REQUIRE(failures(std::string(500, '\n')).reason.size() < 400);
  // The file itself: the way is free as far as the coordinator's weights.
  std::ofstream(file) << "the model";
  REQUIRE(failures(hash_of("the model")).code == "MODEL_MISMATCH");
  REQUIRE(link.fetches == 2);
  // Models made of layers need none.
  v1::TaskSpec layers = ScriptTask("");
  layers.mutable_model()->Clear();
  layers.mutable_model()->set_architecture("logistic");
  layers.mutable_model()->add_input_shape(1);
  layers.mutable_model()->set_classes(2);
  REQUIRE(learner.Evaluate({.sha256 = {}, .bytes = 100}, layers, {}).failure.code ==
          "MODEL_MISMATCH");
  REQUIRE(link.fetches == 3);
}

}  // namespace tutti::client
