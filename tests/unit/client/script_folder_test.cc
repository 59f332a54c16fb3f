#include "client/script_folder.h"

#include <fstream>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "tests/catch.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
namespace {

std::string HashOf(const std::string& text) { return ToHex(crypto::Sha256(AsBytes(text))); }

}  // namespace

TEST_CASE("a TorchScript file is found by its hash, whatever it is called", "[client]") {
  const TestFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path() + "/" + name, std::ios::binary) << text;
  };
  write("a.pt", "first");
  write("b.pt", std::string(3'000'000, 'x'));
  write("c.txt", "text");
  ScriptFolder scripts(folder.path());
  REQUIRE(scripts.Find(HashOf("first")).value() == folder.path() + "/" + "a.pt");
  REQUIRE(scripts.Find(HashOf(std::string(3'000'000, 'x'))).value() ==
          folder.path() + "/" + "b.pt");
  REQUIRE(MessageOf(scripts.Find(HashOf("text")).status()).find("none of the 2 files *.pt") == 0);
  REQUIRE_FALSE(scripts.Find("").ok());
  // Installed, changed and removed while the client runs.
  write("d.pt", "later");
  write("a.pt", "another");
  REQUIRE(scripts.Find(HashOf("later")).value() == folder.path() + "/" + "d.pt");
  REQUIRE(scripts.Find(HashOf("another")).value() == folder.path() + "/" + "a.pt");
  REQUIRE_FALSE(scripts.Find(HashOf("first")).ok());
  std::filesystem::remove(folder.path() + "/" + "d.pt");
  REQUIRE_FALSE(scripts.Find(HashOf("later")).ok());
}

TEST_CASE("without a folder of TorchScript files none is found, and the way out is named",
          "[client]") {
  REQUIRE(MessageOf(ScriptFolder("").Find(HashOf("x")).status())
              .find("set trainer.torchscript_directory") != std::string_view::npos);
  REQUIRE(ScriptFolder("/no/such/folder").Find(HashOf("x")).status().code() ==
          StatusCode::kNotFound);
}

}  // namespace tutti::client
