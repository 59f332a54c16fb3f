// `tutti-bench domain` as a program, on the small tables of configs/data.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/catch.h"

namespace tutti {
namespace {

nlohmann::json Domain(const std::string& job, const std::string& client,
                      const std::string& options) {
  const std::string jobs = std::string(TUTTI_SOURCE_DIR) + "/configs/jobs/";
  const std::string command = std::string(TUTTI_BIN_DIR) + "/tutti-bench domain --job " + jobs +
                              job + " --client " + jobs + client + " " + options;
  FILE* const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char block[4096];
  for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, pipe)) > 0;) {
    output.append(block, got);
  }
  REQUIRE(::pclose(pipe) == 0);
  return nlohmann::json::parse(output);
}

TEST_CASE("a domain's job learns more together than each client alone", "[bench]") {
  const auto line = Domain("medicine/breast-cancer.toml", "medicine/breast-cancer.client.toml",
                           "--local --federated --set rounds=5");
  REQUIRE(line["validation"].get<int>() + line["central"]["examples"].get<int>() == 569);
  REQUIRE(line["local"]["clients"] == 6);
  for (const char* trained : {"central", "federated", "local"}) {
    REQUIRE(line[trained]["auc"].get<double>() > 0.95);
    REQUIRE(line[trained]["accuracy"] > line["baseline"]["accuracy"]);
  }
  REQUIRE(line["local"]["loss"] > line["federated"]["loss"]);
}

TEST_CASE("a number is predicted better together than by its mean", "[bench]") {
  const auto line = Domain("manufacturing/concrete.toml", "manufacturing/concrete.client.toml",
                           "--local --federated");
  REQUIRE(line["federated"]["rmse"].get<double>() < 0.8 * line["baseline"]["rmse"].get<double>());
  REQUIRE(line["federated"]["rmse"] < line["local"]["rmse"]);
  REQUIRE(line["federated"]["mae"] < line["baseline"]["mae"]);
  REQUIRE(line["central"]["worst_client"]["loss"].get<double>() > 0);
}

TEST_CASE("groups are measured where the same share of rows is said as there are", "[bench]") {
  const auto line = Domain("finance/credit.toml", "finance/credit.client.toml",
                           "--set privacy.unit=none --set privacy.target_epsilon=0");
  const auto& groups = line["central"]["groups"];
  REQUIRE(groups.size() >= 5);
  double rows = 0, are = 0, said = 0;
  for (const auto& group : groups) {
    REQUIRE(group["column"] == "Marital");
    const double size = group["examples"];
    rows += size;
    are += size * (group["are"].is_null() ? 0 : group["are"].get<double>());
    said += size * (group["said"].is_null() ? 0 : group["said"].get<double>());
  }
  REQUIRE(rows == line["validation"]);
  REQUIRE(said == Approx(are).margin(2));  // shares are rounded to four digits
}

}  // namespace
}  // namespace tutti
