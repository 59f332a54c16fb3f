// Who may include what (docs/architecture.md section 3): a third-party library has one home, so
// that it can be replaced there and nowhere else.
#include <regex>

#include "tests/arch/source_tree.h"
#include "tests/catch.h"

namespace tutti::arch {
namespace {

struct Rule {
  const char* what;
  const char* includes;  // pattern of include names
  const char* homes;     // pattern of the files that may
};

const std::vector<Rule> kRules = {
    {"LibTorch", "^(torch|ATen|c10)/", "^(common/learn|tests/unit/learn|tests/bench)/"},
    {"gRPC", "^(grpcpp|grpc)/|\\.grpc\\.pb\\.h$",
     "(^|/)rpc/|^server/ctl/|^tests/|^(server|client)/main\\.cc$"},
    {"OpenSSL", "^openssl/", "^common/(crypto|base)/|(^|/)rpc/|^tests/"},
    {"libsodium", "^sodium", "^common/crypto/"},
    {"SQLite", "^sqlite3", "^(server|client)/store/|^tests/"},
    {"cpp-httplib and nlohmann-json", "^(httplib|nlohmann/)",
     "^server/(http|serve|ctl|store|simulate)/|^client/http/|^common/(model|http)/|^client/"
     "main|^tests/"},
    {"kissfft", "^kissfft/", "^common/dp/"},
    {"toml++", "^toml\\+\\+/", "^common/config/|^tests/"},
    {"absl", "^absl/", "^common/base/status\\.h$"},
    {"CLI11", "^CLI/", "main\\.cc$|^server/(ctl|simulate)/|^tests/"},
    {"messages of the wire", "^tutti/v1/(secagg|coordinator|enrolment|admin)\\.pb\\.h$",
     "^common/wire/|(^|/)rpc/|^server/(ctl|store|coordinator)|^client/main|^tests/"},
};

bool Matches(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern));
}

}  // namespace

TEST_CASE("third-party headers are included only where they live", "[arch]") {
  std::vector<std::string> violations;
  for (const std::string& file : Sources()) {
    for (const std::string& name : IncludesOf(file)) {
      for (const Rule& rule : kRules) {
        if (Matches(name, rule.includes) && !Matches(file, rule.homes)) {
          violations.push_back(file + " includes " + name + " (" + rule.what + ")");
        }
      }
    }
  }
  for (const std::string& violation : violations) {
    UNSCOPED_INFO(violation);
  }
  REQUIRE(violations.empty());
}

TEST_CASE("cores have no clock, thread, file, socket, log or hidden randomness", "[arch]") {
  const std::regex core(
      "^(common/(base|crypto|model|noise|secagg|dp|protocol|ledger|wire)|server/"
      "(round|cohort|aggregate)|"
      "client/(policy|session))/");
  const std::regex forbidden(
      "_clock::now|std::thread|std::mutex|std::ifstream|std::ofstream|spdlog::|:"
      ":getenv|\\bsleep_for\\b");
  std::vector<std::string> violations;
  for (const std::string& file : Sources()) {
    // Fetching a chain from an unknown server is I/O by nature; it lies beside the certificates it
    // reads. The guards' switch is compiled for mutation runs only.
    if (!std::regex_search(file, core) || file == "common/crypto/certificate_fetch.cc" ||
        file == "common/base/guard.cc") {
      continue;
    }
    std::istringstream in(ReadAll(std::filesystem::path(TUTTI_SOURCE_DIR) / file));
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (std::regex_search(line.substr(0, line.find("//")), forbidden)) {
        violations.push_back(file + ":" + std::to_string(number) + ": " + line);
      }
    }
  }
  for (const std::string& violation : violations) {
    UNSCOPED_INFO(violation);
  }
  REQUIRE(violations.empty());
}

TEST_CASE("tests use REQUIRE only, because glog's CHECK ends the process", "[arch]") {
  const std::regex forbidden("(^|[^_A-Za-z])CHECK(_FALSE|_THAT|_NOTHROW)?\\(");
  for (const std::string& file : Sources()) {
    if (file.starts_with("tests/") && !file.starts_with("tests/arch/")) {
      INFO(file);
      REQUIRE_FALSE(
          std::regex_search(ReadAll(std::filesystem::path(TUTTI_SOURCE_DIR) / file), forbidden));
    }
  }
}

}  // namespace tutti::arch
