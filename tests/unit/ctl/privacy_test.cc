// `tutti privacy` from words to output; no coordinator is there.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/ctl/commands.h"
#include "server/ctl/event_file.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

struct Ran {
  int code = 0;
  std::string out;
  std::string error;
  nlohmann::json Json() const { return nlohmann::json::parse(out); }
};

Ran Run(std::vector<std::string> words) {
  words.insert(words.begin(), "privacy");
  const Parsed parsed = Parse(words);
  if (!parsed.arguments) return {parsed.exit_code, parsed.out, parsed.error};
  std::ostringstream out;
  std::ostringstream error;
  Console console{
      .out = out, .error = error, .seconds = [] { return 0.0; }, .wait_seconds = [](double) {}};
  const int code = Execute(*parsed.arguments, "", console);
  return {code, out.str(), error.str()};
}

std::vector<std::string> Epsilon(const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"epsilon", "--noise-multiplier",
                                    "1.1",     "--sampling-rate",
                                    "0.01",    "--steps",
                                    "1000",    "--delta",
                                    "1e-6"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// A file that goes with the test.
class File {
 public:
  explicit File(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("tutti-events-" + std::to_string(::getpid()) + ".json")) {
    std::ofstream(path_) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("privacy epsilon answers in JSON with stable keys, by pld and by rdp", "[ctl]") {
  // subsampled_gaussian.csv of tests/vectors/dp.
  const auto pld = Run(Epsilon({"--json"})).Json();
  REQUIRE(pld["epsilon"].get<double>() == Approx(1.752985384).epsilon(1e-6));
  REQUIRE(pld["accountant"] == "pld");
  REQUIRE(pld["delta"] == 1e-6);
  REQUIRE(pld["noise_multiplier"] == 1.1);
  REQUIRE(pld["sampling_rate"] == 0.01);
  REQUIRE(pld["steps"] == 1000);
  REQUIRE(pld["interval"] == 1e-4);
  const auto rdp = Run(Epsilon({"--accountant", "rdp", "--json"})).Json();
  REQUIRE(rdp["epsilon"] > pld["epsilon"]);
  REQUIRE(rdp["accountant"] == "rdp");
  REQUIRE(rdp["order"].get<double>() > 1);
  REQUIRE(!rdp.contains("interval"));
  const auto coarse = Run(Epsilon({"--interval", "0.001", "--json"})).Json();
  REQUIRE(coarse["interval"] == 0.001);
  REQUIRE(coarse["epsilon"] > pld["epsilon"]);
}

TEST_CASE("printed digits are rounded up", "[ctl]") {
  const double exact = Run(Epsilon({"--json"})).Json()["epsilon"].get<double>();
  const Ran text = Run(Epsilon());
  REQUIRE(text.code == kDone);
  double printed = 0;
  REQUIRE(std::sscanf(text.out.c_str(), "epsilon %lf", &printed) == 1);
  REQUIRE(printed >= exact);
  REQUIRE(printed <= exact + 1.1e-6);
  REQUIRE(text.out.find("add-or-remove-one") != std::string::npos);
}

TEST_CASE("the exact accountant is for sampling rate 1 only", "[ctl]") {
  const auto exact = Run({"epsilon", "--noise-multiplier", "1", "--sampling-rate", "1", "--steps",
                          "10", "--delta", "1e-5", "--accountant", "exact", "--json"})
                         .Json();
  REQUIRE(exact["epsilon"].get<double>() == Approx(17.856586830107616).epsilon(1e-9));
  const Ran sampled = Run(Epsilon({"--accountant", "exact"}));
  REQUIRE(sampled.code == kUsage);
  REQUIRE(sampled.error.find("sampling rate 1") != std::string::npos);
}

TEST_CASE("no noise is no finite epsilon", "[ctl]") {
  const std::vector<std::string> words = {
      "epsilon", "--noise-multiplier", "0", "--sampling-rate", "0.1", "--steps", "1", "--delta",
      "1e-5"};
  REQUIRE(Run(words).out.find("epsilon inf") == 0);
  std::vector<std::string> json = words;
  json.push_back("--json");
  REQUIRE(Run(json).Json()["epsilon"].is_null());
}

TEST_CASE("every bad argument is refused with its range", "[ctl]") {
  struct Case {
    const char* option;
    const char* value;
    const char* expected;
  };
  for (const Case& wrong : std::vector<Case>{{"--noise-multiplier", "-1", "at least 0"},
                                             {"--noise-multiplier", "nan", "at least 0"},
                                             {"--noise-multiplier", "much", "at least 0"},
                                             {"--sampling-rate", "0", "above 0 and at most 1"},
                                             {"--sampling-rate", "1.5", "above 0 and at most 1"},
                                             {"--steps", "0", "1 to 1000000000000"},
                                             {"--steps", "1.5", "1 to 1000000000000"},
                                             {"--steps", "-3", "1 to 1000000000000"},
                                             {"--delta", "0", "above 0 and below 1"},
                                             {"--delta", "1", "above 0 and below 1"},
                                             {"--delta", "1e-5x", "above 0 and below 1"},
                                             {"--interval", "0", "above 0 and at most 1"},
                                             {"--accountant", "best", "pld"}}) {
    std::vector<std::string> words = {"epsilon"};
    for (const auto& [option, value] :
         std::vector<std::pair<std::string, std::string>>{{"--noise-multiplier", "1.1"},
                                                          {"--sampling-rate", "0.01"},
                                                          {"--steps", "10"},
                                                          {"--delta", "1e-5"}}) {
      if (option != wrong.option) words.insert(words.end(), {option, value});
    }
    words.insert(words.end(), {wrong.option, wrong.value});
    const Ran ran = Run(words);
    INFO(wrong.option << " " << wrong.value << ": " << ran.error);
    REQUIRE(ran.code == kUsage);
    REQUIRE(ran.error.find(wrong.option) != std::string::npos);
    REQUIRE(ran.error.find(wrong.expected) != std::string::npos);
  }
  const Ran missing = Run({"epsilon", "--delta", "1e-5"});
  REQUIRE(missing.code == kUsage);
  REQUIRE(missing.error.find("--noise-multiplier") != std::string::npos);
}

TEST_CASE("privacy calibrate searches what is missing, and what it finds fits", "[ctl]") {
  const std::vector<std::pair<std::string, std::string>> all = {
      {"noise_multiplier", "--noise-multiplier"},
      {"sampling_rate", "--sampling-rate"},
      {"steps", "--steps"}};
  const std::map<std::string, std::string> values = {
      {"--noise-multiplier", "1.2"}, {"--sampling-rate", "0.02"}, {"--steps", "300"}};
  for (const auto& [key, searched] : all) {
    std::vector<std::string> words = {"calibrate", "--target-epsilon", "2",  "--delta", "1e-5",
                                      "--json",    "--accountant",     "rdp"};
    for (const auto& [option, value] : values) {
      if (option != searched) words.insert(words.end(), {option, value});
    }
    const Ran ran = Run(words);
    INFO(ran.error);
    REQUIRE(ran.code == kDone);
    const auto found = ran.Json();
    REQUIRE(found["searched"] == key);
    REQUIRE(found["target_epsilon"] == 2);
    REQUIRE(found["epsilon"].get<double>() <= 2);
    REQUIRE(found["epsilon"].get<double>() > 1.9);
    const auto again =
        Run({"epsilon", "--noise-multiplier", found["noise_multiplier"].dump(), "--sampling-rate",
             found["sampling_rate"].dump(), "--steps", found["steps"].dump(), "--delta", "1e-5",
             "--accountant", "rdp", "--json"})
            .Json();
    REQUIRE(again["epsilon"] == found["epsilon"]);
  }
  const Ran tight = Run({"calibrate", "--target-epsilon", "2", "--delta", "1e-5", "--sampling-rate",
                         "0.02", "--steps", "300"});
  REQUIRE(tight.out.find("noise multiplier ") == 0);
  REQUIRE(tight.out.find(" for epsilon 2\n") != std::string::npos);
}

TEST_CASE("calibrate wants exactly two of three, and says when nothing fits", "[ctl]") {
  const Ran one = Run({"calibrate", "--target-epsilon", "2", "--delta", "1e-5", "--steps", "5"});
  REQUIRE(one.code == kUsage);
  REQUIRE(one.error.find("1 of --noise-multiplier") != std::string::npos);
  const Ran three = Run({"calibrate", "--target-epsilon", "2", "--delta", "1e-5", "--steps", "5",
                         "--sampling-rate", "0.1", "--noise-multiplier", "1"});
  REQUIRE(three.code == kUsage);
  const Ran none = Run({"calibrate", "--target-epsilon", "0.1", "--delta", "1e-5",
                        "--sampling-rate", "1", "--noise-multiplier", "0.5"});
  REQUIRE(none.code == kRefused);
  REQUIRE(none.error.find("not even one step") != std::string::npos);
  const Ran negative = Run({"calibrate", "--target-epsilon", "-1", "--delta", "1e-5"});
  REQUIRE(negative.code == kUsage);
  REQUIRE(negative.error.find("above 0") != std::string::npos);
}

TEST_CASE("privacy compose adds up the sample file", "[ctl]") {
  const std::string sample = std::string(TUTTI_SOURCE_DIR) + "/configs/privacy-events.json";
  const auto pld = Run({"compose", sample, "--json"}).Json();
  const auto rdp = Run({"compose", sample, "--json", "--accountant", "rdp"}).Json();
  REQUIRE(pld["events"] == 3);
  REQUIRE(pld["relation"] == "add-or-remove-one");
  REQUIRE(pld["delta"] == 1e-5);
  REQUIRE(pld["epsilon"].get<double>() > 1);
  REQUIRE(pld["epsilon"] < rdp["epsilon"]);
  const Ran text = Run({"compose", sample, "--delta", "1e-6"});
  REQUIRE(text.out.find("laplace") != std::string::npos);
  REQUIRE(text.out.find("at delta 1e-06") != std::string::npos);
}

TEST_CASE("a mechanism nobody knows is never skipped", "[ctl]") {
  const File file(R"({"delta": 1e-5, "events": [{"mechanism": "gaussian", "noise_multiplier": 9},
                      {"mechanism": "gausian", "noise_multiplier": 9}]})");
  const Ran ran = Run({"compose", file.path(), "--json"});
  REQUIRE(ran.code == kDone);
  REQUIRE(ran.Json()["epsilon"].is_null());
  REQUIRE(ran.error.find("event 2") != std::string::npos);
  REQUIRE(ran.error.find("did you mean 'gaussian'") != std::string::npos);
}

TEST_CASE("events of relations that exclude each other are refused by name", "[ctl]") {
  const File file(R"({"delta": 1e-5, "events": [
      {"mechanism": "gaussian", "sampling_rate": 0.1, "noise_multiplier": 9},
      {"mechanism": "gaussian-without-replacement", "population": 1000, "sample": 10,
       "noise_multiplier": 2}]})");
  const Ran ran = Run({"compose", file.path()});
  REQUIRE(ran.code == kUsage);
  REQUIRE(ran.error.find("replace-one") != std::string::npos);
}

