#include "google/protobuf/util/message_differencer.h"
#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using google::protobuf::util::MessageDifferencer;

TEST_CASE("each effective value is printed with its origin", "[config]") {
  v1::PolicyConfig policy;
  const LoadResult result =
      LoadText("# rules\nmax_epsilon_total = 8\njobs = [\"a*\", \"b\"]\n", "policy.toml", policy,
               {.environment = {{"TUTTI_MIN_COHORT", "4"}}, .command_line = {"delta=1e-6"}});
  REQUIRE(result.problems.empty());
  const std::string text = PrintEffective(policy, result.origins);
  const auto has = [&](const std::string& line) {
    return text.find(line + "\n") != std::string::npos;
  };
  REQUIRE(has("jobs = [\"a*\", \"b\"]                      # policy.toml:3"));
  REQUIRE(has("max_epsilon_total = 8.0                 # policy.toml:2"));
  REQUIRE(has("delta = 1e-06                           # command line"));
  REQUIRE(has("min_cohort = 4                          # environment TUTTI_MIN_COHORT"));
  REQUIRE(has("allow_without_privacy = false           # default"));
}

TEST_CASE("what is printed loads to the same values", "[config]") {
  const std::string layers =
      "[[model.layers]]\ntype = \"flatten\"\n[[model.layers]]\ntype = \"linear\"\noutputs = 2\n";
  const std::string text = Replaced(kJob, "\"logistic\"", "\"layers\"") + layers;
  v1::JobConfig job;
  const LoadResult first = LoadText(text, "job.toml", job);
  REQUIRE(first.problems.empty());
  v1::JobConfig again;
  const LoadResult second = LoadText(PrintEffective(job, first.origins), "printed.toml", again);
  REQUIRE(ToText(second.problems).empty());
  REQUIRE(MessageDifferencer::Equals(job, again));
}

TEST_CASE("quotes, backslashes and tabs survive printing", "[config]") {
  v1::ClientConfig client;
  SetDefaults(client);
  client.set_state_directory("/a \"b\"\\c");
  client.set_policy_file("/p");
  client.mutable_data()->set_format("csv");
  client.mutable_data()->mutable_csv()->set_delimiter("\t");
  client.mutable_data()->mutable_csv()->add_features(
      "gr\xc3\xb6\xc3\x9f"
      "e");
  v1::ClientConfig again;
  const LoadResult result = LoadText(PrintEffective(client, {}), "printed.toml", again);
  REQUIRE(ToText(result.problems).empty());
  REQUIRE(MessageDifferencer::Equals(client, again));
}

TEST_CASE("a hostile file name cannot colour the terminal or break the comment", "[config]") {
  v1::PolicyConfig policy;
  const LoadResult result = LoadText(kPolicy, "a\n\x1b[31m.toml", policy);
  REQUIRE(PrintEffective(policy, result.origins).find("# a\\x0a\\x1b[31m.toml:1\n") !=
          std::string::npos);
}

TEST_CASE("the schema's keys are listed with sections and lists of sections", "[config]") {
  const auto keys = KeysOf(*v1::JobConfig::descriptor());
  REQUIRE(keys.front() == "name");
  REQUIRE(std::find(keys.begin(), keys.end(), "model.layers[].type") != keys.end());
  REQUIRE(std::find(keys.begin(), keys.end(), "deadlines.max_failures") != keys.end());
}

}  // namespace
}  // namespace tutti::config
