#include "server/rpc/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/log/log.h"

namespace tutti::rpc {
namespace {

constexpr int kBacklog = 4096;

StatusOr<int> Listen(const addrinfo& place, std::string_view address, std::string_view key) {
  const int fd = ::socket(place.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return Unavailable(Join("cannot open a socket for ", key, ": ", std::strerror(errno)));
  }
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (place.ai_family == AF_INET6) {
    const int off = 0;  // [::] serves IPv4 too
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(fd, place.ai_addr, place.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  if (error == EADDRINUSE) {
    return Unavailable(Join(key, " = \"", address,
                            "\": the port is in use by another process; stop it or choose another "
                            "port (ss -ltnp shows who has it)"));
  }
  return InvalidArgument(
      Join(key, " = \"", address, "\": cannot listen there: ", std::strerror(error)));
}

int PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return 0;
  }
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(std::string_view address, std::string_view key) {
  TUTTI_ASSIGN(const config::HostPort place, config::ParseHostPort(address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &found);
      error != 0) {
    return InvalidArgument(
        Join(key, " = \"", Escaped(address), "\": cannot find that host: ", ::gai_strerror(error)));
  }
  const StatusOr<int> listener = Listen(*found, address, key);
  ::freeaddrinfo(found);
  TUTTI_TRY(listener.status());
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return std::unique_ptr<Acceptor>(new Acceptor(*listener, wake, PortOf(*listener)));
}

Acceptor::~Acceptor() {
  Stop();
  ::close(listener_);
  ::close(wake_);
}

void Acceptor::Attach(grpc::ServerBuilder& builder,
                      std::shared_ptr<grpc::ServerCredentials> credentials) {
  connections_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      std::move(credentials));
}

void Acceptor::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Acceptor::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  const std::uint64_t one = 1;
  const ssize_t ignored = ::write(wake_, &one, sizeof one);
  static_cast<void>(ignored);
  thread_.join();
}

void Acceptor::Loop() {
  int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  bool warned = false;
  while (true) {
    pollfd waiting[2] = {{.fd = listener_, .events = POLLIN, .revents = 0},
                         {.fd = wake_, .events = POLLIN, .revents = 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) {
      break;
    }
    if ((waiting[1].revents & POLLIN) != 0) {
      break;
    }
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
      parameters.listener_fd = listener_;
      parameters.fd = fd;
      connections_->HandleNewConnection(&parameters);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      if (!warned) {
        warned = true;
        log::Warn(
            "out of file descriptors: new clients are turned away; raise the limit (ulimit -n)");
      }
      ::close(spare);
      const int refused = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (refused >= 0) {
        ::close(refused);
      }
      spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
  }
  ::close(spare);
}

}  // namespace tutti::rpc
