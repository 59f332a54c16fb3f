#include "client/identity.h"

#include <ctime>
#include <filesystem>

#include "common/base/text.h"
#include "common/platform/files.h"

namespace tutti::client {
namespace {

constexpr std::uint64_t kMaxPemBytes = 64 * 1024;

StatusOr<std::string> ReadPart(const std::string& path, const std::string& state_directory) {
  StatusOr<std::string> text = platform::ReadTextFile(path, kMaxPemBytes);
  if (text.status().code() == StatusCode::kNotFound) {
    return NotFound(Join("this device has not joined: there is no ", path,
                         "; run: tutti-client join TOKEN --state ", state_directory));
  }
  return text;
}

Status CheckCertificate(const crypto::CertificateInfo& info, const Identity& identity,
                        WallSeconds now) {
  if (info.public_key != crypto::Ed25519PublicOf(identity.key)) {
    return FailedPrecondition(
        "pki/client.pem was issued for another key than pki/client.key; join again");
  }
  if (now >= info.not_after) {
    return FailedPrecondition(Join("this device's certificate expired at ",
                                   DateText(info.not_after),
                                   "; ask the operator for a new join token and join again"));
  }
  if (now < info.not_before) {
    return FailedPrecondition(Join("this device's certificate is valid from ",
                                   DateText(info.not_before), ", the clock says ", DateText(now),
                                   "; set the clock"));
  }
  return OkStatus();
}

}  // namespace

IdentityPaths::IdentityPaths(const std::string& state_directory)
    : folder(state_directory + "/pki"),
      key(folder + "/client.key"),
      certificate(folder + "/client.pem"),
      ca(folder + "/ca.pem"),
      server(state_directory + "/server.address") {}

std::string DateText(WallSeconds time) {
  const std::time_t seconds = time;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

StatusOr<Identity> LoadIdentity(const std::string& state_directory, WallSeconds now) {
  const IdentityPaths paths(state_directory);
  Identity identity;
  TUTTI_ASSIGN(identity.certificate_pem, ReadPart(paths.certificate, state_directory));
  TUTTI_ASSIGN(identity.ca_pem, ReadPart(paths.ca, state_directory));
  TUTTI_ASSIGN(identity.key_pem, ReadPart(paths.key, state_directory));
  TUTTI_TRY(platform::CheckPrivate(paths.key));
  const auto in = [](const std::string& path) {
    return [&path](const Status& s) { return Annotate(s, path); };
  };
  StatusOr<crypto::Ed25519Private> key = crypto::PrivateKeyFromPem(identity.key_pem);
  if (!key.ok()) return in(paths.key)(key.status());
  identity.key = *std::move(key);
  const StatusOr<crypto::CertificateInfo> info =
      crypto::ReadCertificatePem(identity.certificate_pem);
  if (!info.ok()) return in(paths.certificate)(info.status());
  TUTTI_TRY(CheckCertificate(*info, identity, now));
  TUTTI_ASSIGN(identity.certificate_der, crypto::CertificateDer(identity.certificate_pem));
  const auto verified = crypto::VerifyCertificate(identity.ca_pem, identity.certificate_der, now);
  if (!verified.ok()) {
    return FailedPrecondition(Join(paths.certificate, " was not issued by ", paths.ca, " (",
                                   TextOf(verified.status()), "); join again"));
  }
  TUTTI_ASSIGN(const Digest fingerprint, crypto::CertificateSha256(identity.ca_pem));
  identity.ca_fingerprint = ToHex(fingerprint);
  identity.name = info->name;
  identity.role = info->role;
  identity.not_after = info->not_after;
  return identity;
}

StatusOr<Identity> InsecureIdentity(const std::string& state_directory, const std::string& role) {
  Identity identity;
  identity.name = std::filesystem::path(state_directory + "/").parent_path().filename().string();
  if (!IsSafeName(identity.name)) {
    return InvalidArgument(
        Join("with insecure_loopback the state folder's name is the client's name; \"",
             Escaped(identity.name), "\" is not 1 to 64 of a-z 0-9 . _ -"));
  }
  identity.role = role;
  identity.ca_fingerprint = "insecure";
  return identity;
}

StatusOr<std::string> LoadServerAddress(const std::string& state_directory) {
  TUTTI_ASSIGN(std::string text, ReadPart(IdentityPaths(state_directory).server, state_directory));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

}  // namespace tutti::client