TEST_CASE("every known mechanism can be written down", "[ctl]") {
  const auto file = ParseEventFile(R"({"events": [
      {"mechanism": "gaussian", "noise_multiplier": 1, "sampling_rate": 0.5, "steps": 7},
      {"mechanism": "gaussian-without-replacement", "population": 10, "sample": 5,
       "noise_multiplier": 1},
      {"mechanism": "laplace", "noise_multiplier": 2},
      {"mechanism": "discrete-gaussian", "sigma": 3, "sensitivity": 2},
      {"mechanism": "discrete-laplace", "decay": 0.5, "sensitivity": 2},
      {"mechanism": "skellam", "variance": 9, "l1_sensitivity": 4, "l2_sensitivity": 2},
      {"mechanism": "distributed-discrete-gaussian", "share_sigma": 2, "shares": 10,
       "l1_sensitivity": 4, "l2_sensitivity": 2, "values": 1e3},
      {"mechanism": "tree-aggregation", "noise_multiplier": 5, "leaves": 100}]})");
  REQUIRE(file.ok());
  REQUIRE(file->warnings.empty());
  REQUIRE(!file->delta.has_value());
  REQUIRE(file->events.size() == 8);
  REQUIRE(file->events[0] == dp::Event(dp::SubsampledGaussian{0.5, 1, 7}));
  REQUIRE(file->events[2] == dp::Event(dp::SubsampledLaplace{1, 2, 1}));
  REQUIRE(file->events[6] == dp::Event(dp::DistributedDiscreteGaussian{2, 10, 4, 2, 1000, 1, 1}));
  for (std::size_t i = 0; i < 8; ++i) REQUIRE(file->events[i].index() == i);
}

