// Models of which a part is personal or frozen, and jobs that start from another model, with real
// processes.
#include <filesystem>
#include <set>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

Weights Exported(World& world, const std::string& job, const std::string& round) {
  const std::string file = world.folder() / (job + "-" + round + ".safetensors");
  const Ran ran = world.Tutti({"model", "export", job, "--round", round, "-o", file});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  return WeightsFrom(ReadWithPython(file).at("tensors"));
}

}  // namespace

TEST_CASE("personal parameters stay on their devices and frozen ones as they were", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("own", {"rounds=2", "model.personal=0.bias"});
  world.AwaitDone("own");
  const Weights first = Exported(world, "own", "1"), last = Exported(world, "own", "2");
  REQUIRE(last.bias == first.bias);
  REQUIRE(last.weight != first.weight);
  REQUIRE(world.Job("own").job().values() == 15);
  std::set<double> kept;
  for (int i = 0; i < 4; ++i) {
    const std::string file =
        world.ClientState("client-" + std::to_string(i)) + "/jobs/own.parameters.safetensors";
    REQUIRE(WaitUntil([&] { return std::filesystem::exists(file); }));
    const Json values = ReadWithPython(file).at("tensors").at("example local 0.bias").at("values");
    REQUIRE(values.size() == 3);
    REQUIRE(values.at(0) != first.bias[0]);
    kept.insert(values.at(0).get<double>());
  }
  REQUIRE(kept.size() == 4);  // each its own, by its own noise

  // The next job starts from that model, and of it only the bias is trained.
  world.Submit("next", {"rounds=1", "model.frozen=0.weight",
                        "warm_start=" + world.folder() / "own-2.safetensors"});
  world.AwaitDone("next");
  const Weights next = Exported(world, "next", "1");
  REQUIRE(next.weight == last.weight);
  REQUIRE(next.bias != last.bias);
}

}  // namespace tutti::e2e
