#include "client/trainer/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <thread>

#include "tests/catch.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::trainer {
namespace {

struct Ends {
  Channel a, b;
};
Ends NewPair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  return {Channel(ends[0]), Channel(ends[1])};
}

v1::TrainerError Message(std::size_t size) {
  v1::TrainerError message;
  message.set_text(std::string(size, 'x'));
  return message;
}

void SendRaw(int fd, const std::string& bytes) {
  REQUIRE(::send(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

std::string Prefix(std::uint32_t size) {
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>((size >> (8 * i)) & 0xff);
  return bytes;
}

}  // namespace

TEST_CASE("messages of every size arrive whole and in order", "[trainer]") {
  Ends ends = NewPair();
  const std::size_t sizes[] = {0, 1, 4, 5000, 300'000, 10'000'000};
  std::thread sender([&] {
    for (const std::size_t size : sizes) static_cast<void>(ends.a.Send(Message(size)));
  });
  for (const std::size_t size : sizes) {
    const auto received = ends.b.Receive();
    REQUIRE(received.ok());
    v1::TrainerError message;
    REQUIRE(message.ParseFromString((*received)->bytes));
    REQUIRE(message.text().size() == size);
    REQUIRE((*received)->passed_fd == -1);
  }
  sender.join();
}

TEST_CASE("a descriptor goes with its message and no other", "[trainer]") {
  Ends ends = NewPair();
  const int memory = ::memfd_create("test", MFD_CLOEXEC);
  REQUIRE(::write(memory, "shared", 6) == 6);
  REQUIRE(ends.a.Send(Message(1)).ok());
  REQUIRE(ends.a.Send(Message(2), memory).ok());
  REQUIRE(ends.a.Send(Message(3)).ok());
  ::close(memory);
  REQUIRE((**ends.b.Receive()).passed_fd == -1);
  const auto second = ends.b.Receive();
  const int fd = (*second)->passed_fd;
  REQUIRE(fd >= 0);
  REQUIRE((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  char text[6];
  REQUIRE(::pread(fd, text, 6, 0) == 6);
  REQUIRE(std::memcmp(text, "shared", 6) == 0);
  ::close(fd);
  REQUIRE((**ends.b.Receive()).passed_fd == -1);
}

TEST_CASE("an orderly end is told apart from an end inside a message", "[trainer]") {
  {
    Ends ends = NewPair();
    REQUIRE(ends.a.Send(Message(7)).ok());
    ends.a = Channel(-1);
    REQUIRE(ends.b.Receive()->has_value());
    REQUIRE_FALSE(ends.b.Receive()->has_value());
  }
  for (const std::string& part : {Prefix(10).substr(0, 2), Prefix(10), Prefix(10) + "abc"}) {
    Ends ends = NewPair();
    SendRaw(ends.a.fd(), part);
    ends.a = Channel(-1);
    REQUIRE(ends.b.Receive().status().code() == StatusCode::kDataLoss);
  }
}

TEST_CASE("a message that comes in pieces survives a timeout between them", "[trainer]") {
  Ends ends = NewPair();
  SendRaw(ends.a.fd(), Prefix(6) + "abc");
  REQUIRE(ends.b.Receive(Milliseconds(0)).status().code() == StatusCode::kDeadlineExceeded);
  SendRaw(ends.a.fd(), "def");
  REQUIRE((**ends.b.Receive(Milliseconds(0))).bytes == "abcdef");
}

TEST_CASE("a message above the limit is refused on both sides", "[trainer]") {
  Ends ends = NewPair();
  REQUIRE(ends.a.Send(Message(kMaxMessageBytes)).code() == StatusCode::kInvalidArgument);
  SendRaw(ends.a.fd(), Prefix(kMaxMessageBytes + 1));
  REQUIRE(ends.b.Receive().status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("sending to a closed end is an error and no signal", "[trainer]") {
  Ends ends = NewPair();
  ends.b = Channel(-1);
  REQUIRE(ends.a.Send(Message(1)).code() == StatusCode::kUnavailable);
}

}  // namespace tutti::trainer
