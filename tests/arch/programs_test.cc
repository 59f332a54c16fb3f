// The daemons that hold keys and ledgers never link LibTorch (docs/architecture.md section 8).
#include <array>
#include <cstdio>

#include "tests/arch/source_tree.h"
#include "tests/catch.h"

namespace tutti::arch {
namespace {

std::string OutputOf(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
    text += buffer.data();
  }
  pclose(pipe);
  return text;
}

}  // namespace

TEST_CASE("tutti-server, tutti-client and tutti do not link LibTorch", "[arch]") {
  for (const char* program : {"tutti-server", "tutti-client", "tutti"}) {
    const std::filesystem::path path = std::filesystem::path(TUTTI_BIN_DIR) / program;
    INFO(path);
    REQUIRE(std::filesystem::exists(path));
    const std::string libraries = OutputOf("ldd " + path.string());
    REQUIRE(libraries.find("libc.so") != std::string::npos);
    REQUIRE(libraries.find("torch") == std::string::npos);
    REQUIRE(libraries.find("libc10") == std::string::npos);
  }
}

TEST_CASE("every program says what it is for and its version", "[arch]") {
  for (const char* program : {"tutti-server", "tutti-client", "tutti"}) {
    const std::string path = std::string(TUTTI_BIN_DIR) + "/" + program;
    const std::string help = OutputOf(path + " --help");
    INFO(help);
    REQUIRE(help.find("Usage") != std::string::npos);
    REQUIRE(OutputOf(path + " --version").find(TUTTI_VERSION) != std::string::npos);
  }
}

TEST_CASE("tutti simulate hands its words to a program of its own, which links LibTorch",
          "[arch]") {
  const std::filesystem::path programs(TUTTI_BIN_DIR);
  if (!std::filesystem::exists(programs / "tutti-simulator")) {
    return;  // a build without LibTorch
  }
  const std::string help = OutputOf((programs / "tutti").string() + " simulate --help");
  INFO(help);
  REQUIRE(help.find("--secure-aggregation") != std::string::npos);
  REQUIRE(OutputOf("ldd " + (programs / "tutti-simulator").string()).find("torch") !=
          std::string::npos);
}

}  // namespace tutti::arch