TEST_CASE("a wrong event file is refused at its place", "[ctl]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
      {R"({"delta": 1e-5})", "\"events\" is missing"},
      {R"({"events": {}})", "\"events\" is missing"},
      {R"({"events": [], "detla": 1})", "unknown key \"detla\""},
      {R"({"events": [], "delta": "x"})", "\"delta\" or not a number"},
      {R"({"events": [3]})", "event 1: expected an object"},
      {R"({"events": [{}]})", "\"mechanism\""},
      {R"({"events": [{"mechanism": "gaussian"}]})", "\"noise_multiplier\" is missing"},
      {R"({"events": [{"mechanism": "gaussian", "noise_multiplier": "1"}]})", "expected a number"},
      {R"({"events": [{"mechanism": "gaussian", "noise_multiplier": 1, "stpes": 2}]})",
       "perhaps \"steps\""},
      {R"({"events": [{"mechanism": "gaussian", "noise_multiplier": 1, "steps": -2}]})",
       "expected a whole number"},
      {R"({"events": [{"mechanism": "gaussian", "noise_multiplier": 1, "steps": 1e99}]})",
       "expected a whole number"},
      {R"({"events": [{"mechanism": "gaussian", "noise_multiplier": 1, "sampling_rate": 2}]})",
       "sampling rate 2, expected a number above 0"}};
  for (const auto& [text, expected] : cases) {
    const auto file = ParseEventFile(text);
    INFO(text);
    REQUIRE(file.status().code() == StatusCode::kInvalidArgument);
    INFO(TextOf(file.status()));
    REQUIRE(TextOf(file.status()).find(expected) != std::string::npos);
  }
  const File file("{}");
  REQUIRE(Run({"compose", file.path()}).code == kWrongConfiguration);
  REQUIRE(Run({"compose", "/nowhere/events.json"}).code == kNotPermitted);
  const File bare(R"({"events": []})");
  REQUIRE(Run({"compose", bare.path()}).code == kUsage);  // no delta
  REQUIRE(Run({"compose", bare.path(), "--delta", "1e-5"}).out.find("\nepsilon 0") !=
          std::string::npos);
}

