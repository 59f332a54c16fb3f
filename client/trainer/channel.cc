#include "client/trainer/channel.h"

#include <google/protobuf/message_lite.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/text.h"

namespace tutti::trainer {
namespace {

constexpr std::size_t kPrefix = 4;
// Memory grows with what really arrives, not with what the prefix claims.
constexpr std::size_t kReadStep = 256 * 1024;

Status Broken(const char* call) {
  return Unavailable(Join("trainer channel: ", call, " failed: ", std::strerror(errno)));
}

std::uint32_t LengthOf(const std::string& prefix) {
  std::uint32_t length = 0;
  for (std::size_t i = kPrefix; i-- > 0;) {
    length = (length << 8) | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

// True when bytes (or the end of the stream) wait, false when `deadline` passed.
StatusOr<bool> WaitReadable(int fd, std::optional<std::chrono::steady_clock::time_point> deadline) {
  while (true) {
    int wait = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          *deadline - std::chrono::steady_clock::now());
      wait = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    }
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&entry, 1, wait);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return Broken("poll");
    if (deadline && std::chrono::steady_clock::now() >= *deadline) return false;
  }
}

}  // namespace

Channel::Channel(Channel&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      partial_(std::move(other.partial_)),
      partial_fd_(std::exchange(other.partial_fd_, -1)) {}

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    partial_ = std::move(other.partial_);
    partial_fd_ = std::exchange(other.partial_fd_, -1);
  }
  return *this;
}

Channel::~Channel() { Close(); }

void Channel::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (partial_fd_ >= 0) ::close(std::exchange(partial_fd_, -1));
}

Status Channel::Send(const google::protobuf::MessageLite& message, int passed_fd) {
  const std::size_t size = message.ByteSizeLong();
  if (size > kMaxMessageBytes) {
    return InvalidArgument(Join("message for the trainer channel has ", size, " bytes, at most ",
                                kMaxMessageBytes, " are allowed; pass big arrays as a memfd"));
  }
  std::string frame(kPrefix, '\0');
  for (std::size_t i = 0; i < kPrefix; ++i) frame[i] = static_cast<char>((size >> (8 * i)) & 0xff);
  frame.reserve(kPrefix + size);
  if (!message.AppendToString(&frame)) return Internal("trainer message cannot be serialised");

  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  std::size_t sent = 0;
  while (sent < frame.size()) {
    iovec part{.iov_base = frame.data() + sent, .iov_len = frame.size() - sent};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (sent == 0 && passed_fd >= 0) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      cmsghdr* item = CMSG_FIRSTHDR(&header);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(item), &passed_fd, sizeof(int));
    }
    const ssize_t n = ::sendmsg(fd_, &header, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      return Broken("sendmsg");
    }
    sent += static_cast<std::size_t>(n);
  }
  return OkStatus();
}

StatusOr<std::size_t> Channel::ReadSome(char* out, std::size_t size) {
  // Room for a few descriptors, so that too many are seen and closed instead of leaking.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  iovec part{.iov_base = out, .iov_len = size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = -1;
  do {
    n = ::recvmsg(fd_, &header, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == ECONNRESET) n = 0;
  if (n < 0) return Broken("recvmsg");
  bool several = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      if (partial_fd_ < 0) {
        partial_fd_ = fd;
      } else {
        several = true;
        ::close(fd);
      }
    }
  }
  if (several) return InvalidArgument("trainer channel: several descriptors with one message");
  return static_cast<std::size_t>(n);
}

StatusOr<std::optional<Channel::Received>> Channel::Receive(std::optional<Milliseconds> timeout) {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (timeout) deadline = std::chrono::steady_clock::now() + *timeout;
  while (true) {
    std::size_t want = kPrefix;
    if (partial_.size() >= kPrefix) {
      const std::uint32_t length = LengthOf(partial_);
      if (length > kMaxMessageBytes) {
        return InvalidArgument(Join("trainer channel: a message of ", length,
                                    " bytes is announced, at most ", kMaxMessageBytes,
                                    " are allowed"));
      }
      want += length;
      if (partial_.size() == want) {
        Received received{.bytes = partial_.substr(kPrefix),
                          .passed_fd = std::exchange(partial_fd_, -1)};
        partial_.clear();
        return std::optional<Received>(std::move(received));
      }
    }
    TUTTI_ASSIGN(const bool readable, WaitReadable(fd_, deadline));
    if (!readable) return DeadlineExceeded("no complete message on the trainer channel in time");
    const std::size_t before = partial_.size();
    const std::size_t step = std::min(want - before, kReadStep);
    partial_.resize(before + step);
    const StatusOr<std::size_t> got = ReadSome(partial_.data() + before, step);
    partial_.resize(before + (got.ok() ? *got : 0));
    if (!got.ok()) return got.status();
    if (*got == 0) {
      if (before == 0) return std::optional<Received>();
      return DataLoss(
          Join("trainer channel ended inside a message: ", before, " of ", want, " bytes came"));
    }
  }
}

}  // namespace tutti::trainer
