// `tutti simulate` as people start it, on small images.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/learn/image_files.h"

namespace tutti {
namespace {

struct Ended {
  int code = -1;
  std::string output;
};

class Simulator {
 public:
  explicit Simulator(const ImageFiles& files) : folder_(files.folder()) {
    std::ofstream(folder_ + "/job.toml") << R"(
name = "small"
rounds = 3
[model]
architecture = "logistic"
input_shape = [8, 8]
classes = 2
[training]
learning_rate = 0.2
batch_size = 5
local_epochs = 1
[privacy]
unit = "none"
[cohort]
size = 8
)";
  }
  std::string At(const std::string& name) const { return folder_ + "/" + name; }

  Ended Run(const std::string& options) const {
    return Tutti("simulate " + At("job.toml") + " --data " + folder_ + " " + options);
  }
  Ended Tutti(const std::string& words) const {
    const std::string command =
        std::string(TUTTI_BIN_DIR) + "/tutti " + words + " 2>" + At("errors");
    FILE* const pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    Ended ended;
    char block[4096];
    for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, pipe)) > 0;) {
      ended.output.append(block, got);
    }
    ended.code = WEXITSTATUS(::pclose(pipe));
    return ended;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(At(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

 private:
  std::string folder_;
};

TEST_CASE("a job is simulated and its results are written in every form", "[simulate]") {
  const ImageFiles files(200, 40);
  const Simulator simulator(files);
  const Ended ended =
      simulator.Run("--clients 20 --per-round 6 --threads 2 --csv " + simulator.At("r.csv") +
                    " --json-file " + simulator.At("r.json") + " --plot " + simulator.At("r.svg") +
                    " --checkpoint " + simulator.At("r.safetensors"));
  INFO(ended.output << simulator.Read("errors"));
  REQUIRE(ended.code == 0);
  REQUIRE(ended.output.find("round 3 of 3: 6 of 6 in, test accuracy") != std::string::npos);
  REQUIRE(ended.output.find("\x1b") == std::string::npos);
  const std::string csv = simulator.Read("r.csv");
  REQUIRE(std::count(csv.begin(), csv.end(), '\n') == 4);
  REQUIRE(nlohmann::json::parse(simulator.Read("r.json"))["rounds"].size() == 3);
  REQUIRE(simulator.Read("r.svg").find("<polyline") != std::string::npos);
  REQUIRE(simulator.Read("r.safetensors").find("\"round\":\"3\"") != std::string::npos);
}

TEST_CASE("the same seed gives the same files, also with secure aggregation", "[simulate]") {
  const ImageFiles files(200, 40);
  const Simulator simulator(files);
  const auto model = [&](const std::string& options) {
    const Ended ended = simulator.Run("--clients 20 --json " + options + " --checkpoint " +
                                      simulator.At("m.safetensors"));
    INFO(simulator.Read("errors"));
    REQUIRE(ended.code == 0);
    REQUIRE(nlohmann::json::parse(ended.output)["clients"] == 20);
    return simulator.Read("m.safetensors");
  };
  const std::string one = model("--threads 2");
  REQUIRE(model("--secure-aggregation") == one);
}

TEST_CASE("a compressed model is measured beside the one it came from", "[simulate]") {
  const ImageFiles files(200, 40);
  const Simulator simulator(files);
  REQUIRE(simulator
              .Run("--clients 20 --quiet --json-file " + simulator.At("r.json") + " --checkpoint " +
                   simulator.At("m.safetensors"))
              .code == 0);
  const auto compress = [&](const std::string& options) {
    return simulator.Tutti("model compress " + simulator.At("m.safetensors") + " -o " +
                           simulator.At("small.safetensors") + " " + options);
  };
  const std::string measured = " --job " + simulator.At("job.toml") + " --data " + files.folder();
  const Ended ended = compress("--int8 --json" + measured);
  INFO(simulator.Read("errors"));
  REQUIRE(ended.code == 0);
  const auto json = nlohmann::json::parse(ended.output);
  const auto rounds = nlohmann::json::parse(simulator.Read("r.json"))["rounds"];
  REQUIRE(json["examples"] == 40);
  REQUIRE(json["before"]["score"]["accuracy"] == rounds[2]["test_accuracy"]);
  REQUIRE(json["before"]["score"]["loss"] == Approx(rounds[2]["test_loss"].get<double>()));
  REQUIRE(json["after"]["score"]["loss"] ==
          Approx(json["before"]["score"]["loss"].get<double>()).epsilon(0.05));
  REQUIRE(json["after"]["bytes"] < json["before"]["bytes"]);
  const Ended again = compress("--prune 0.9 --force" + measured);
  REQUIRE(again.code == 0);
  REQUIRE(again.output.find("of 40 examples") != std::string::npos);

  std::ofstream(simulator.At("other.toml")) << R"(
name = "other"
rounds = 3
[model]
architecture = "logistic"
input_shape = [8, 8]
classes = 3
[training]
learning_rate = 0.2
batch_size = 5
local_epochs = 1
[privacy]
unit = "none"
[cohort]
size = 8
)";
  const Ended other =
      compress("--int8 --force --job " + simulator.At("other.toml") + " --data " + files.folder());
  REQUIRE(other.code != 0);
  REQUIRE(simulator.Read("errors").find("nothing was written") != std::string::npos);
}

TEST_CASE("mistakes are said with the place they are at", "[simulate]") {
  const ImageFiles files(30, 10);
  const Simulator simulator(files);
  const auto error = [&](const std::string& options, int code) {
    const Ended ended = simulator.Run(options);
    REQUIRE(ended.code == code);
    return simulator.Read("errors");
  };
  std::ofstream(simulator.At("world.toml")) << "seed = 1\n[devices]\nspeeed = 2\n";
  REQUIRE(
      error("--profile " + simulator.At("world.toml"), 78).find("world.toml:3:1: devices.speeed") !=
      std::string::npos);
  REQUIRE(error("--clients 31", 1).find("30 examples for 31 clients") != std::string::npos);
  REQUIRE(error("--unknown", 64).find("--unknown") != std::string::npos);
}

TEST_CASE("Ctrl-C ends a simulation cleanly, with the results so far", "[simulate]") {
  const ImageFiles files(200, 10);
  const Simulator simulator(files);
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const std::string program = std::string(TUTTI_BIN_DIR) + "/tutti-simulator";
  const std::string job = simulator.At("job.toml");
  const std::string csv = simulator.At("partial.csv");
  const std::string data = files.folder();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::close(pipe[0]);
    ::execl(program.c_str(), program.c_str(), job.c_str(), "--data", data.c_str(), "--clients",
            "20", "--set", "rounds=1000000", "--csv", csv.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string output;
  bool sent = false;
  char block[4096];
  for (ssize_t got = 0; (got = ::read(pipe[0], block, sizeof block)) > 0;) {
    output.append(block, static_cast<std::size_t>(got));
    if (!sent && output.find("round 2 of") != std::string::npos) {
      sent = true;
      REQUIRE(::kill(child, SIGINT) == 0);
    }
  }
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 130);
  REQUIRE(output.find("ended early: stopped") != std::string::npos);
  REQUIRE(simulator.Read("partial.csv").find("\n2,") != std::string::npos);
}

}  // namespace
}  // namespace tutti
