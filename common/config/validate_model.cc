#include "common/config/validate_model.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/model/architecture.h"
#include "common/privacy/personal.h"
#include "common/strategy/clusters.h"

namespace tutti::config {
namespace {

// A key and the architectures that read it.
struct KeyOf {
  std::string_view key;
  std::vector<std::string_view> architectures;
  bool found = false;
};

std::vector<KeyOf> KeysOf(const v1::ModelSpec& model, const Rules& rules) {
  return {{"hidden", {"mlp"}, !model.hidden().empty()},
          {"normalisation", {"lenet5"}, model.normalisation() != "none"},
          {"vocabulary", {"text_bag", "transformer"}, model.vocabulary() != 0},
          {"width",
           {"resnet", "cnn1d", "gru", "text_bag", "transformer"},
           rules.IsSet("model.width") && model.width() != 16}};
}

bool Reads(const KeyOf& key, std::string_view architecture) {
  return std::find(key.architectures.begin(), key.architectures.end(), architecture) !=
         key.architectures.end();
}

// "only "mlp" has hidden layers" and the like.
std::string ReadersOf(const KeyOf& key) {
  if (key.key == "hidden") {
    return "only \"mlp\" has hidden layers";
  }
  std::string readers;
  for (const std::string_view name : key.architectures) {
    readers += Join(readers.empty() ? "" : ", ", "\"", name, "\"");
  }
  return Join("only ", readers, key.architectures.size() > 1 ? " read it" : " reads it");
}

// A model in a TorchScript file: its hash, and the weights that give it its layout.
void CheckScript(const v1::JobConfig& job, Rules& rules) {
  const v1::ModelSpec& model = job.model();
  if (!model::IsScript(model)) {
    const std::string remove = Join("found with architecture \"", model.architecture(),
                                    "\"; only \"torchscript\" reads it, remove it");
    if (!model.torchscript_sha256().empty()) {
      rules.Add({"model.torchscript_sha256", "model.architecture"}, remove);
    }
    if (!model.parameters().empty()) {
      rules.Add({"model.parameters", "model.architecture"}, remove);
    }
    return;
  }
  if (!model::IsSha256Text(model.torchscript_sha256())) {
    rules.Add({"model.torchscript_sha256", "model.architecture"},
              Join("found \"", Escaped(model.torchscript_sha256(), 80),
                   "\", expected the 64 hexadecimal digits, in lower case, that sha256sum prints "
                   "for the file"));
  }
  if (job.warm_start().empty()) {
    rules.Add({"warm_start", "model.architecture"},
              "missing: architecture = \"torchscript\" needs a safetensors file with the first "
              "weights, which also tells the coordinator their names and shapes");
  }
}

// `model` without what other rules report, so that the rest of it is checked all the same.
v1::ModelSpec Sized(const v1::ModelSpec& model, const std::vector<KeyOf>& keys) {
  v1::ModelSpec sized = model;
  if (model.architecture() != "layers") {
    sized.clear_layers();
  }
  for (const KeyOf& key : keys) {
    if (key.found && !Reads(key, model.architecture())) {
      sized.GetReflection()->ClearField(
          &sized, sized.GetDescriptor()->FindFieldByName(std::string(key.key)));
    }
  }
  sized.clear_torchscript_sha256();
  if (!model::IsScript(model)) {
    sized.clear_parameters();
    return sized;
  }
  sized.set_torchscript_sha256(std::string(64, '0'));
  if (sized.parameters().empty()) {
    sized.add_parameters()->set_name("of-warm-start");  // known when the job is submitted
    sized.clear_frozen();
    sized.clear_personal();
  }
  return sized;
}

void CheckArchitecture(const v1::ModelSpec& model, Rules& rules) {
  const std::string& architecture = model.architecture();
  if (architecture == "layers" && model.layers().empty()) {
    rules.Add(
        {"model.layers", "model.architecture"},
        "no layer found; write one [[model.layers]] for each, or choose another architecture, "
        "for instance \"logistic\" or \"mlp\"");
    return;
  }
  if (architecture != "layers" && !model.layers().empty()) {
    rules.Add({"model.layers", "model.architecture"},
              Join("found layers with architecture \"", architecture,
                   "\"; remove them, or set architecture = \"layers\""));
  }
  const std::vector<KeyOf> keys = KeysOf(model, rules);
  for (const KeyOf& key : keys) {
    if (key.found && !Reads(key, architecture)) {
      rules.Add(
          {Join("model.", key.key), "model.architecture"},
          Join("found with architecture \"", architecture, "\"; ", ReadersOf(key), ", remove it"));
    }
  }
  if (const auto layout = model::LayoutOf(Sized(model, keys)); !layout.ok()) {
    rules.Add(
        {architecture == "layers" ? "model.layers" : "model.input_shape", "model.architecture",
         "model.classes", "model.hidden", "model.vocabulary", "model.layers", "model.parameters",
         "model.frozen", "model.personal", "model.adapter_rank", "model.input_shape"},
        "the model does not fit together: " + std::string(MessageOf(layout.status())));
  }
}

// Which parameters are trained, and by whom.
void CheckParts(const v1::JobConfig& job, Rules& rules) {
  const v1::ModelSpec& model = job.model();
  if (!model.frozen().empty() && job.warm_start().empty()) {
    rules.Add({"model.frozen", "warm_start"},
              "found without warm_start: the frozen parameters would stay random; name the file "
              "with their values");
  }
  if (model.adapter_rank() > 0 && job.warm_start().empty()) {
    rules.Add({"model.adapter_rank", "warm_start"},
              "found without warm_start: the weights that are adapted would stay random; name the "
              "file with their values");
  }
  if (const Status covered = privacy::CheckPersonal(model, job.privacy()); !covered.ok()) {
    rules.Add({"model.personal", "privacy.noise", "privacy.unit"}, std::string(MessageOf(covered)));
  }
}

void CheckLoss(const v1::JobConfig& job, Rules& rules) {
  const std::string& loss = job.training().loss();
  const std::uint32_t classes = job.model().classes();
  if (loss == "cross_entropy" && classes == 1 && !model::HasCentres(job.model())) {
    rules.Add({"training.loss", "model.classes"},
              "found \"cross_entropy\" with classes = 1, which is a number that is predicted; set "
              "\"mse\" or \"huber\", or the number of classes");
  }
  if ((loss == "mse" || loss == "huber") && classes > 1 && !model::HasCentres(job.model())) {
    rules.Add({"training.loss", "model.classes"},
              Join("found \"", Escaped(loss, 40), "\" with classes = ", classes,
                   ", expected classes = 1: the number that is predicted; or set "
                   "\"cross_entropy\""));
  }
}

// What a client's step and the coordinator's have to be for the centres to be means.
void CheckClusters(const v1::JobConfig& job, Rules& rules) {
  for (const strategy::ClusterProblem& problem : strategy::ClusterProblems(TaskOf(job, 0))) {
    rules.Add({problem.key, "model.architecture"}, problem.text);
  }
  if (!model::HasCentres(job.model())) return;
  const v1::ServerOptimiserSpec& server = job.server();
  if (!server.optimiser().empty() && server.optimiser() != "fedavg") {
    rules.Add({"server.optimiser", "model.architecture"},
              Join("found \"", server.optimiser(),
                   "\" where clusters are found, whose centres are divided sums; use \"fedavg\""));
  }
  if (server.learning_rate() != 1) {
    rules.Add({"server.learning_rate", "model.architecture"},
              Join("found ", server.learning_rate(),
                   " where clusters are found, whose step is exactly a mean with 1; set 1"));
  }
  if (server.momentum() != 0) {
    rules.Add({"server.momentum", "model.architecture"},
              Join("found ", server.momentum(),
                   " where clusters are found, whose step is a plain mean; remove it"));
  }
}

}  // namespace

void CheckModel(const v1::JobConfig& job, Rules& rules) {
  CheckArchitecture(job.model(), rules);
  CheckScript(job, rules);
  CheckParts(job, rules);
  CheckLoss(job, rules);
  CheckClusters(job, rules);
}

}  // namespace tutti::config
