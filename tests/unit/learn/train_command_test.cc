// `tutti-bench train` as a program, on a small set of images.
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/catch.h"
#include "tests/unit/learn/image_files.h"

namespace tutti {
namespace {

struct Ended {
  int status = -1;
  std::string output;
};

// Standard output of `tutti-bench train` with the scattering job cut down to the small images.
Ended Train(const ImageFiles& files, const std::string& options) {
  const std::string command =
      std::string(TUTTI_BIN_DIR) + "/tutti-bench train --job " + TUTTI_SOURCE_DIR +
      "/configs/jobs/benchmarks/scattering.toml --data " + files.folder() +
      " --set model.input_shape=8,8 --set model.classes=2 --set training.batch_size=100"
      " --set training.local_steps=6 " +
      options + " 2>" + files.folder() + "/errors";
  FILE* const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended;
  char block[4096];
  for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, pipe)) > 0;) {
    ended.output.append(block, got);
  }
  ended.status = ::pclose(pipe);
  return ended;
}

TEST_CASE("a job is trained on one data set and its accuracy and epsilon are printed", "[bench]") {
  const ImageFiles files(300, 50);
  const Ended ended = Train(files, "--set privacy.target_epsilon=8");
  REQUIRE(ended.status == 0);
  const auto line = nlohmann::json::parse(ended.output);
  REQUIRE(line["job"] == "scattering");
  REQUIRE(line["accountant"] == "pld");
  REQUIRE(line["measured_on"] == "test");
  REQUIRE(line["examples"] == 300);
  REQUIRE(line["steps"] == 6);
  REQUIRE(line["values"] == 81 * 4 * 2 + 2);
  REQUIRE(line["sampling_rate"].get<double>() == Approx(1.0 / 3));
  REQUIRE(line["noise_multiplier"].get<double>() > 0.3);
  REQUIRE(line["epsilon"].get<double>() <= 8.0001);
  REQUIRE(line["epsilon"].get<double>() > 7.9);
  REQUIRE(line["accuracy"].size() == 2);  // after each pass of 3 steps
  REQUIRE(line["accuracy"].back().get<double>() > 0.9);
}

TEST_CASE("held-out examples are measured on and not trained on", "[bench]") {
  const ImageFiles files(300, 50);
  const Ended ended =
      Train(files,
            "--hold-out 100 --accountant rdp --set privacy.target_epsilon=8 --test-images nothing");
  REQUIRE(ended.status == 0);
  const auto line = nlohmann::json::parse(ended.output);
  REQUIRE(line["measured_on"] == "hold-out");
  REQUIRE(line["accountant"] == "rdp");
  REQUIRE(line["examples"] == 200);
  REQUIRE(line["sampling_rate"].get<double>() == Approx(0.5));
}

TEST_CASE("a job without privacy states no epsilon", "[bench]") {
  const ImageFiles files(300, 50);
  const Ended ended = Train(files,
                            "--set privacy.unit=none --set privacy.target_epsilon=0 --set "
                            "training.learning_rate=0.5");
  REQUIRE(ended.status == 0);
  const auto line = nlohmann::json::parse(ended.output);
  REQUIRE_FALSE(line.contains("epsilon"));
  REQUIRE(line["accuracy"].back().get<double>() > 0.9);
}

TEST_CASE("what is wrong with the files or the job is said and nothing is printed", "[bench]") {
  const ImageFiles files(20, 10);
  const auto errors = [&] {
    std::ifstream file(files.folder() + "/errors");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  Ended ended = Train(files, "--train-images " + files.folder() + "/missing");
  REQUIRE(ended.status != 0);
  REQUIRE(ended.output.empty());
  REQUIRE(errors().find("missing") != std::string::npos);
  ended = Train(files, "--hold-out 20");
  REQUIRE(ended.status != 0);
  REQUIRE(errors().find("cannot hold out 20 of 20 examples") != std::string::npos);
  ended = Train(files, "--set model.feature_groups=5");
  REQUIRE(ended.status != 0);
  REQUIRE(errors().find("a divisor of the 81 channels") != std::string::npos);
}

}  // namespace
}  // namespace tutti
