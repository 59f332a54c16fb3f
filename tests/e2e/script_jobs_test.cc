// A job of a model that PyTorch scripted, with real processes: the file is on the devices, only its
// hash and weights travel.
#include <cmath>
#include <filesystem>

#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

const std::string kVectors = std::string(TUTTI_TEST_DATA) + "/vectors/torchscript/";

std::string HashOf(const std::string& file) {
  const Ran ran = Run({"sha256sum", file});
  REQUIRE(ran.exit_code == 0);
  return ran.out.substr(0, 64);
}

}  // namespace

TEST_CASE("devices that have a job's TorchScript file train it with privacy, another sits out",
          "[e2e]") {
  World world;
  world.StartServer();
  const std::string hash = HashOf(kVectors + "perceptron.pt");
  std::filesystem::create_directory(world.folder() / "scripts");
  std::filesystem::create_directory(world.folder() / "none");
  // The name is the owner's; another model lies beside it.
  std::filesystem::copy_file(kVectors + "perceptron.pt", world.folder() / "scripts/ours.pt");
  std::filesystem::copy_file(kVectors + "convolution.pt", world.folder() / "scripts/other.pt");
  std::filesystem::copy_file(kVectors + "convolution.pt", world.folder() / "none/other.pt");
  ClientOptions options{.policy = "max_epsilon_total = 50.0\nmin_cohort = 3\ntorchscript = [\"" +
                                  hash + "\"]\n"};
  options.slices = 4;
  for (std::uint32_t i = 0; i < 4; ++i) {
    options.slice = i;
    options.trainer =
        "torchscript_directory = \"" + std::string(i < 3 ? "scripts" : "none") + "\"\n";
    world.Enrol("client-" + std::to_string(i), options);
    world.StartClient("client-" + std::to_string(i));
  }
  options.slice = 0;
  options.slices = 1;
  options.role = "evaluator";
  options.data_file = "test.csv";
  options.trainer = "torchscript_directory = \"scripts\"\n";
  world.Enrol("judge", options);
  world.StartClient("judge");
  for (const char* name : {"client-0", "client-1", "client-2", "client-3", "judge"}) {
    world.AwaitAttached(name);
  }

  world.Submit("script",
               {"rounds=2", "model.architecture=torchscript", "model.torchscript_sha256=" + hash,
                "training.local_steps=8", "warm_start=" + kVectors + "perceptron.safetensors"});
  REQUIRE(world.AwaitRefusal("script", "client-3",
                             "the TorchScript file with SHA-256 " + hash +
                                 " is not installed on this device; its owner has to put it into "
                                 "trainer.torchscript_directory"));
  world.AwaitDone("script");
  REQUIRE(WaitUntil([&] { return world.Job("script").rounds(1).accuracy() >= 0; }));
  const v1::JobReply reply = world.Job("script");
  REQUIRE(NumberedWithoutGap(reply, 2));
  for (const v1::RoundInfo& round : reply.rounds()) {
    REQUIRE(round.survivors() == 3);
    REQUIRE(round.privacy_unit() == "example");
    REQUIRE(round.max_epsilon() > 0);
    REQUIRE(std::isfinite(round.max_epsilon()));
  }
  REQUIRE(reply.job().accuracy() > 0.6);  // guessing: one in three
  for (int i = 0; i < 4; ++i) {
    const std::string name = "client-" + std::to_string(i);
    INFO(name);
    REQUIRE(world.LedgerVerifies(name));
    REQUIRE(world.ClientStatus(name).at("ledger_entries") == (i < 3 ? 2 : 0));
  }
  REQUIRE(Contains(world.ClientLog("client-0"), "book-keeping"));

  // What the device exports composes to what the device says, and its log names the policy.
  const Ran exported =
      Run({world.ClientProgram(), "ledger", "export", "--config", world.ClientConfig("client-0")});
  REQUIRE(exported.exit_code == 0);
  WriteText(world.folder() / "ledger.jsonl", exported.out);
  const Json composed = world.TuttiJson(
      {"privacy", "compose", world.folder() / "ledger.jsonl", "--accountant", "rdp"});
  REQUIRE(composed.at("events") == 2);
  REQUIRE(composed.at("epsilon").get<double>() ==
          Approx(world.ClientStatus("client-0").at("data").at(0).at("epsilon_spent").get<double>())
              .epsilon(1e-6));
  const std::string policy = HashOf(world.folder() / "client-0-policy.toml");
  const Json first = Json::parse(exported.out.substr(0, exported.out.find('\n')));
  REQUIRE(first.at("policy_hash") == policy);
  REQUIRE(Contains(world.ClientLog("client-0"), "policy_hash=" + policy));
}

}  // namespace tutti::e2e
