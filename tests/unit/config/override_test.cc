#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

const std::string kServer = "state_directory = \"/s\"\n[limits]\nkeep_models = 7\n";

TEST_CASE("the command line wins over the environment, which wins over the file", "[config]") {
  v1::ServerConfig server;
  const LoadResult result =
      LoadText(kServer, "server.toml", server,
               {.environment = {{"TUTTI_LIMITS__KEEP_MODELS", "8"}, {"TUTTI_LOG__LEVEL", "debug"}},
                .command_line = {"limits.keep_models=9", "metrics_address=off"}});
  REQUIRE(result.problems.empty());
  REQUIRE(server.limits().keep_models() == 9);
  REQUIRE(server.log().level() == "debug");
  REQUIRE(server.metrics_address() == "off");
  REQUIRE(ToText(result.origins.at("limits.keep_models")) == "command line");
  REQUIRE(ToText(result.origins.at("log.level")) == "environment TUTTI_LOG__LEVEL");
  REQUIRE(ToText(result.origins.at("state_directory")) == "server.toml:1");
}

TEST_CASE("an override sets a required key the file does not have", "[config]") {
  v1::PolicyConfig policy;
  REQUIRE(LoadText("", "policy.toml", policy, {.command_line = {"max_epsilon_total=2.5"}})
              .problems.empty());
  REQUIRE(policy.max_epsilon_total() == Approx(2.5));
}

TEST_CASE("an override repairs a wrong value of the file", "[config]") {
  v1::ServerConfig server;
  const LoadResult result =
      LoadText("state_directory = \"/s\"\n[limits]\nkeep_models = \"x\"\n", "server.toml", server,
               {.command_line = {"limits.keep_models=9"}});
  REQUIRE(result.problems.empty());
  REQUIRE(server.limits().keep_models() == 9);
}

TEST_CASE("text stands without quotes and lists are separated by commas", "[config]") {
  v1::ServerConfig server;
  REQUIRE(LoadText(kServer, "server.toml", server,
                   {.command_line = {"public_names=a.example,10.0.0.1", "log.format=json"}})
              .problems.empty());
  REQUIRE(server.public_names_size() == 2);
  REQUIRE(server.public_names(1) == "10.0.0.1");
  v1::JobConfig job;
  REQUIRE(LoadText(kJob, "job.toml", job, {.command_line = {"model.input_shape=28,28"}})
              .problems.empty());
  REQUIRE(job.model().input_shape_size() == 2);
  REQUIRE(LoadText(kJob, "job.toml", job, {.command_line = {"model.input_shape=[3, 4, 4]"}})
              .problems.empty());
  REQUIRE(job.model().input_shape_size() == 3);
}

TEST_CASE("wrong overrides are problems that name their source", "[config]") {
  REQUIRE(Problems<v1::ServerConfig>(
              kServer,
              {.environment = {{"TUTTI_LIMITS__KEEP_MODELS", "1"}, {"TUTTI_LOG__LEVEL", "loud"}},
               .command_line = {"limits.max_clients=ten", "limit.max_clients=1",
                                "limits.stall_seconds=5\nx=1", "nonsense", "log=1"}}) ==
          Lines{"command line: found \"nonsense\", expected section.key=value",
                "command line: limit.max_clients: unknown key; did you mean 'limits'?",
                "command line: limits.max_clients: found \"ten\", expected a whole number from 1 "
                "to 1000000",
                "command line: limits.stall_seconds: found \"5\\x0ax=1\", expected a number from "
                "1 to 3600 seconds",
                "command line: log: is a section; set one of its keys, or write it in the file",
                "environment variable TUTTI_LIMITS__KEEP_MODELS: limits.keep_models: found 1, "
                "expected a whole number from 2 to 1000000",
                "environment variable TUTTI_LOG__LEVEL: log.level: found \"loud\", expected one "
                "of \"trace\", \"debug\", \"info\", \"warn\", \"error\""});
}

TEST_CASE("variables of other programs are ignored, misspelt ones of ours are not", "[config]") {
  REQUIRE(Problems<v1::ServerConfig>(kServer, {.environment = {{"TUTTI_SOCKET", "/x"},
                                                               {"TUTTI_", "1"},
                                                               {"TUTTI_DATA__FORMAT", "idx"},
                                                               {"PATH", "/bin"}}})
              .empty());
  REQUIRE(Problems<v1::ServerConfig>(kServer, {.environment = {{"TUTTI_LOG__LEVLE", "info"}}}) ==
          Lines{"environment variable TUTTI_LOG__LEVLE: log.levle: unknown key; did you mean "
                "'log.level'?"});
}

TEST_CASE("a contradiction stands at the override that made it", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kJob, {.command_line = {"cohort.min_clients=5"}}) ==
          Lines{"command line: cohort.min_clients: found 5, more than size = 4; lower it, or "
                "raise size"});
}

TEST_CASE("this process's environment is read", "[config]") {
  REQUIRE(::setenv("TUTTI_LOG__LEVEL", "warn", 1) == 0);
  const auto variables = Environment();
  ::unsetenv("TUTTI_LOG__LEVEL");
  REQUIRE(std::find(variables.begin(), variables.end(),
                    std::pair<std::string, std::string>("TUTTI_LOG__LEVEL", "warn")) !=
          variables.end());
  for (const auto& [name, value] : variables) {
    REQUIRE(name.rfind("TUTTI_", 0) == 0);
  }
}

}  // namespace
}  // namespace tutti::config
