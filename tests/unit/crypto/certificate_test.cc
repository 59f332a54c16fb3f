#include "common/crypto/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/crypto/certificate_parts.h"
#include "common/crypto/hash.h"
#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

constexpr WallSeconds kNow = 1'767'225'600;  // 2026-01-01
constexpr WallSeconds kDay = 86'400;

struct Authority {
  explicit Authority(std::uint8_t seed, WallSeconds now = kNow, int days = 3650) {
    AesCtrStream rng = Seeded(seed);
    keys = NewKeyPair(rng);
    const StatusOr<std::string> made = NewCaCertificatePem(keys, "Tutti test CA", now, days);
    REQUIRE(made.ok());
    pem = *made;
  }

  StatusOr<std::string> Issue(const Ed25519Public& subject, const IssueSettings& settings) const {
    return IssueForKey(keys.key, pem, subject, settings);
  }

  Bytes Leaf(const KeyPair& subject, const std::string& name, const std::string& role) const {
    const StatusOr<std::string> issued =
        Issue(subject.public_key,
              {.name = name, .role = role, .server_names = {}, .now = kNow, .days = 30});
    REQUIRE(issued.ok());
    const StatusOr<Bytes> der = CertificateDer(*issued);
    REQUIRE(der.ok());
    return *der;
  }

  KeyPair keys;
  std::string pem;
};

KeyPair Keys(std::uint8_t seed) {
  AesCtrStream rng = Seeded(seed);
  return NewKeyPair(rng);
}

IssueSettings Named(const std::string& name, const std::string& role = "trainer") {
  return {.name = name, .role = role, .server_names = {}, .now = kNow, .days = 30};
}

StatusCode CodeOf(const StatusOr<CertificateInfo>& info) { return info.status().code(); }

