#include "tests/bench/secagg/calls.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace tutti::bench {
namespace {

struct AnswerHead {
  std::uint64_t size = 0;
  std::int32_t code = 0;  // of the status
  std::int32_t unused = 0;
};

Status Gone() { return Unavailable("the other process of the bench has ended"); }

}  // namespace

Line::Line(Line&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

Line::~Line() {
  if (socket_ >= 0) {
    close(socket_);
  }
}

Status Line::Send(const void* bytes, std::size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t sent = send(socket_, at, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent <= 0) {
      return Gone();
    }
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return OkStatus();
}

Status Line::Receive(void* bytes, std::size_t size) {
  char* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = recv(socket_, at, size, 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return Gone();
    }
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return OkStatus();
}

StatusOr<std::string> Line::Ask(Call call, std::uint32_t client, const void* body,
                                std::size_t size) {
  const CallHead head{.call = call, .client = client, .size = size};
  TUTTI_TRY(Send(&head, sizeof head));
  TUTTI_TRY(Send(body, size));
  AnswerHead answer;
  TUTTI_TRY(Receive(&answer, sizeof answer));
  std::string text(answer.size, '\0');
  TUTTI_TRY(Receive(text.data(), text.size()));
  if (answer.code != 0) {
    return Status(static_cast<StatusCode>(answer.code), text);
  }
  return text;
}

Status Line::Answer(const StatusOr<std::string>& answer) {
  const std::string text = answer.ok() ? *answer : std::string(MessageOf(answer.status()));
  const AnswerHead head{.size = text.size(),
                        .code = static_cast<std::int32_t>(answer.status().code())};
  TUTTI_TRY(Send(&head, sizeof head));
  return Send(text.data(), text.size());
}

}  // namespace tutti::bench
