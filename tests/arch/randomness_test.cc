// Keys, batches, masks and noise come from OpenSSL through SecureRng and from nothing else: no
// generator that can be seeded or predicted is named in the programs' sources.
#include <algorithm>
#include <regex>

#include "tests/arch/source_tree.h"
#include "tests/catch.h"

namespace tutti::arch {
namespace {

// The C++ library's generators and distributions, C's, LibTorch's, and the tests' own.
const std::regex kPredictable(
    "std::(mt19937|minstd_rand|ranlux|knuth_b|default_random_engine|random_device|seed_seq)"
    "|std::\\w+_distribution"
    "|(^|[^\\w.>])(s?rand|rand_r|[sdlmn]rand48|s?random)\\("
    "|(torch|at)::(rand|normal|bernoulli|multinomial|poisson|manual_seed|seed\\b)"
    "|\\.(normal|uniform|bernoulli|exponential|geometric|cauchy|log_normal|random)_\\("
    "|(torch|at)::Generator|default_generator|DefaultCPUGenerator"
    "|\\b(TestRng|SeededSecureRng)\\b"
    "|0x9e3779b97f4a7c15|6364136223846793005");  // SplitMix64's and Knuth's constants

// What may stand all the same, and why. An entry that nothing needs fails the test.
struct Exception {
  const char* file;
  const char* names;  // in the line
  const char* why;
};
const std::vector<Exception> kExceptions = {
    {"common/base/rng.h", "TestRng", "declares the tests' generator"},
    {"common/base/rng.h", "0x9e3779b97f4a7c15", "which is SplitMix64"},
    {"common/model/initial_weights.cc", "0x9e3779b97f4a7c15",
     "first weights from the job's public seed: equal everywhere, secret from nobody"},
    {"common/learn/network.cc", "6364136223846793005",
     "made-up inputs and weights of a trial run, the same at each start"},
    {"client/data/slice.cc", "0x9e3779b97f4a7c15",
     "splits a public file over the clients of an experiment, equally on all of them"},
};

struct Finding {
  std::string file;
  std::size_t line = 0;
  std::string text;
};

// Lines of `source` that name a predictable generator outside comments.
std::vector<Finding> Find(const std::string& file, const std::string& source) {
  std::vector<Finding> found;
  std::istringstream in(source);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (std::regex_search(line.substr(0, line.find("//")), kPredictable)) {
      found.push_back({file, number, line});
    }
  }
  return found;
}

bool Excuses(const Exception& exception, const Finding& finding) {
  return finding.file == exception.file && finding.text.find(exception.names) != std::string::npos;
}

}  // namespace

TEST_CASE("no program names a generator that can be seeded or predicted", "[arch]") {
  std::vector<std::string> violations;
  std::vector<bool> needed(kExceptions.size());
  for (const std::string& file : Sources()) {
    if (file.starts_with("tests/")) {
      continue;
    }
    const std::string source = ReadAll(std::filesystem::path(TUTTI_SOURCE_DIR) / file);
    for (const Finding& finding : Find(file, source)) {
      bool excused = false;
      for (std::size_t i = 0; i < kExceptions.size(); ++i) {
        if (Excuses(kExceptions[i], finding)) {
          excused = true;
          needed[i] = true;
        }
      }
      if (!excused) {
        violations.push_back(finding.file + ":" + std::to_string(finding.line) + ": " +
                             finding.text);
      }
    }
  }
  REQUIRE(violations == std::vector<std::string>{});
  for (std::size_t i = 0; i < kExceptions.size(); ++i) {
    INFO(kExceptions[i].file << " " << kExceptions[i].names << ": " << kExceptions[i].why);
    REQUIRE(needed[i]);
  }
}

TEST_CASE("a planted generator is found and its mention in a comment is not", "[arch]") {
  for (const char* planted : {
           "  std::mt19937 generator(7);",
           "  std::mt19937_64 generator;",
           "  std::random_device device;",
           "  std::normal_distribution<double> normal;",
           "  std::uniform_int_distribution<> die(1, 6);",
           "  const int x = rand();",
           "  const int x = std::rand() % 6;",
           "  srand(1);",
           "  double u = drand48();",
           "  long r = random();",
           "  auto noise = at::randn({3});",
           "  auto noise = torch::randn_like(weights);",
           "  auto noise = torch::normal(0, 1, {3});",
           "  auto mask = at::bernoulli(weights);",
           "  torch::manual_seed(1);",
           "  weights.normal_(0, 1);",
           "  weights.uniform_(-1, 1);",
           "  at::Generator generator;",
           "  auto g = at::detail::getDefaultCPUGenerator();",
           "  TestRng rng(1);",
           "  SeededSecureRng rng(1);",
           "  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);",
       }) {
    INFO(planted);
    REQUIRE(Find("client/learner.cc", planted).size() == 1);
  }
  for (const char* innocent : {
           "  // std::mt19937 and torch::randn are not for noise",
           "  rng.Fill(key.mutable_view());",
           "  const Operand operand(3);",
           "  brand(1);",
           "  config.random(1);",
           "  std::vector<double> distribution;",
       }) {
    INFO(innocent);
    REQUIRE(Find("client/learner.cc", innocent).empty());
  }
}

}  // namespace tutti::arch
