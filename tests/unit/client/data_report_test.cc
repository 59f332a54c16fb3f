#include "client/main_data_report.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
namespace {

v1::DataConfig Table(const std::string& path) {
  std::ofstream file(path);
  file << "age,sex,y\n";
  for (int i = 0; i < 40; ++i) {
    file << 20 + i << "," << (i % 4 == 0 ? "f" : "m") << "," << (i % 5 == 0 ? "yes" : "no") << "\n";
  }
  v1::DataConfig config;
  config.set_format("csv");
  config.set_file(path);
  config.mutable_csv()->set_label("y");
  config.add_sensitive("sex");
  return config;
}

void AddClasses(v1::DataConfig& config) {
  for (const char* word : {"no", "yes"}) config.mutable_csv()->add_classes(word);
}

}  // namespace

TEST_CASE("the report on data is a table with what stands in the way below", "[client]") {
  const TestFolder folder;
  v1::DataConfig config = Table(folder.path() + "/t.csv");
  const auto stopped = data::Inspect(config);
  REQUIRE_FALSE(IsUsable(*stopped));
  const std::string problem = TextOfInspection(config, *stopped);
  INFO(problem);
  REQUIRE(problem.find("  stops  column \"y\" is the label and holds words\n"
                       "         -> write classes = [\"no\", \"yes\"]") != std::string::npos);

  AddClasses(config);
  const auto inspection = data::Inspect(config);
  REQUIRE(IsUsable(*inspection));
  const std::string text = TextOfInspection(config, *inspection);
  INFO(text);
  for (const char* part :
       {"rows       40 read, 40 used\n", "examples   40: 40 for training, 0 for validation\n",
        "features   age\n", "a job has  model.input_shape = [1], model.classes = 2\n",
        "  column  use      read as  found          missing  different  smallest  median  largest\n"
        "  age     feature  number   whole numbers    0.0 %         40        20    39.5       59\n"
        "  sex     group    word     words            0.0 %          2\n",
        "  no   32  80.0 %\n  yes   8  20.0 %\n",
        "groups of sex\n  group  examples   share  of them no  of them yes\n",
        "  f            10  25.0 %      80.0 %       20.0 %\n"}) {
    INFO("expected: " << part);
    REQUIRE(text.find(part) != std::string::npos);
  }
}

TEST_CASE("the report on data is JSON for programs, hostile cells included", "[client]") {
  const TestFolder folder;
  v1::DataConfig config = Table(folder.path() + "/t.csv");
  AddClasses(config);
  std::ofstream(config.file(), std::ios::app) << "1,\"\x1b[31m\xff\",no\n";
  const auto inspection = data::Inspect(config);
  const auto json = nlohmann::json::parse(JsonOfInspection(config, *inspection));
  REQUIRE(json["usable"] == true);
  REQUIRE(json["training"] == 41);
  REQUIRE(json["input_shape"] == std::vector<int>{1});
  REQUIRE(json["class_counts"] == std::vector<int>{33, 8});
  REQUIRE(json["groups"][0]["groups"].size() == 3);
  REQUIRE(json["columns"][0]["largest"] == 59);
  REQUIRE(TextOfInspection(config, *inspection).find('\x1b') == std::string::npos);
}

}  // namespace tutti::client
