// Messages between tutti-client and its child tutti-trainer: protobuf bytes behind a little-endian
// 32-bit length, with at most one file descriptor passed beside each (SCM_RIGHTS), over a
// SOCK_STREAM unix socket. Thread safety: one thread may send while another receives; two senders
// or two receivers may not meet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace google::protobuf {
class MessageLite;
}

namespace tutti::trainer {

inline constexpr std::size_t kMaxMessageBytes = 16 * 1024 * 1024;
// The trainer finds its end of the socketpair here.
inline constexpr int kTrainerFd = 3;

class Channel {
 public:
  // Owns `fd`.
  explicit Channel(int fd) : fd_(fd) {}
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // Waits until the kernel took the whole message. `passed_fd` stays the caller's. InvalidArgument
  // above kMaxMessageBytes, Unavailable when the other side is gone.
  Status Send(const google::protobuf::MessageLite& message, int passed_fd = -1);

  struct Received {
    std::string bytes;
    int passed_fd = -1;  // close-on-exec; the receiver closes it
  };
  // The next whole message; nullopt when the other side closed in between messages. Without
  // `timeout` it waits for ever. DeadlineExceeded when the message was not complete in time (what
  // came is kept for the next call), DataLoss when the stream ends inside a message,
  // InvalidArgument when it announces more than kMaxMessageBytes or passes several descriptors: the
  // channel is of no further use then.
  StatusOr<std::optional<Received>> Receive(std::optional<Milliseconds> timeout = std::nullopt);

  int fd() const { return fd_; }

 private:
  // One recvmsg into `out`; a passed descriptor lands in partial_fd_. The bytes read, 0 at the end
  // of the stream.
  StatusOr<std::size_t> ReadSome(char* out, std::size_t size);
  void Close();

  int fd_;
  std::string partial_;  // length prefix and what has come of the message
  int partial_fd_ = -1;
};

}  // namespace tutti::trainer
