#include "client/data/byte_source.h"

#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/unit/data/files.h"

namespace tutti::data {
namespace {

StatusOr<std::string> ReadAll(const std::string& path) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(path));
  std::string all;
  std::vector<std::uint8_t> block(1000);
  while (true) {
    TUTTI_ASSIGN(const std::size_t got, source.Read(block));
    all.append(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got));
    if (got < block.size()) return all;
  }
}

std::string Pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * i + i / 7) & 0xff);
  text[0] = 'x';
  return text;
}

}  // namespace

TEST_CASE("plain and gzip files give the same bytes whatever their name", "[data]") {
  const TestFolder folder;
  const std::string bytes = Pattern(300'001);
  REQUIRE(ReadAll(folder.Write("plain.gz", bytes)).value() == bytes);
  REQUIRE(ReadAll(folder.Write("zipped", Gzip(bytes))).value() == bytes);
}

TEST_CASE("several gzip members are read as one stream", "[data]") {
  const TestFolder folder;
  REQUIRE(ReadAll(folder.Write("two.gz", Gzip("first ") + Gzip("second"))).value() ==
          "first second");
}

TEST_CASE("a gzip file cut at any place is an error and never short data", "[data]") {
  const TestFolder folder;
  const std::string whole = Gzip(Pattern(500));
  for (std::size_t size = 2; size < whole.size(); ++size) {
    const auto result = ReadAll(folder.Write("cut.gz", whole.substr(0, size)));
    REQUIRE(result.status().code() == StatusCode::kDataLoss);
  }
}

TEST_CASE("a flipped byte in gzip data is found by its checksum", "[data]") {
  const TestFolder folder;
  std::string bytes = Gzip(Pattern(5000));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  REQUIRE(ReadAll(folder.Write("flip.gz", bytes)).status().code() == StatusCode::kDataLoss);
}

TEST_CASE("bytes that are not gzip behind gzip data are refused", "[data]") {
  const TestFolder folder;
  const auto result = ReadAll(folder.Write("tail.gz", Gzip("abc") + "tail"));
  REQUIRE(result.status().code() == StatusCode::kDataLoss);
  REQUIRE(TextOf(result.status()).find("not gzip") != std::string::npos);
}

TEST_CASE("missing, empty, folder, pipe and looping paths are told apart", "[data]") {
  const TestFolder folder;
  REQUIRE(ByteSource::Open(folder.Path("none")).status().code() == StatusCode::kNotFound);
  REQUIRE(TextOf(ByteSource::Open(folder.Write("empty", "")).status()).find("is empty") !=
          std::string::npos);
  REQUIRE(TextOf(ByteSource::Open(folder.Path("")).status()).find("is a folder") !=
          std::string::npos);
  REQUIRE(::mkfifo(folder.Path("pipe").c_str(), 0600) == 0);
  REQUIRE(TextOf(ByteSource::Open(folder.Path("pipe")).status()).find("not a regular file") !=
          std::string::npos);
  std::filesystem::create_symlink(folder.Path("loop"), folder.Path("loop"));
  REQUIRE(TextOf(ByteSource::Open(folder.Path("loop")).status()).find("loop of symbolic links") !=
          std::string::npos);
  if (::geteuid() != 0) {  // root reads everything
    const std::string secret = folder.Write("secret", "x");
    REQUIRE(::chmod(secret.c_str(), 0) == 0);
    REQUIRE(ByteSource::Open(secret).status().code() == StatusCode::kPermissionDenied);
  }
}

TEST_CASE("a file that grows while it is read is noticed", "[data]") {
  const TestFolder folder;
  const std::string path = folder.Write("grows", "abc");
  const auto source = ByteSource::Open(path);
  REQUIRE(source.value().CheckUnchanged().ok());
  std::ofstream(path, std::ios::app) << "d";
  REQUIRE(source.value().CheckUnchanged().code() == StatusCode::kFailedPrecondition);
}

}  // namespace tutti::data