// A line as `tutti-client ledger export` prints it; keys that nothing reads are left out here.
std::string LedgerLine(const std::string& data, const std::string& unit, const std::string& event,
                       const std::string& model_event) {
  return "{\"data_identity\":\"" + data + "\",\"delta\":1e-05,\"event\":" + event +
         ",\"model_event\":" + model_event + ",\"sequence\":1,\"unit\":\"" + unit + "\"}\n";
}

TEST_CASE("privacy compose adds up what a device's ledger exports, by the device's rules",
          "[ctl]") {
  const std::string sgd =
      R"({"mechanism":"dp-sgd/poisson/gaussian","noise_multiplier":1.1,"sampling_rate":0.01,"steps":1000})";
  const std::string tree =
      R"({"leaves":100,"mechanism":"tree-aggregation","noise_multiplier":10.0,"steps":1})";
  const std::string none = R"({"mechanism":"none","steps":0})";
  const File ledger(
      LedgerLine("photos", "example", sgd, sgd) + LedgerLine("photos", "example", none, none) +
      LedgerLine("photos", "example", sgd, tree) + LedgerLine("notes", "client", sgd, sgd));
  const Ran both = Run({"compose", ledger.path()});
  REQUIRE(both.code == kWrongConfiguration);
  REQUIRE(both.error.find("2 data sets (notes, photos), whose epsilons do not add up; choose one "
                          "with --data") != std::string::npos);
  const Ran photos = Run({"compose", ledger.path(), "--data", "photos", "--json"});
  REQUIRE(photos.code == kDone);
  REQUIRE(photos.error.find("1 entries are rounds without privacy") != std::string::npos);
  REQUIRE(photos.Json()["events"] == 2);
  REQUIRE(photos.Json()["delta"] == 1e-5);
  const auto twice = Run({"epsilon", "--noise-multiplier", "1.1", "--sampling-rate", "0.01",
                          "--steps", "2000", "--delta", "1e-5", "--json"});
  REQUIRE(photos.Json()["epsilon"] == Approx(twice.Json()["epsilon"].get<double>()));
  // For one example, a round that protects whole clients has twice the sensitivity.
  const auto notes = [&](const char* unit) {
    return Run({"compose", ledger.path(), "--data", "notes", "--unit", unit, "--json"}).Json();
  };
  REQUIRE(notes("example")["epsilon"].get<double>() > 2 * notes("client")["epsilon"].get<double>());
  REQUIRE(Run({"compose", ledger.path(), "--data", "photos", "--unit", "client", "--json"})
              .Json()["events"] == 0);
  const Ran models = Run({"compose", ledger.path(), "--data", "photos", "--models"});
  REQUIRE(models.out.find("tree-aggregation") != std::string::npos);
  REQUIRE(Run({"compose", ledger.path(), "--data", "music"})
              .error.find("the ledger has entries of: notes, photos") != std::string::npos);
}

