#include "client/identity.h"

#include <sys/stat.h>

#include "common/platform/files.h"
#include "tests/catch.h"
#include "tests/unit/client/certificates.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
namespace {

constexpr WallSeconds kNow = 1'800'000'000;
constexpr WallSeconds kDay = 24 * 3600;

void Store(const std::string& state, const Identity& identity) {
  const IdentityPaths paths(state);
  REQUIRE(platform::MakeDirectory(paths.folder).ok());
  REQUIRE(platform::WriteFileDurably(paths.key, AsBytes(identity.key_pem), 0600).ok());
  REQUIRE(
      platform::WriteFileDurably(paths.certificate, AsBytes(identity.certificate_pem), 0644).ok());
  REQUIRE(platform::WriteFileDurably(paths.ca, AsBytes(identity.ca_pem), 0644).ok());
  REQUIRE(platform::WriteFileDurably(paths.server, AsBytes("coordinator:7443\n"), 0644).ok());
}

bool Says(const Status& status, const std::string& part) {
  return TextOf(status).find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an identity is read back as it was stored", "[client]") {
  const TestFolder folder;
  TestAuthority authority(kNow);
  Store(folder.path(), authority.Enrol("device-1", "evaluator"));
  const auto identity = LoadIdentity(folder.path(), kNow + kDay);
  REQUIRE(identity.ok());
  REQUIRE(identity->name == "device-1");
  REQUIRE(identity->role == "evaluator");
  REQUIRE(identity->ca_fingerprint.size() == 64);
  REQUIRE(LoadServerAddress(folder.path()).value() == "coordinator:7443");
}

TEST_CASE("a device that has not joined is told how", "[client]") {
  const TestFolder folder;
  const Status status = LoadIdentity(folder.path(), kNow).status();
  REQUIRE(status.code() == StatusCode::kNotFound);
  REQUIRE(Says(status, "tutti-client join TOKEN --state " + folder.path()));
  REQUIRE(LoadServerAddress(folder.path()).status().code() == StatusCode::kNotFound);
}

TEST_CASE("a key that others may read is refused", "[client]") {
  const TestFolder folder;
  TestAuthority authority(kNow);
  Store(folder.path(), authority.Enrol("device-1"));
  REQUIRE(::chmod(IdentityPaths(folder.path()).key.c_str(), 0640) == 0);
  REQUIRE(LoadIdentity(folder.path(), kNow).status().code() == StatusCode::kPermissionDenied);
}

TEST_CASE("files that do not fit together are refused by name", "[client]") {
  TestAuthority authority(kNow), other(kNow);
  const Identity good = authority.Enrol("device-1");
  const auto load = [&](const Identity& identity, WallSeconds now) {
    const TestFolder folder;
    Store(folder.path(), identity);
    return LoadIdentity(folder.path(), now).status();
  };
  Identity wrong_key = good;
  wrong_key.key_pem = authority.Enrol("device-2").key_pem;
  REQUIRE(Says(load(wrong_key, kNow), "issued for another key"));
  Identity wrong_ca = good;
  wrong_ca.ca_pem = other.ca_pem();
  REQUIRE(Says(load(wrong_ca, kNow), "was not issued by"));
  Identity garbage = good;
  garbage.certificate_pem = "no certificate";
  REQUIRE(Says(load(garbage, kNow), "client.pem"));
  garbage = good;
  garbage.key_pem = "no key";
  REQUIRE(Says(load(garbage, kNow), "client.key"));
  REQUIRE(Says(load(good, kNow + 6 * kDay), "expired at"));
  REQUIRE(Says(load(good, kNow - kDay), "set the clock"));
}

TEST_CASE("without certificates the state folder's name is the client's name", "[client]") {
  REQUIRE(InsecureIdentity("/somewhere/client-3", "trainer")->name == "client-3");
  REQUIRE(InsecureIdentity("/somewhere/client-3/", "trainer")->name == "client-3");
  REQUIRE_FALSE(InsecureIdentity("/somewhere/Not Safe", "trainer").ok());
}

}  // namespace tutti::client
