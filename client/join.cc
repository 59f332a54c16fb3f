#include "client/join.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "client/identity.h"
#include "client/rpc/enrol.h"
#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/failpoint/failpoint.h"
#include "common/platform/files.h"
#include "common/wire/token.h"

namespace tutti::client {
namespace {

constexpr int kFetchMilliseconds = 15'000;

// This machine's name as a client name.
std::string MachineName() {
  char host[256] = "client";
  if (::gethostname(host, sizeof(host) - 1) != 0) return "client";
  std::string name(host);
  for (char& c : name) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '-';
  }
  name.resize(std::min<std::size_t>(name.size(), 64));
  return IsSafeName(name) ? name : "client";
}

// The key of an earlier, interrupted try, or a new one.
StatusOr<crypto::KeyPair> KeyFor(const IdentityPaths& paths, SecureRng& rng) {
  if (platform::Exists(paths.key)) {
    TUTTI_TRY(platform::CheckPrivate(paths.key));
    TUTTI_ASSIGN(const std::string pem, platform::ReadTextFile(paths.key, 64 * 1024));
    TUTTI_ASSIGN(crypto::Ed25519Private key, crypto::PrivateKeyFromPem(pem));
    crypto::KeyPair pair{.key = std::move(key), .public_key = {}};
    pair.public_key = crypto::Ed25519PublicOf(pair.key);
    return pair;
  }
  crypto::KeyPair pair = crypto::NewKeyPair(rng);
  TUTTI_TRY(platform::WriteFileDurably(paths.key, AsBytes(crypto::PrivateKeyPem(pair.key)), 0600));
  return pair;
}

Status ExplainRefusal(const Status& status) {
  if (status.code() == StatusCode::kAlreadyExists) {
    return AlreadyExists(tutti::Join(TextOf(status), "; choose another name with --name"));
  }
  return Annotate(status, "enrolment refused");
}

// The certificate must be for our key and of the CA the token names: anything else is not stored.
Status CheckIssued(const client_rpc::Enrolled& issued, const std::string& ca_pem,
                   const crypto::KeyPair& pair) {
  TUTTI_ASSIGN(const crypto::CertificateInfo info,
               crypto::ReadCertificatePem(issued.certificate_pem));
  TUTTI_ASSIGN(const Digest wanted, crypto::CertificateSha256(ca_pem));
  TUTTI_ASSIGN(const Digest got, crypto::CertificateSha256(issued.ca_pem));
  if (wanted != got || info.public_key != pair.public_key || !IsSafeName(info.name)) {
    return FailedPrecondition(
        "the coordinator answered with a certificate of another CA or for another key; "
        "nothing was stored");
  }
  return OkStatus();
}

}  // namespace

StatusOr<Joined> Join(const JoinSettings& settings, SecureRng& rng) {
  TUTTI_ASSIGN(const wire::JoinToken token, wire::DecodeToken(settings.token));
  if (!settings.name.empty() && !IsSafeName(settings.name)) {
    return InvalidArgument(
        tutti::Join("name \"", Escaped(settings.name),
                    "\" is not 1 to 64 of a-z 0-9 . _ - starting with a letter or digit"));
  }
  const IdentityPaths paths(settings.state_directory);
  if (platform::Exists(paths.certificate) && platform::Exists(paths.server)) {
    return AlreadyExists(tutti::Join(settings.state_directory,
                                     " already holds the identity of a joined device; "
                                     "use another --state folder, or remove ",
                                     paths.folder,
                                     " to join anew (the privacy ledger beside it stays)"));
  }
  TUTTI_TRY(platform::MakeDirectory(settings.state_directory, 0700));
  TUTTI_TRY(platform::MakeDirectory(paths.folder, 0700));
  TUTTI_ASSIGN(const crypto::KeyPair pair, KeyFor(paths, rng));
  TUTTI_ASSIGN(const std::string ca_pem,
               crypto::FetchPinnedCa(token.enrolment_address, token.ca_sha256, kFetchMilliseconds));
  const std::string name = settings.name.empty() ? MachineName() : settings.name;
  TUTTI_ASSIGN(const std::string csr, crypto::NewRequestPem(pair, name));
  const StatusOr<client_rpc::Enrolled> issued =
      client_rpc::Enrol(token.enrolment_address, ca_pem, token.secret, csr, name);
  if (!issued.ok()) return ExplainRefusal(issued.status());
  Failpoint("client.join.enrolled");
  TUTTI_TRY(CheckIssued(*issued, ca_pem, pair));
  TUTTI_TRY(platform::WriteFileDurably(paths.ca, AsBytes(ca_pem), 0644));
  TUTTI_TRY(platform::WriteFileDurably(paths.certificate, AsBytes(issued->certificate_pem), 0644));
  TUTTI_TRY(platform::WriteFileDurably(paths.server, AsBytes(token.address + "\n"), 0644));
  TUTTI_ASSIGN(const crypto::CertificateInfo info,
               crypto::ReadCertificatePem(issued->certificate_pem));
  return Joined{.name = info.name, .role = info.role, .server = token.address};
}

}  // namespace tutti::client