TEST_CASE("a ledger's export that is not whole is refused with the line", "[ctl]") {
  const std::string sgd = R"({"mechanism":"dp-sgd/poisson/gaussian","steps":1})";
  const std::string line = LedgerLine("photos", "example", sgd, sgd);
  for (const auto& [second, text] :
       {std::pair<std::string, std::string>{"{}\n", "line 2: no entry of a ledger"},
        {line.substr(0, line.size() / 2), "line 2: no entry of a ledger"},
        {LedgerLine("photos", "example", "7", sgd), "line 2: \"event\" is missing or no event"},
        {LedgerLine("photos", "example", R"({"steps":"x"})", sgd), "line 2: \"event\""}}) {
    const File file(line + second);
    const Ran ran = Run({"compose", file.path()});
    INFO(ran.error);
    REQUIRE(ran.code == kWrongConfiguration);
    REQUIRE(ran.error.find(text) != std::string::npos);
  }
  // Numbers that cannot be are no event at all, which is never skipped.
  const File file(line);
  const Ran ran = Run({"compose", file.path(), "--json"});
  REQUIRE(ran.Json()["epsilon"].is_null());
  REQUIRE(ran.error.find("line 1: ") != std::string::npos);
  const File events(R"({"events": []})");
  REQUIRE(Run({"compose", events.path(), "--data", "photos"}).error.find("leave them out") !=
          std::string::npos);
}

TEST_CASE("help teaches: what the words mean, examples, every mechanism's keys", "[ctl]") {
  const std::string group = Run({"--help"}).out;
  REQUIRE(group.find("sampling rate = batch size / examples") != std::string::npos);
  REQUIRE(group.find("docs/accountant.md") != std::string::npos);
  REQUIRE(Run({"epsilon", "--help"}).out.find("JSON keys") != std::string::npos);
  REQUIRE(Run({"calibrate", "--help"}).out.find("the third is searched") != std::string::npos);
  const std::string compose = Run({"compose", "--help"}).out;
  for (const char* name : {"gaussian-without-replacement", "discrete-laplace", "skellam",
                           "tree-aggregation", "distributed-discrete-gaussian"}) {
    REQUIRE(compose.find(name) != std::string::npos);
  }
}

}  // namespace
}  // namespace tutti::ctl
