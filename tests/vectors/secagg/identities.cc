#include "tests/vectors/secagg/identities.h"

#include <sstream>

#include "common/base/text.h"
#include "tests/seeded_rng.h"

namespace tutti::vectors {
namespace {

constexpr WallSeconds kMade = 1767225600;  // 2026-01-01
constexpr int kDays = 36500;               // so that the vectors do not expire

std::string NameOf(std::size_t client) {
  const std::string digits = std::to_string(client);
  return "client-" + std::string(3 - std::min<std::size_t>(3, digits.size()), '0') + digits;
}

std::string PemOf(BytesView der) {
  std::string text = ToBase64Url(der);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.resize((text.size() + 3) / 4 * 4, '=');
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < text.size(); at += 64) {
    pem += text.substr(at, 64) + "\n";
  }
  return pem + "-----END CERTIFICATE-----\n";
}

}  // namespace

std::vector<Identity> MakeIdentities(std::size_t clients) {
  SeededSecureRng rng(7);
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  const std::string ca_pem = *crypto::NewCaCertificatePem(ca, "Vectors", kMade, kDays);
  std::vector<Identity> made{{"vectors", "ca", ca.key, *crypto::CertificateDer(ca_pem)}};
  for (std::size_t client = 0; client < clients; ++client) {
    const crypto::KeyPair key = crypto::NewKeyPair(rng);
    const std::string pem = *crypto::IssueForKey(ca.key, ca_pem, key.public_key,
                                                 {.name = NameOf(client),
                                                  .role = "trainer",
                                                  .server_names = {},
                                                  .now = kMade,
                                                  .days = kDays - 1});
    made.push_back({NameOf(client), "trainer", key.key, *crypto::CertificateDer(pem)});
  }
  return made;
}

std::string WriteIdentities(const std::vector<Identity>& identities) {
  std::string text;
  for (const Identity& identity : identities) {
    text += Join(identity.name, " ", identity.role, " ", ToHex(identity.key.view()), " ",
                 ToHex(identity.certificate), "\n");
  }
  return text;
}

StatusOr<std::vector<Identity>> ReadIdentities(std::string_view text) {
  std::vector<Identity> identities;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Identity identity;
    std::string key, certificate;
    words >> identity.name >> identity.role >> key >> certificate;
    TUTTI_ASSIGN(const Bytes key_bytes, FromHex(key));
    TUTTI_ASSIGN(const auto key_array, ToArray<32>(key_bytes, "signing key"));
    identity.key = crypto::Ed25519Private(key_array);
    TUTTI_ASSIGN(identity.certificate, FromHex(certificate));
    identities.push_back(std::move(identity));
  }
  return identities;
}

VectorVerifier::VectorVerifier(const std::vector<Identity>& identities)
    : inner_(PemOf(identities.at(0).certificate), clock_) {
  clock_.wall = kMade + 3600;
}

}  // namespace tutti::vectors
