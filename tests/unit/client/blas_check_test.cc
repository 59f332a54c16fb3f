#include "client/blas_check.h"

#include <fstream>

#include "tests/catch.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {

TEST_CASE("the reference BLAS is told from an optimised one by where the library lies",
          "[client]") {
  namespace fs = std::filesystem;
  const TestFolder folder;
  const fs::path machine = fs::path(folder.path()) / "x86_64-linux-gnu";
  for (const char* kind : {"blas", "openblas-pthread"}) {
    fs::create_directories(machine / kind);
    std::ofstream(machine / kind / "libblas.so.3") << "library";
  }
  REQUIRE(ReferenceBlas(folder.path()) == std::nullopt);
  fs::create_symlink(machine / "openblas-pthread" / "libblas.so.3", machine / "libblas.so.3");
  REQUIRE(ReferenceBlas(folder.path()) == std::nullopt);
  fs::remove(machine / "libblas.so.3");
  fs::create_symlink(machine / "blas" / "libblas.so.3", machine / "libblas.so.3");
  REQUIRE(ReferenceBlas(folder.path()) ==
          fs::canonical(machine / "blas" / "libblas.so.3").string());
  REQUIRE(ReferenceBlas(folder.path() + "/nowhere") == std::nullopt);
}

}  // namespace tutti::client
