#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>

#include "common/crypto/certificate.h"
#include "common/crypto/certificate_parts.h"
#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

constexpr WallSeconds kNow = 1'767'225'600;  // 2026-01-01
constexpr int kPatience = 10'000;            // milliseconds; reached only when something is broken

using SslContext = Handle<SSL_CTX, SSL_CTX_free>;
using SslHandle = Handle<SSL, SSL_free>;

// A loopback port that nobody listens on until Listen.
class Port {
 public:
  Port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(socket_ >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    number_ = ntohs(address.sin_port);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port() { ::close(socket_); }

  void Listen() const { REQUIRE(::listen(socket_, 8) == 0); }
  // -1 when nobody comes.
  int Accept() const {
    pollfd waiting{socket_, POLLIN, 0};
    return ::poll(&waiting, 1, kPatience) == 1 ? ::accept(socket_, nullptr, nullptr) : -1;
  }
  std::string At(const std::string& host) const { return host + ":" + std::to_string(number_); }

 private:
  int socket_;
  std::uint16_t number_ = 0;
};

// Serves one connection in a thread of its own.
class OneConnection {
 public:
  OneConnection(const Port& port, std::function<void(int)> serve) {
    port.Listen();
    thread_ = std::thread([&port, serve = std::move(serve)] {
      sigset_t pipe;  // the client leaves right after the handshake
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      const int connection = port.Accept();
      if (connection >= 0) {
        const timeval limit{kPatience / 1000, 0};
        ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        serve(connection);
        ::close(connection);
      }
    });
  }
  ~OneConnection() { thread_.join(); }

 private:
  std::thread thread_;
};

// A CA, a server certificate under it, and what a TLS server saw of its client.
struct TlsServer {
  TlsServer() {
    AesCtrStream rng = Seeded(90);
    const KeyPair ca = NewKeyPair(rng);
    server_keys = NewKeyPair(rng);
    ca_pem = *NewCaCertificatePem(ca, "Tutti test CA", kNow, 3650);
    leaf_pem = *IssueForKey(ca.key, ca_pem, server_keys.public_key,
                            {.name = "server",
                             .role = "server",
                             .server_names = {.dns = {"localhost"}, .ip = {"127.0.0.1"}},
                             .now = kNow,
                             .days = 365});
  }

  SslContext NewContext(int highest_version) const {
    SslContext context(SSL_CTX_new(TLS_server_method()));
    const PkeyHandle key = PrivatePkey(EVP_PKEY_ED25519, server_keys.key.view().data());
    const StatusOr<X509Handle> leaf = ParseCertificatePem(leaf_pem);
    StatusOr<X509Handle> ca = ParseCertificatePem(ca_pem);
    SSL_CTX_set_max_proto_version(context.get(), highest_version);
    SSL_CTX_use_certificate(context.get(), leaf->get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
    SSL_CTX_add_extra_chain_cert(context.get(), ca->release());
    // As the real server: whoever shows no certificate is turned away, after the server showed its
    // own. Before TLS 1.3 that ended the handshake for the client too, so an old server here asks
    // for none: its age alone must be refused.
    if (highest_version == TLS1_3_VERSION) {
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    SSL_CTX_set_alpn_select_cb(
        context.get(),
        [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
           unsigned in_size, void*) {
          static const unsigned char wanted[] = {2, 'h', '2'};
          return SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, wanted,
                                       sizeof(wanted), in, in_size) == OPENSSL_NPN_NEGOTIATED
                     ? SSL_TLSEXT_ERR_OK
                     : SSL_TLSEXT_ERR_ALERT_FATAL;
        },
        nullptr);
    return context;
  }

  void Serve(int connection, int highest_version = TLS1_3_VERSION) {
    const SslContext context = NewContext(highest_version);
    const SslHandle ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), connection);
    SSL_accept(ssl.get());
    const char* const name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    seen_name = name == nullptr ? "" : name;
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &protocol, &size);
    seen_protocol.assign(reinterpret_cast<const char*>(protocol), size);
  }

  KeyPair server_keys;
  std::string ca_pem;
  std::string leaf_pem;
  std::string seen_name;
  std::string seen_protocol;
};

TEST_CASE("the CA with the token's fingerprint is fetched from the server's chain", "[fetch]") {
  TlsServer server;
  const Port port;
  {
    const OneConnection connection(port, [&](int socket) { server.Serve(socket); });
    const StatusOr<std::string> fetched =
        FetchPinnedCa(port.At("127.0.0.1"), *CertificateSha256(server.ca_pem), kPatience);
    REQUIRE(fetched.ok());
    REQUIRE(*fetched == server.ca_pem);
  }
  REQUIRE(server.seen_protocol == "h2");
  REQUIRE(server.seen_name.empty());  // an address is no server name
}

TEST_CASE("the server is asked for by name when it has one", "[fetch]") {
  TlsServer server;
  const Port port;
  {
    const OneConnection connection(port, [&](int socket) { server.Serve(socket); });
    REQUIRE(FetchPinnedCa(port.At("localhost"), *CertificateSha256(server.ca_pem), kPatience).ok());
  }
  REQUIRE(server.seen_name == "localhost");
}

TEST_CASE("a server without the pinned CA in its chain is somebody else", "[fetch]") {
  TlsServer server;
  const Port port;
  const OneConnection connection(port, [&](int socket) { server.Serve(socket); });
  Digest wrong = *CertificateSha256(server.ca_pem);
  wrong[31] ^= 1;
  REQUIRE(FetchPinnedCa(port.At("127.0.0.1"), wrong, kPatience).status().code() ==
          StatusCode::kNotFound);
}

TEST_CASE("nobody listening is unavailable", "[fetch]") {
  const Port port;
  const Status status = FetchPinnedCa(port.At("127.0.0.1"), Digest{}, kPatience).status();
  REQUIRE(status.code() == StatusCode::kUnavailable);
  REQUIRE(TextOf(status).find("refused") != std::string::npos);
}

TEST_CASE("a server that says nothing is unavailable after the time limit", "[fetch]") {
  const Port port;
  port.Listen();
  REQUIRE(FetchPinnedCa(port.At("127.0.0.1"), Digest{}, 50).status().code() ==
          StatusCode::kUnavailable);
}

TEST_CASE("a server that hangs up, or speaks no TLS, or an old one, is unavailable", "[fetch]") {
  TlsServer server;
  const std::function<void(int)> serves[] = {
      [](int) {},
      [](int socket) {
        const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
        char hello[16];
        static_cast<void>(::recv(socket, hello, sizeof(hello), 0));
        static_cast<void>(::send(socket, text, sizeof(text) - 1, MSG_NOSIGNAL));
      },
      [&](int socket) { server.Serve(socket, TLS1_2_VERSION); }};
  for (const std::function<void(int)>& serve : serves) {
    const Port port;
    const OneConnection connection(port, serve);
    REQUIRE(FetchPinnedCa(port.At("127.0.0.1"), *CertificateSha256(server.ca_pem), kPatience)
                .status()
                .code() == StatusCode::kUnavailable);
  }
}

TEST_CASE("an address without host and port is refused", "[fetch]") {
  for (const std::string& text :
       {std::string(), std::string("host"), std::string("host:"), std::string(":50"),
        std::string("host:name"), std::string("host:123456"), std::string("ho\0st:1", 7)}) {
    REQUIRE(FetchPinnedCa(text, Digest{}, 50).status().code() == StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tutti::crypto