// A request signed with a key of another kind.
std::string ForeignRequest(EVP_PKEY* key) {
  const RequestHandle request(X509_REQ_new());
  REQUIRE(X509_REQ_set_pubkey(request.get(), key) == 1);
  REQUIRE(X509_REQ_sign(request.get(), key, EVP_sha256()) > 0);
  const BioHandle bio = MemoryBio();
  REQUIRE(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return WrittenText(bio.get());
}

std::string ForeignKeyPem(EVP_PKEY* key) {
  const BioHandle bio = MemoryBio();
  REQUIRE(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return WrittenText(bio.get());
}

TEST_CASE("a private key survives its PEM text", "[certificate]") {
  const KeyPair keys = Keys(40);
  const std::string pem = PrivateKeyPem(keys.key);
  REQUIRE(pem.rfind("-----BEGIN PRIVATE KEY-----\n", 0) == 0);
  const StatusOr<Ed25519Private> read = PrivateKeyFromPem(pem);
  REQUIRE(read.ok());
  REQUIRE(EqualInConstantTime(read->view(), keys.key.view()));
}

TEST_CASE("the private key of RFC 8410 section 10.3 is read", "[certificate]") {
  const StatusOr<Ed25519Private> key = PrivateKeyFromPem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "-----END PRIVATE KEY-----\n");
  REQUIRE(key.ok());
  REQUIRE(ToHex(key->view()) == "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842");
}

TEST_CASE("a text that is no Ed25519 private key is refused", "[certificate]") {
  const PkeyHandle p256(EVP_EC_gen("P-256"));
  for (const std::string& pem : {std::string(), std::string("hello"), Authority(41).pem,
                                 ForeignKeyPem(p256.get()), std::string(100'000, 'a')}) {
    REQUIRE(PrivateKeyFromPem(pem).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a CA certificate says that it is one and for how long", "[certificate]") {
  const Authority ca(42, kNow, 10);
  const StatusOr<CertificateInfo> info = ReadCertificatePem(ca.pem);
  REQUIRE(info.ok());
  REQUIRE(info->is_ca);
  REQUIRE(info->name == "Tutti test CA");
  REQUIRE(info->role.empty());
  REQUIRE(info->public_key == ca.keys.public_key);
  REQUIRE(info->not_before == kNow - 3600);
  REQUIRE(info->not_after == kNow + 10 * kDay);
  const StatusOr<Bytes> der = CertificateDer(ca.pem);
  REQUIRE(der.ok());
  REQUIRE(*CertificateSha256(ca.pem) == Sha256(*der));
}

TEST_CASE("the identity is the hash of the subject public key info", "[certificate]") {
  // RFC 8410 section 4: this prefix, then the raw key.
  const Authority ca(43);
  Bytes spki = Hex("302a300506032b6570032100");
  spki.insert(spki.end(), ca.keys.public_key.begin(), ca.keys.public_key.end());
  REQUIRE(ReadCertificatePem(ca.pem)->spki_sha256 == Sha256(spki));
}

TEST_CASE("a client's request becomes a certificate that the CA verifies", "[certificate]") {
  const Authority ca(44);
  const KeyPair client = Keys(45);
  const StatusOr<std::string> request = NewRequestPem(client, "wished-name");
  REQUIRE(request.ok());
  REQUIRE(*RequestPublicKey(*request) == client.public_key);
  for (const char* const role : {"trainer", "evaluator", "operator", "server", ""}) {
    const StatusOr<std::string> issued =
        IssueFromRequest(ca.keys.key, ca.pem, *request, Named("phone-17", role));
    REQUIRE(issued.ok());
    const StatusOr<CertificateInfo> info =
        VerifyCertificate(ca.pem, *CertificateDer(*issued), kNow);
    REQUIRE(info.ok());
    REQUIRE(info->name == "phone-17");
    REQUIRE(info->role == role);
    REQUIRE(info->public_key == client.public_key);
    REQUIRE(info->not_before == kNow - 3600);
    REQUIRE(info->not_after == kNow + 30 * kDay);
    REQUIRE_FALSE(info->is_ca);
  }
  const StatusOr<std::string> own_name = IssueFromRequest(ca.keys.key, ca.pem, *request, Named(""));
  REQUIRE(own_name.ok());
  REQUIRE(ReadCertificatePem(*own_name)->name == "wished-name");
}

TEST_CASE("the certificates carry the usages and names TLS asks for", "[certificate]") {
  const Authority ca(46);
  const KeyPair keys = Keys(47);
  IssueSettings settings = Named("server-1", "server");
  settings.server_names = {.dns = {"fl.example.org", "localhost"}, .ip = {"127.0.0.1", "::1"}};
  const StatusOr<X509Handle> server = ParseCertificatePem(*ca.Issue(keys.public_key, settings));
  const StatusOr<X509Handle> client =
      ParseCertificatePem(*ca.Issue(keys.public_key, Named("phone")));
  const StatusOr<X509Handle> root = ParseCertificatePem(ca.pem);
  REQUIRE(X509_check_host(server->get(), "fl.example.org", 0, 0, nullptr) == 1);
  REQUIRE(X509_check_host(server->get(), "localhost", 0, 0, nullptr) == 1);
  REQUIRE(X509_check_host(server->get(), "other.example.org", 0, 0, nullptr) == 0);
  REQUIRE(X509_check_ip_asc(server->get(), "127.0.0.1", 0) == 1);
  REQUIRE(X509_check_ip_asc(server->get(), "::1", 0) == 1);
  REQUIRE(X509_check_ip_asc(server->get(), "127.0.0.2", 0) == 0);
  REQUIRE(X509_check_purpose(server->get(), X509_PURPOSE_SSL_SERVER, 0) == 1);
  REQUIRE(X509_check_purpose(server->get(), X509_PURPOSE_SSL_CLIENT, 0) == 1);
  // A client's certificate must not let it pose as the server.
  REQUIRE(X509_check_purpose(client->get(), X509_PURPOSE_SSL_SERVER, 0) == 0);
  REQUIRE(X509_check_purpose(client->get(), X509_PURPOSE_SSL_CLIENT, 0) == 1);
  REQUIRE(X509_get_key_usage(client->get()) == KU_DIGITAL_SIGNATURE);
  REQUIRE(X509_get_key_usage(root->get()) == KU_KEY_CERT_SIGN);
  REQUIRE(X509_check_ca(root->get()) == 1);
  REQUIRE(X509_check_ca(client->get()) == 0);
}

TEST_CASE("no two certificates have the same serial number", "[certificate]") {
  const Authority ca(48);
  const KeyPair keys = Keys(49);
  const StatusOr<X509Handle> a = ParseCertificatePem(*ca.Issue(keys.public_key, Named("a")));
  const StatusOr<X509Handle> b = ParseCertificatePem(*ca.Issue(keys.public_key, Named("a")));
  REQUIRE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a->get()), X509_get0_serialNumber(b->get())) !=
          0);
  REQUIRE(ASN1_STRING_length(X509_get0_serialNumber(a->get())) == 16);
}

TEST_CASE("a certificate of another CA is refused, also when that CA has the same name",
          "[certificate]") {
  const Authority ca(50), other(51);
  const Bytes leaf = other.Leaf(Keys(52), "phone", "trainer");
  REQUIRE(VerifyCertificate(other.pem, leaf, kNow).ok());
  REQUIRE(CodeOf(VerifyCertificate(ca.pem, leaf, kNow)) == StatusCode::kUnauthenticated);
}

TEST_CASE("a certificate is good in its time only", "[certificate]") {
  const Authority ca(53);
  const Bytes leaf = ca.Leaf(Keys(54), "phone", "trainer");
  REQUIRE(VerifyCertificate(ca.pem, leaf, kNow - 3600).ok());
  REQUIRE(VerifyCertificate(ca.pem, leaf, kNow + 30 * kDay - 1).ok());
  const StatusOr<CertificateInfo> early = VerifyCertificate(ca.pem, leaf, kNow - 3601);
  const StatusOr<CertificateInfo> late = VerifyCertificate(ca.pem, leaf, kNow + 30 * kDay + 1);
  REQUIRE(CodeOf(early) == StatusCode::kUnauthenticated);
  REQUIRE(TextOf(early.status()).find("not yet valid") != std::string::npos);
  REQUIRE(CodeOf(late) == StatusCode::kUnauthenticated);
  REQUIRE(TextOf(late.status()).find("expired") != std::string::npos);
}

TEST_CASE("a certificate never outlives its CA, and an expired CA issues nothing",
          "[certificate]") {
  const Authority ca(55, kNow, 10);
  const Bytes leaf = ca.Leaf(Keys(56), "phone", "trainer");  // asks for 30 days
  REQUIRE(ReadCertificateDer(leaf)->not_after == kNow + 10 * kDay);
  IssueSettings late = Named("phone");
  late.now = kNow + 11 * kDay;
  REQUIRE(ca.Issue(Keys(56).public_key, late).status().code() == StatusCode::kFailedPrecondition);
}

TEST_CASE("the CA's own certificate is no client's", "[certificate]") {
  const Authority ca(57);
  REQUIRE(CodeOf(VerifyCertificate(ca.pem, *CertificateDer(ca.pem), kNow)) ==
          StatusCode::kUnauthenticated);
  REQUIRE(ca.Issue(ca.keys.public_key, Named("me")).status().code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("the CA's own certificate is no client's, also when its usages would allow it",
          "[certificate]") {
  // A CA made elsewhere may have no key usage, which allows everything.
  const Authority ca(79);
  const StatusOr<X509Handle> open = ParseCertificatePem(ca.pem);
  X509_EXTENSION_free(
      X509_delete_ext(open->get(), X509_get_ext_by_NID(open->get(), NID_key_usage, -1)));
  const PkeyHandle key = PrivatePkey(EVP_PKEY_ED25519, ca.keys.key.view().data());
  REQUIRE(X509_sign(open->get(), key.get(), nullptr) > 0);
  const std::string pem = CertificatePem(open->get());
  REQUIRE(CodeOf(VerifyCertificate(pem, *CertificateDer(pem), kNow)) ==
          StatusCode::kUnauthenticated);
  REQUIRE(VerifyCertificate(pem, ca.Leaf(Keys(80), "phone", "trainer"), kNow).ok());
}

TEST_CASE("a client cannot issue certificates", "[certificate]") {
  const Authority ca(58);
  const KeyPair client = Keys(59), friend_keys = Keys(60);
  const StatusOr<std::string> leaf = ca.Issue(client.public_key, Named("phone"));
  REQUIRE(IssueForKey(client.key, *leaf, friend_keys.public_key, Named("friend")).status().code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE(VerifyCertificate(*leaf, *CertificateDer(*leaf), kNow).status().code() ==
          StatusCode::kFailedPrecondition);
  // Made by hand, without our own check: a certificate in the CA's name, signed with the client's
  // key.
  const StatusOr<X509Handle> forged =
      ParseCertificatePem(*ca.Issue(friend_keys.public_key, Named("friend")));
  const PkeyHandle key = PrivatePkey(EVP_PKEY_ED25519, client.key.view().data());
  REQUIRE(X509_sign(forged->get(), key.get(), nullptr) > 0);
  REQUIRE(CodeOf(VerifyCertificate(ca.pem, CertificateToDer(forged->get()), kNow)) ==
          StatusCode::kUnauthenticated);
}

TEST_CASE("a CA key that is not the certificate's issues nothing", "[certificate]") {
  const Authority ca(61), other(62);
  REQUIRE(
      IssueForKey(other.keys.key, ca.pem, Keys(63).public_key, Named("phone")).status().code() ==
      StatusCode::kFailedPrecondition);
}

TEST_CASE("a certificate with any changed byte is refused", "[certificate]") {
  const Authority ca(64);
  const Bytes leaf = ca.Leaf(Keys(65), "phone", "trainer");
  for (std::size_t i = 0; i < leaf.size(); ++i) {
    for (const unsigned change : {0x01u, 0x80u}) {
      Bytes changed = leaf;
      changed[i] ^= static_cast<std::uint8_t>(change);
      REQUIRE(CodeOf(VerifyCertificate(ca.pem, changed, kNow)) == StatusCode::kUnauthenticated);
    }
  }
  for (std::size_t size = 0; size < leaf.size(); ++size) {
    REQUIRE(CodeOf(VerifyCertificate(ca.pem, BytesView(leaf).first(size), kNow)) ==
            StatusCode::kUnauthenticated);
  }
  Bytes longer = leaf;
  longer.push_back(0);
  REQUIRE(CodeOf(VerifyCertificate(ca.pem, longer, kNow)) == StatusCode::kUnauthenticated);
}

TEST_CASE("a request with an RSA or P-256 key is refused by name", "[certificate]") {
  const Authority ca(66);
  const PkeyHandle rsa(EVP_RSA_gen(2048));
  const PkeyHandle p256(EVP_EC_gen("P-256"));
  for (EVP_PKEY* const key : {rsa.get(), p256.get()}) {
    const StatusOr<std::string> issued =
        IssueFromRequest(ca.keys.key, ca.pem, ForeignRequest(key), Named("phone"));
    REQUIRE(issued.status().code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(issued.status()).find("expected ED25519") != std::string::npos);
  }
}

TEST_CASE("a request that is not signed by its own key is refused", "[certificate]") {
  const Authority ca(67);
  const KeyPair client = Keys(68), thief = Keys(69);
  const StatusOr<RequestHandle> request = ParseRequestPem(*NewRequestPem(client, "phone"));
  // The thief asks for a certificate over the client's key.
  const PkeyHandle key = PrivatePkey(EVP_PKEY_ED25519, thief.key.view().data());
  REQUIRE(X509_REQ_sign(request->get(), key.get(), nullptr) > 0);
  const BioHandle bio = MemoryBio();
  REQUIRE(PEM_write_bio_X509_REQ(bio.get(), request->get()) == 1);
  REQUIRE(IssueFromRequest(ca.keys.key, ca.pem, WrittenText(bio.get()), Named("phone"))
              .status()
              .code() == StatusCode::kInvalidArgument);
  for (const std::string& text : {std::string(), std::string("hello"), ca.pem}) {
    REQUIRE(RequestPublicKey(text).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("names, roles and addresses that are not usable are refused", "[certificate]") {
  const Authority ca(70);
  const KeyPair keys = Keys(71);
  const auto code = [&](const IssueSettings& settings) {
    return ca.Issue(keys.public_key, settings).status().code();
  };
  for (const std::string& name :
       {std::string(), std::string("Has Space"), std::string("a\0b", 3), std::string("a/../b"),
        std::string(65, 'a'), std::string("UPPER")}) {
    REQUIRE(code(Named(name)) == StatusCode::kInvalidArgument);
  }
  REQUIRE(code(Named("phone", "admin")) == StatusCode::kInvalidArgument);
  IssueSettings settings = Named("server", "server");
  settings.server_names = {.dns = {"a,URI:tutti:role:operator"}, .ip = {}};
  REQUIRE(code(settings) == StatusCode::kInvalidArgument);
  settings.server_names = {.dns = {}, .ip = {"300.1.1.1"}};
  REQUIRE(code(settings) == StatusCode::kInvalidArgument);
  settings = Named("phone");
  settings.days = 0;
  REQUIRE(code(settings) == StatusCode::kInvalidArgument);
  REQUIRE(NewCaCertificatePem(ca.keys, "", kNow, 1).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(NewRequestPem(keys, std::string("a\nb")).status().code() == StatusCode::kInvalidArgument);
}

class FixedClock final : public Clock {
 public:
  Instant Now() const override { return Instant(0); }
  WallSeconds Wall() const override { return wall; }
  WallSeconds wall = kNow;
};

TEST_CASE("the caching verifier answers as the plain one, also when time passes", "[certificate]") {
  const Authority ca(72), other(73);
  FixedClock clock;
  CachingVerifier verifier(ca.pem, clock, 2);
  const Bytes good = ca.Leaf(Keys(74), "phone", "trainer");
  const Bytes foreign = other.Leaf(Keys(75), "phone", "trainer");
  for (int i = 0; i < 3; ++i) {
    clock.wall = kNow;
    REQUIRE(verifier.Verify(good)->name == "phone");
    REQUIRE(CodeOf(verifier.Verify(foreign)) == StatusCode::kUnauthenticated);
    clock.wall = kNow + 31 * kDay;
    REQUIRE(CodeOf(verifier.Verify(good)) == StatusCode::kUnauthenticated);
    clock.wall = kNow - 2 * 3600;
    REQUIRE(CodeOf(verifier.Verify(good)) == StatusCode::kUnauthenticated);
  }
}

TEST_CASE("the caching verifier goes on beyond its capacity and without any", "[certificate]") {
  const Authority ca(76);
  const FixedClock clock;
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
    CachingVerifier verifier(ca.pem, clock, capacity);
    for (int round = 0; round < 2; ++round) {
      for (std::uint8_t i = 0; i < 5; ++i) {
        const std::string name = "phone-" + std::to_string(i);
        const KeyPair keys = Keys(static_cast<std::uint8_t>(80 + i));
        const StatusOr<CertificateInfo> info = verifier.Verify(ca.Leaf(keys, name, "trainer"));
        REQUIRE(info.ok());
        REQUIRE(info->name == name);
        REQUIRE(info->public_key == keys.public_key);
      }
    }
  }
}

TEST_CASE("a verifier without a readable CA accepts nobody", "[certificate]") {
  const Authority ca(77);
  const FixedClock clock;
  CachingVerifier broken("no certificate", clock);
  REQUIRE_FALSE(broken.Verify(ca.Leaf(Keys(78), "phone", "trainer")).ok());
}

}  // namespace
}  // namespace tutti::crypto
