// docs/architecture.md lists every library, its layer and what it uses. The list must be what CMake
// built.
#include <cstdlib>
#include <map>
#include <set>

#include "tests/arch/source_tree.h"
#include "tests/catch.h"

namespace tutti::arch {
namespace {

constexpr const char* kBegin = "<!-- libraries: begin -->\n";
constexpr const char* kEnd = "<!-- libraries: end -->";

// From the build: "name layer dependency layer" lines.
std::string TableFromBuild() {
  std::istringstream in(ReadAll(TUTTI_GRAPH_FILE));
  std::map<std::string, int> layers;
  std::map<std::string, std::set<std::string>> uses;
  std::string name;
  std::string dependency;
  int layer = 0;
  int dependency_layer = 0;
  while (in >> name >> layer >> dependency >> dependency_layer) {
    layers[name] = layer;
    layers[dependency] = dependency_layer;
    uses[name].insert(dependency);
  }
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [library, number] : layers) {
    order.emplace_back(number, library);
  }
  std::sort(order.begin(), order.end());
  std::string table = "| layer | target | uses |\n|---|---|---|\n";
  for (const auto& [number, library] : order) {
    std::string list;
    for (const std::string& used : uses[library]) {
      list += (list.empty() ? "" : ", ") + (used.starts_with("tutti_") ? used.substr(6) : used);
    }
    table += "| " + std::to_string(number) + " | " + library + " | " + list + " |\n";
  }
  return table;
}

}  // namespace

TEST_CASE("the architecture document lists the libraries as they are built", "[arch]") {
  const std::filesystem::path document =
      std::filesystem::path(TUTTI_SOURCE_DIR) / "docs" / "architecture.md";
  std::string text = ReadAll(document);
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const std::size_t start = begin + std::string(kBegin).size();
  const std::string table = TableFromBuild();
  if (table.find("tutti_learn") == std::string::npos) {
    return;  // a build without LibTorch has fewer libraries; the full build checks the document
  }
  if (std::getenv("TUTTI_REWRITE") != nullptr) {
    text.replace(start, end - start, table);
    std::ofstream(document, std::ios::binary) << text;
    return;
  }
  INFO("refresh with: TUTTI_REWRITE=1 build/release/bin/tutti_arch_test");
  REQUIRE(text.substr(start, end - start) == table);
}

}  // namespace tutti::arch
