#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::config {
namespace {

std::string ProblemsOf(const std::string& text) {
  v1::SimulationConfig simulation;
  LoadResult result = LoadText(text, "world.toml", simulation);
  Validate(simulation, result);
  return ToText(result.problems);
}

}  // namespace

TEST_CASE("an empty file is the world of the defaults", "[config]") {
  REQUIRE(ProblemsOf("").empty());
}

TEST_CASE("a partition by column needs a column, and no other has one", "[config]") {
  REQUIRE(ProblemsOf("[partition]\nkind = \"column\"\ncolumn = \"school\"\n").empty());
  REQUIRE(
      ProblemsOf("[partition]\nkind = \"column\"\n")
          .find("partition.column: missing: kind = \"column\" needs the name of a csv column") !=
      std::string::npos);
  REQUIRE(ProblemsOf("[partition]\ncolumn = \"school\"\n")
              .find("partition.column: found a column with kind = \"iid\"") != std::string::npos);
}

TEST_CASE("only a backdoor has a trigger and a class it leads to", "[config]") {
  REQUIRE(ProblemsOf("[malicious]\nkind = \"backdoor\"\ntarget_class = 7\ntrigger = 4\n"
                     "poisoned = 1.0\n")
              .empty());
  for (const std::string key : {"target_class = 1", "trigger = 4", "poisoned = 0.25"}) {
    INFO(key);
    const std::string name = key.substr(0, key.find(' '));
    REQUIRE(ProblemsOf("[malicious]\nkind = \"scale\"\n" + key + "\n") ==
            "world.toml:3:1: malicious." + name +
                ": found with kind = \"scale\", which does not read it; remove it, or set kind = "
                "\"backdoor\"\n");
  }
  REQUIRE(
      ProblemsOf("[malicious]\nkind = \"backdoor\"\ntrigger = 65\n").find("malicious.trigger") !=
      std::string::npos);
}

TEST_CASE("keys of a world that are unknown or out of range are named with their place",
          "[config]") {
  REQUIRE(ProblemsOf("[devices]\nspeeed = 2\n").find("world.toml:2:1: devices.speeed") !=
          std::string::npos);
  REQUIRE(ProblemsOf("[dropout]\nupload = 1.5\n").find("dropout.upload") != std::string::npos);
  REQUIRE(ProblemsOf("[malicious]\nkind = \"rude\"\n").find("malicious.kind") != std::string::npos);
}

}  // namespace tutti::config
