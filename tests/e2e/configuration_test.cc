// Files that are wrong: every problem at once with its place, exit code 78, nothing started.
#include <filesystem>
#include <regex>

#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

// "file:line:column: ..." lines of `file`.
std::size_t PlacedProblems(const std::string& text, const std::string& file) {
  const std::regex place(file + ":[0-9]+:[0-9]+: ");
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), place), {}));
}

}  // namespace

TEST_CASE("a wrong server.toml lists all its problems and starts nothing", "[e2e]") {
  const TemporaryFolder folder;
  WriteText(folder / "server.toml",
            "state_directory = \"state\"\n"
            "adress = \"127.0.0.1:1\"\n"
            "enrolment_address = 7\n"
            "[limits]\n"
            "keep_models = 1\n");
  const Ran ran = Run({Program("tutti-server"), "run", "--config", folder / "server.toml"});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 78);
  REQUIRE(PlacedProblems(ran.error, "server\\.toml") == 3);
  REQUIRE(Contains(ran.error, "server.toml:2:1"));
  REQUIRE(Contains(ran.error, "did you mean"));
  REQUIRE(Contains(ran.error, "server.toml:3:"));
  REQUIRE(Contains(ran.error, "server.toml:5:"));
  REQUIRE_FALSE(std::filesystem::exists(folder / "state"));
}

TEST_CASE("wrong client.toml and policy.toml are listed together and nothing starts", "[e2e]") {
  const TemporaryFolder folder;
  WriteText(folder / "policy.toml", "max_epsilon_total = -1.0\nmin_cohorts = 5\n");
  WriteText(folder / "client.toml",
            "state_directory = \"state\"\n"
            "policy_file = \"policy.toml\"\n"
            "role = \"teacher\"\n"
            "[data]\n"
            "format = \"csv\"\n"
            "file = \"table.csv\"\n"
            "[data.csv]\n"
            "label = \"label\"\n"
            "[trainer]\n"
            "threads = 0\n");
  const Ran ran = Run({Program("tutti-client"), "run", "--config", folder / "client.toml"});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 78);
  REQUIRE(PlacedProblems(ran.error, "client\\.toml") == 2);
  REQUIRE(PlacedProblems(ran.error, "policy\\.toml") == 2);
  REQUIRE(Contains(ran.error, "min_cohort"));
  REQUIRE_FALSE(std::filesystem::exists(folder / "state"));
}

TEST_CASE("a client with an insecure seed starts only when its policy says so", "[e2e]") {
  const TemporaryFolder folder;
  WriteText(folder / "policy.toml", "max_epsilon_total = 1.0\n");
  WriteText(folder / "client.toml",
            "state_directory = \"state\"\n"
            "policy_file = \"policy.toml\"\n"
            "[data]\n"
            "format = \"csv\"\n"
            "file = \"table.csv\"\n"
            "[data.csv]\n"
            "label = \"label\"\n"
            "[trainer]\n"
            "insecure_noise_seed = 424242\n");
  const std::vector<std::string> check = {Program("tutti-client"), "run", "--config",
                                          folder / "client.toml", "--check-config"};
  for (const bool check_only : {true, false}) {
    const Ran refused = Run({check.begin(), check.end() - (check_only ? 0 : 1)});
    INFO(refused.error);
    REQUIRE(refused.exit_code == 77);
    REQUIRE(Contains(refused.error, "INSECURE_SEED"));
    REQUIRE(Contains(refused.error, "allow_insecure_seed"));
    REQUIRE_FALSE(std::filesystem::exists(folder / "state"));
  }
  WriteText(folder / "policy.toml", "max_epsilon_total = 1.0\nallow_insecure_seed = true\n");
  REQUIRE(Run(check).exit_code == 0);
}

TEST_CASE("a wrong job file is refused before a coordinator is asked", "[e2e]") {
  const TemporaryFolder folder;
  WriteText(folder / "job.toml",
            "name = \"No Good\"\n"
            "rounds = 0\n"
            "[model]\n"
            "architecture = \"logistik\"\n"
            "input_shape = [4]\n"
            "classes = 3\n"
            "[training]\n"
            "learning_rate = 0.5\n"
            "batch_size = 32\n"
            "local_steps = 4\n"
            "[privacy]\n"
            "noise_multiplier = 1.0\n"
            "[cohort]\n"
            "size = 4\n");
  // There is no coordinator at that socket: exit code 69 would say so.
  const Ran ran =
      Run({Program("tutti"), "--socket", folder / "no.sock", "run", folder / "job.toml"});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 78);
  REQUIRE(PlacedProblems(ran.error, "job\\.toml") >= 3);
  REQUIRE(Run({Program("tutti"), "--socket", folder / "no.sock", "status"}).exit_code == 69);
}

TEST_CASE("a daemon that was never set up says which command does it", "[e2e]") {
  const TemporaryFolder folder;
  const Ran server = Run({Program("tutti-server"), "run", "--state", folder / "state", "--set",
                          "address=127.0.0.1:0", "--set", "enrolment_address=127.0.0.1:0"});
  INFO(server.out << server.error);
  REQUIRE(server.exit_code == 72);
  REQUIRE(Contains(server.out + server.error, "tutti-server init"));
  WriteText(folder / "policy.toml", "max_epsilon_total = 1.0\n");
  WriteText(folder / "client.toml",
            "state_directory = \"client\"\npolicy_file = \"policy.toml\"\n[data]\nformat = "
            "\"csv\"\nfile = \"t.csv\"\n[data.csv]\nlabel = \"label\"\n");
  const Ran client = Run({Program("tutti-client"), "run", "--config", folder / "client.toml"});
  INFO(client.out << client.error);
  REQUIRE(client.exit_code != 0);
  REQUIRE(client.exit_code != -1);
  REQUIRE(Contains(client.out + client.error, "tutti-client join"));
}

}  // namespace tutti::e2e
