#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

const std::string kConfigs = std::string(TUTTI_SOURCE_DIR) + "/configs/";

// Files for the clients of a job lie beside it: "client.toml", "credit.client.toml".
bool IsClient(const std::filesystem::path& path) { return path.string().ends_with("client.toml"); }

// Every shipped job, also in folders below: "jobs/fashion-mnist.toml"; or the files for its
// clients.
std::vector<std::string> Jobs(bool clients = false) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs + "jobs")) {
    if (entry.path().extension() == ".toml" && IsClient(entry.path()) == clients) {
      names.push_back(std::filesystem::relative(entry.path(), kConfigs).string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Every shipped world of a simulation beside the sample: "simulations/backdoor.toml".
std::vector<std::string> Worlds() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs + "simulations")) {
    names.push_back("simulations/" + entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The sample loads without a problem and sets every key of the schema; those of layers in one of
// its layers, and those of layers and parameters only when it has any.
template <typename Message>
Message RequireCompleteSample(const std::string& name) {
  INFO(name);
  const Loaded<Message> loaded = Load<Message>(kConfigs + name);
  REQUIRE(ToText(loaded.problems).empty());
  std::set<std::string> set;  // with [] for each index
  for (const auto& [key, origin] : loaded.origins) {
    set.insert(std::regex_replace(key, std::regex("\\[[0-9]+\\]"), "[]"));
  }
  std::string missing;
  for (const std::string& key : KeysOf(*Message::descriptor())) {
    const bool left_out =
        (key.rfind("model.layers[]", 0) == 0 && set.count("model.layers[].type") == 0) ||
        (key.rfind("model.parameters[]", 0) == 0 && set.count("model.parameters[].name") == 0) ||
        (key.rfind("questions[]", 0) == 0 && set.count("questions[].column") == 0) ||
        (key.rfind("data.csv.columns[]", 0) == 0 && set.count("data.csv.columns[].name") == 0);
    missing += set.count(key) == 0 && !left_out ? key + " " : "";
  }
  REQUIRE(missing.empty());
  return loaded.value;
}

TEST_CASE("the shipped server.toml is complete and right", "[config]") {
  const auto server = RequireCompleteSample<v1::ServerConfig>("server.toml");
  // Apart from the required key the sample shows the defaults.
  v1::ServerConfig expected;
  SetDefaults(expected);
  expected.set_state_directory(server.state_directory());
  REQUIRE(server.SerializeAsString() == expected.SerializeAsString());
}

TEST_CASE("the shipped client.toml is complete and right", "[config]") {
  const auto client = RequireCompleteSample<v1::ClientConfig>("client.toml");
  REQUIRE(client.policy_file() == kConfigs + "policy.toml");
}

TEST_CASE("the shipped policy.toml is complete and right", "[config]") {
  RequireCompleteSample<v1::PolicyConfig>("policy.toml");
}

TEST_CASE("the shipped simulation.toml is complete, right, and shows the defaults", "[config]") {
  const auto simulation = RequireCompleteSample<v1::SimulationConfig>("simulation.toml");
  v1::SimulationConfig expected;
  SetDefaults(expected);
  REQUIRE(simulation.SerializeAsString() == expected.SerializeAsString());
}

TEST_CASE("every shipped world is right and has liars", "[config]") {
  const std::vector<std::string> names = Worlds();
  REQUIRE(std::count(names.begin(), names.end(), "simulations/backdoor.toml") == 1);
  for (const std::string& name : names) {
    INFO(name);
    const Loaded<v1::SimulationConfig> loaded = Load<v1::SimulationConfig>(kConfigs + name);
    REQUIRE(ToText(loaded.problems).empty());
    REQUIRE(loaded.value.malicious().share() > 0);
  }
}

TEST_CASE("the shipped jobs are complete and right", "[config]") {
  const auto job = RequireCompleteSample<v1::JobConfig>("jobs/fashion-mnist.toml");
  REQUIRE(CheckJob(job).ok());
  REQUIRE(job.privacy().unit() == "example");
  const auto plain = RequireCompleteSample<v1::JobConfig>("jobs/fashion-mnist-plain.toml");
  REQUIRE(CheckJob(plain).ok());
  REQUIRE(plain.privacy().unit() == "none");
  // A twin differs in privacy and training, not in the network or the number of clients.
  REQUIRE(job.model().SerializeAsString() == plain.model().SerializeAsString());
  REQUIRE(job.cohort().SerializeAsString() == plain.cohort().SerializeAsString());
}

TEST_CASE("every shipped job is right and named after its file", "[config]") {
  const std::vector<std::string> names = Jobs();
  REQUIRE(std::count(names.begin(), names.end(), "jobs/fashion-mnist.toml") == 1);
  REQUIRE(std::count(names.begin(), names.end(), "jobs/benchmarks/scattering.toml") == 1);
  for (const std::string& name : names) {
    INFO(name);
    const Loaded<v1::JobConfig> loaded = Load<v1::JobConfig>(kConfigs + name);
    REQUIRE(ToText(loaded.problems).empty());
    const v1::JobConfig& job = loaded.value;
    REQUIRE(CheckJob(job).ok());
    REQUIRE(job.name() == std::filesystem::path(name).stem().string());
  }
}

TEST_CASE("every client of a shipped job loads, with a policy that is there", "[config]") {
  const std::vector<std::string> names = Jobs(true);
  REQUIRE(names.size() >= 5);
  for (const std::string& name : names) {
    INFO(name);
    const Loaded<v1::ClientConfig> loaded = Load<v1::ClientConfig>(kConfigs + name);
    REQUIRE(ToText(loaded.problems).empty());
    REQUIRE(std::filesystem::exists(loaded.value.policy_file()));
  }
}

TEST_CASE("every key of a sample has a comment above it or beside it", "[config]") {
  std::vector<std::string> names = Jobs();
  // Those of the domains say in their first lines what they are; their keys are explained here.
  std::erase_if(names, [](const std::string& name) {
    const std::string folder = std::filesystem::path(name).parent_path().filename().string();
    return folder != "jobs" && folder != "benchmarks" && folder != "attacks";
  });
  names.insert(names.end(), {"server.toml", "client.toml", "policy.toml", "simulation.toml"});
  const std::vector<std::string> worlds = Worlds();
  names.insert(names.end(), worlds.begin(), worlds.end());
  for (const std::string& name : names) {
    std::istringstream text(ReadAll(kConfigs + name));
    bool explained = false;
    for (std::string line; std::getline(text, line);) {
      if (line.rfind("[[", 0) == 0) {
        break;  // the layers: one comment stands above all of them
      }
      if (line.rfind('#', 0) == 0) {
        explained = true;
      } else if (line.empty() || line.rfind('[', 0) == 0) {
        explained = false;
      } else {
        INFO(name << ": " << line);
        // A key may share the comment of the key right above it.
        REQUIRE((explained || line.find(" #") != std::string::npos));
      }
    }
  }
}

TEST_CASE("docs/configuration.md names every key of every file", "[config]") {
  const std::string document = ReadAll(std::string(TUTTI_SOURCE_DIR) + "/docs/configuration.md");
  std::string missing;
  for (const auto* schema : {v1::ServerConfig::descriptor(), v1::ClientConfig::descriptor(),
                             v1::PolicyConfig::descriptor(), v1::JobConfig::descriptor()}) {
    for (const std::string& key : KeysOf(*schema)) {
      missing += document.find("`" + key + "`") == std::string::npos ? key + " " : "";
    }
  }
  REQUIRE(missing.empty());
}

TEST_CASE("docs/simulator.md names every key of a simulation", "[config]") {
  const std::string document = ReadAll(std::string(TUTTI_SOURCE_DIR) + "/docs/simulator.md");
  std::string missing;
  for (const std::string& key : KeysOf(*v1::SimulationConfig::descriptor())) {
    missing += document.find("`" + key + "`") == std::string::npos ? key + " " : "";
  }
  REQUIRE(missing.empty());
}

}  // namespace
}  // namespace tutti::config
