// The clients' process asks, the server's process answers: one call at a time over a socket pair,
// bodies as the messages of proto/tutti/v1/secagg.proto and vectors as raw lanes. Both ends are the
// same program, so nothing is checked for hostile bytes beyond what common/wire checks.
// Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace tutti::bench {

enum class Call : std::uint32_t {
  kJoin,
  kCloseJoins,
  kRoster,
  kShares,
  kCloseShares,
  kBoxes,
  kHeader,
  kVector,
  kCloseMasked,
  kCommit,
  kCloseCommits,
  kCertificate,
  kUnmask,
  kOpenSum,
};

struct CallHead {
  Call call = Call::kJoin;
  std::uint32_t client = 0;
  std::uint64_t size = 0;  // of the body, bytes
};

class Line {
 public:
  explicit Line(int socket) : socket_(socket) {}  // owned
  Line(Line&& other) noexcept;
  Line& operator=(Line&&) = delete;
  ~Line();

  // Unavailable when the other process has gone.
  Status Send(const void* bytes, std::size_t size);
  Status Receive(void* bytes, std::size_t size);

  // The clients' end: sends a call and waits for its answer, whose status may be an error.
  StatusOr<std::string> Ask(Call call, std::uint32_t client, const void* body, std::size_t size);
  StatusOr<std::string> Ask(Call call, std::uint32_t client = 0, const std::string& body = {}) {
    return Ask(call, client, body.data(), body.size());
  }
  // The server's end.
  Status Answer(const StatusOr<std::string>& answer);

 private:
  int socket_;
};

}  // namespace tutti::bench
