#include "server/store/checkpoints.h"

#include "common/crypto/hash.h"
#include "common/platform/files.h"
#include "server/store/directory.h"
#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::store {
namespace {

ModelRecord Written(Checkpoints& checkpoints, std::uint64_t round, const Bytes& bytes) {
  ModelRecord model;
  model.job = "j";
  model.round = round;
  model.sha256 = crypto::Sha256(bytes);
  model.bytes = bytes.size();
  const auto path = checkpoints.Write("j", round, model.sha256, bytes, "{}");
  REQUIRE(path.ok());
  model.path = *path;
  return model;
}

}  // namespace

TEST_CASE("a checkpoint is read back and a changed one is refused", "[store]") {
  const test::TemporaryDirectory folder;
  Checkpoints checkpoints(folder.path());
  const ModelRecord model = Written(checkpoints, 3, Bytes(1000, 5));
  REQUIRE(*checkpoints.Read(model) == Bytes(1000, 5));
  REQUIRE(*checkpoints.ReadManifest(model) == "{}");
  Bytes changed(1000, 5);
  changed[500] = 6;
  REQUIRE(platform::WriteFileDurably(checkpoints.FullPath(model), changed).ok());
  REQUIRE(checkpoints.Read(model).status().code() == StatusCode::kDataLoss);
  changed.push_back(0);
  REQUIRE(platform::WriteFileDurably(checkpoints.FullPath(model), changed).ok());
  REQUIRE(checkpoints.Read(model).status().code() == StatusCode::kDataLoss);
  checkpoints.Remove(model);
  REQUIRE(checkpoints.Read(model).status().code() == StatusCode::kNotFound);
}

TEST_CASE("cleaning removes left-overs and nothing the store names", "[store]") {
  const test::TemporaryDirectory folder;
  Checkpoints checkpoints(folder.path());
  const ModelRecord kept = Written(checkpoints, 1, Bytes(10, 1));
  const ModelRecord orphan = Written(checkpoints, 2, Bytes(10, 2));
  REQUIRE(platform::WriteFileDurably(folder / "models/j/3-00.safetensors.x", Bytes(3, 3)).ok());
  REQUIRE(::rename((folder / "models/j/3-00.safetensors.x").c_str(),
                   (folder / "models/j/3-00.safetensors.tmp").c_str()) == 0);
  REQUIRE(*checkpoints.Clean({kept}) == 3);
  REQUIRE(checkpoints.Read(kept).ok());
  REQUIRE(!checkpoints.Read(orphan).ok());
}

TEST_CASE("a job's name cannot lead out of the models folder", "[store]") {
  const test::TemporaryDirectory folder;
  Checkpoints checkpoints(folder.path());
  REQUIRE(!checkpoints.Write("../evil", 1, Digest{}, Bytes(1, 1), "{}").ok());
  REQUIRE(!checkpoints.Write("..", 1, Digest{}, Bytes(1, 1), "{}").ok());
}

TEST_CASE("a manifest names model and privacy", "[store]") {
  ModelRecord model;
  model.job = "j";
  model.round = 2;
  RoundRecord round;
  round.survivors = 8;
  round.privacy_unit = "example";
  round.max_epsilon = 1.23456789;
  const std::string json = ManifestJson(model, round, "{\"a\":1}");
  REQUIRE(json.find("\"clients\":8") != std::string::npos);
  REQUIRE(json.find("\"largest_epsilon\":1.234568") != std::string::npos);
  REQUIRE(json.find("\"task\":{\"a\":1}}") != std::string::npos);
}

TEST_CASE("the directory finds keys, forgets replaced ones and marks revoked ones", "[store]") {
  Directory directory;
  ClientRecord client;
  client.name = "a";
  client.role = "trainer";
  client.spki.fill(1);
  directory.Put(client);
  REQUIRE(directory.Find(client.spki)->name == "a");
  REQUIRE(directory.Enrolled() == 1);
  directory.Revoke("a");
  REQUIRE(directory.Find(client.spki)->revoked);
  REQUIRE(directory.Enrolled() == 0);
  Digest old = client.spki;
  client.spki.fill(2);
  directory.Put(client);
  REQUIRE(!directory.Find(old).has_value());
  REQUIRE(!directory.Find(client.spki)->revoked);
}

}  // namespace tutti::store
