#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/crypto/certificate_parts.h"
#include "common/crypto/hash.h"

namespace tutti::crypto {
namespace {

using SslContext = Handle<SSL_CTX, SSL_CTX_free>;
using SslHandle = Handle<SSL, SSL_free>;
using Addresses = Handle<addrinfo, freeaddrinfo>;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::uint8_t kAlpnHttp2[] = {2, 'h', '2'};

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

struct HostPort {
  std::string host;
  std::string port;
};

StatusOr<HostPort> SplitHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostPort parts;
  if (colon != std::string_view::npos) {
    parts.host = std::string(text.substr(0, colon));
    parts.port = std::string(text.substr(colon + 1));
  }
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);  // [::1]:port
  }
  const bool digits = !parts.port.empty() && parts.port.size() <= 5 &&
                      parts.port.find_first_not_of("0123456789") == std::string::npos;
  if (parts.host.empty() || !digits || text.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        Join("server address \"", Escaped(text), "\" is not usable, expected host:port"));
  }
  return parts;
}

// Waits until `events` or the deadline; false on the deadline.
bool WaitFor(const Socket& socket, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    pollfd waiting{socket.descriptor(), events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) {
      return true;
    }
    if (ready < 0 && errno != EINTR) {
      return false;
    }
  }
}

// The first of the host's addresses that accepts. Names are resolved by the system, which has its
// own time limit.
StatusOr<Socket> Connect(const HostPort& server, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found);
  if (failed != 0) {
    return Unavailable(Join("cannot find ", Escaped(server.host), ": ", ::gai_strerror(failed)));
  }
  const Addresses addresses(found);
  std::string reason = "no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.descriptor() < 0) {
      reason = std::strerror(errno);
      continue;
    }
    int error =
        ::connect(socket.descriptor(), address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (!WaitFor(socket, POLLOUT, deadline)) {
        reason = "no answer in time";
        continue;
      }
      socklen_t size = sizeof(error);
      ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) {
      return socket;
    }
    reason = std::strerror(error);
  }
  return Unavailable(Join("cannot reach ", Escaped(server.host), ":", server.port, ": ", reason,
                          "; is the server running and the port open?"));
}

// The TLS bytes go through memory and send(): OpenSSL's own socket writes would raise SIGPIPE when
// the peer is gone.
class Transport {
 public:
  Transport(const Socket& socket, Deadline deadline) : socket_(socket), deadline_(deadline) {}

  Status SendAll(BIO* from) {
    const std::string bytes = WrittenText(from);
    static_cast<void>(BIO_reset(from));
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t count =
          ::send(socket_.descriptor(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count > 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN || errno == EINTR) {
        TUTTI_TRY(Wait(POLLOUT));
      } else {
        return Unavailable(Join("the server closed the connection: ", std::strerror(errno)));
      }
    }
    return OkStatus();
  }

  Status ReceiveSome(BIO* into) {
    for (;;) {
      char buffer[4096];
      const ssize_t count = ::recv(socket_.descriptor(), buffer, sizeof(buffer), 0);
      if (count > 0) {
        TUTTI_CHECK(BIO_write(into, buffer, static_cast<int>(count)) == count);
        return OkStatus();
      }
      if (count == 0) {
        return Unavailable("the server closed the connection before it showed a certificate");
      }
      if (errno != EAGAIN && errno != EINTR) {
        return Unavailable(Join("the connection broke: ", std::strerror(errno)));
      }
      TUTTI_TRY(Wait(POLLIN));
    }
  }

 private:
  Status Wait(short events) {
    return WaitFor(socket_, events, deadline_) ? OkStatus()
                                               : Unavailable("the server did not answer in time");
  }

  const Socket& socket_;
  Deadline deadline_;
};

StatusOr<SslHandle> NewSession(SSL_CTX* context, const std::string& host) {
  SslHandle ssl(SSL_new(context));
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  TUTTI_CHECK(ssl != nullptr && in != nullptr && out != nullptr);
  SSL_set_bio(ssl.get(), in, out);
  // RFC 6066 section 3 allows names only, no addresses.
  const Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> address(a2i_IPADDRESS(host.c_str()));
  ERR_clear_error();
  if (address == nullptr && SSL_set_tlsext_host_name(ssl.get(), host.c_str()) != 1) {
    return InvalidArgument(
        Join("host name \"", Escaped(host), "\" is not usable: ", OpenSslReason()));
  }
  return ssl;
}

Status Shake(SSL* ssl, Transport& transport) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(ssl);
    const int error = SSL_get_error(ssl, done);
    if (done == 1) {
      return OkStatus();
    }
    TUTTI_TRY(transport.SendAll(SSL_get_wbio(ssl)));
    if (error != SSL_ERROR_WANT_READ) {
      return Unavailable(
          Join("no TLS 1.3 connection: ", OpenSslReason(), "; is it a tutti server's port?"));
    }
    TUTTI_TRY(transport.ReceiveSome(SSL_get_rbio(ssl)));
  }
}

}  // namespace

StatusOr<std::string> FetchPinnedCa(std::string_view host_port, const Digest& fingerprint,
                                    int timeout_milliseconds) {
  TUTTI_ASSIGN(const HostPort server, SplitHostPort(host_port));
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_milliseconds);
  TUTTI_ASSIGN(const Socket socket, Connect(server, deadline));
  const SslContext context(SSL_CTX_new(TLS_client_method()));
  TUTTI_CHECK(context != nullptr &&
              SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  // Nothing is trusted yet: the fingerprint below is the check.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  TUTTI_CHECK(SSL_CTX_set_alpn_protos(context.get(), kAlpnHttp2, sizeof(kAlpnHttp2)) == 0);
  TUTTI_ASSIGN(const SslHandle ssl, NewSession(context.get(), server.host));
  Transport transport(socket, deadline);
  if (const Status shaken = Shake(ssl.get(), transport); !shaken.ok()) {
    return Annotate(shaken, Escaped(host_port));
  }
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl.get());
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  for (int i = 0; i < count; ++i) {
    X509* const certificate = sk_X509_value(chain, i);
    if (Sha256(CertificateToDer(certificate)) == fingerprint) {
      return CertificatePem(certificate);
    }
  }
  return NotFound(Join(Escaped(host_port), " shows ", count,
                       " certificates, none with the fingerprint ", ToHex(fingerprint),
                       "; another server answers there than the one the token is from"));
}

}  // namespace tutti::crypto
