#include "server/pki.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/text.h"
#include "common/platform/files.h"

namespace tutti::server {
namespace {

constexpr std::size_t kMostPem = 256 * 1024;
constexpr int kCaDays = 3650;
constexpr int kServerDays = 825;
constexpr int kOperatorDays = 825;

bool IsAddress(const std::string& name) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

StatusOr<std::string> NewOrGivenCa(const InitSettings& settings, const Clock& clock, SecureRng& rng,
                                   std::string& key_pem) {
  if (!settings.ca_certificate_file.empty()) {
    TUTTI_ASSIGN(key_pem, platform::ReadTextFile(settings.ca_key_file, kMostPem));
    return platform::ReadTextFile(settings.ca_certificate_file, kMostPem);
  }
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  key_pem = crypto::PrivateKeyPem(ca.key);
  return crypto::NewCaCertificatePem(ca, "tutti CA", clock.Wall(), kCaDays);
}

// Errors name the file that is wrong.
StatusOr<crypto::Ed25519Private> KeyFrom(const std::string& pem, const std::string& file) {
  StatusOr<crypto::Ed25519Private> key = crypto::PrivateKeyFromPem(pem);
  return key.ok() ? std::move(key) : Annotate(key.status(), file);
}

StatusOr<crypto::CertificateInfo> CheckCa(const std::string& ca_pem, const std::string& file,
                                          const crypto::Ed25519Private& key, WallSeconds now) {
  StatusOr<crypto::CertificateInfo> info = crypto::ReadCertificatePem(ca_pem);
  if (!info.ok()) {
    return Annotate(info.status(), file);
  }
  if (!info->is_ca) {
    return InvalidArgument(Join(file, " is not a CA's certificate (basic constraints: CA)"));
  }
  if (crypto::Ed25519PublicOf(key) != info->public_key) {
    return InvalidArgument(
        Join(file, " is of another key than the CA's; put the two that belong together back"));
  }
  if (now >= info->not_after) {
    return FailedPrecondition(Join(file, " has expired; make a new state directory"));
  }
  return info;
}

StatusOr<std::string> ReadKey(const std::string& path) {
  TUTTI_TRY(platform::CheckPrivate(path));
  return platform::ReadTextFile(path, kMostPem);
}

}  // namespace

crypto::ServerNames NamesFor(const std::vector<std::string>& public_names) {
  std::vector<std::string> all = public_names;
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') {
    all.emplace_back(host);
  }
  all.insert(all.end(), {"localhost", "127.0.0.1", "::1"});
  crypto::ServerNames names;
  for (const std::string& name : all) {
    std::vector<std::string>& list = IsAddress(name) ? names.ip : names.dns;
    if (std::find(list.begin(), list.end(), name) == list.end()) {
      list.push_back(name);
    }
  }
  return names;
}

StatusOr<crypto::CertificateInfo> InitPki(const InitSettings& settings, const Clock& clock,
                                          SecureRng& rng) {
  const std::string pki = settings.state_directory + "/pki";
  if (platform::Exists(pki + "/ca.pem") || platform::Exists(pki + "/ca.key")) {
    return AlreadyExists(Join(pki,
                              " has a CA already; nothing was changed. Every client trusts that "
                              "CA: to start anew use another state directory"));
  }
  std::string ca_key_pem;
  TUTTI_ASSIGN(const std::string ca_pem, NewOrGivenCa(settings, clock, rng, ca_key_pem));
  TUTTI_ASSIGN(const crypto::Ed25519Private ca_key, KeyFrom(ca_key_pem, settings.ca_key_file));
  TUTTI_ASSIGN(const crypto::CertificateInfo ca,
               CheckCa(ca_pem, settings.ca_certificate_file, ca_key, clock.Wall()));
  const crypto::KeyPair server = crypto::NewKeyPair(rng);
  const crypto::KeyPair admin = crypto::NewKeyPair(rng);
  crypto::IssueSettings issue;
  issue.now = clock.Wall();
  issue.name = "tutti-server";
  issue.role = "server";
  issue.server_names = NamesFor(settings.public_names);
  issue.days = kServerDays;
  TUTTI_ASSIGN(const std::string server_pem,
               crypto::IssueForKey(ca_key, ca_pem, server.public_key, issue));
  issue.name = "operator";
  issue.role = "operator";
  issue.server_names = {};
  issue.days = kOperatorDays;
  TUTTI_ASSIGN(const std::string operator_pem,
               crypto::IssueForKey(ca_key, ca_pem, admin.public_key, issue));
  TUTTI_TRY(platform::MakeDirectory(pki));
  const auto put = [&](const std::string& name, const std::string& text, unsigned mode) {
    return platform::WriteFileDurably(pki + "/" + name, AsBytes(text), mode);
  };
  TUTTI_TRY(put("server.pem", server_pem, 0644));
  TUTTI_TRY(put("server.key", crypto::PrivateKeyPem(server.key), 0600));
  TUTTI_TRY(put("operator.pem", operator_pem, 0644));
  TUTTI_TRY(put("operator.key", crypto::PrivateKeyPem(admin.key), 0600));
  TUTTI_TRY(put("ca.key", ca_key_pem, 0600));
  // Last: only a complete set counts as one.
  TUTTI_TRY(put("ca.pem", ca_pem, 0644));
  return crypto::ReadCertificatePem(operator_pem);
}

StatusOr<Pki> LoadPki(const std::string& state_directory,
                      const std::vector<std::string>& public_names, const Clock& clock) {
  const std::string pki = state_directory + "/pki";
  if (!platform::Exists(pki + "/ca.pem")) {
    return NotFound(Join("there are no certificates in ", pki,
                         "; make them with: tutti-server init "
                         "--state ",
                         state_directory));
  }
  Pki loaded;
  TUTTI_ASSIGN(loaded.authority.ca_pem, platform::ReadTextFile(pki + "/ca.pem", kMostPem));
  TUTTI_ASSIGN(const std::string ca_key_pem, ReadKey(pki + "/ca.key"));
  TUTTI_ASSIGN(loaded.authority.ca_key, KeyFrom(ca_key_pem, pki + "/ca.key"));
  TUTTI_ASSIGN(loaded.ca, CheckCa(loaded.authority.ca_pem, pki + "/ca.pem", loaded.authority.ca_key,
                                  clock.Wall()));
  TUTTI_ASSIGN(loaded.ca_sha256, crypto::CertificateSha256(loaded.authority.ca_pem));
  TUTTI_ASSIGN(loaded.server_key_pem, ReadKey(pki + "/server.key"));
  TUTTI_ASSIGN(const crypto::Ed25519Private server_key,
               KeyFrom(loaded.server_key_pem, pki + "/server.key"));
  crypto::IssueSettings issue;
  issue.name = "tutti-server";
  issue.role = "server";
  issue.server_names = NamesFor(public_names);
  issue.now = clock.Wall();
  issue.days = kServerDays;
  TUTTI_ASSIGN(loaded.server_pem,
               crypto::IssueForKey(loaded.authority.ca_key, loaded.authority.ca_pem,
                                   crypto::Ed25519PublicOf(server_key), issue));
  TUTTI_TRY(platform::WriteFileDurably(pki + "/server.pem", AsBytes(loaded.server_pem), 0644));
  return loaded;
}

}  // namespace tutti::server
