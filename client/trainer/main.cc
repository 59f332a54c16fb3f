// tutti-trainer: the child process of tutti-client that trains and evaluates with LibTorch. It
// holds no key and no ledger; when it dies, the daemon goes on. Messages:
// proto/tutti/v1/trainer.proto over the socket at descriptor 3.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "client/trainer/channel.h"
#include "client/trainer/service.h"
#include "common/crypto/random.h"
#include "common/learn/runtime.h"

namespace tutti::trainer {
namespace {

constexpr int kUsageError = 64;  // EX_USAGE of sysexits.h

constexpr std::string_view kHelp =
    "tutti-trainer trains models for tutti-client, which starts it when there is work, speaks to "
    "it over a socket\n"
    "and ends it when it is idle. There is nothing to start by hand.\n"
    "\n"
    "  its settings    section [trainer] of client.toml: threads, memory_mib, nice, time limits\n"
    "  its log lines   appear in tutti-client's log\n"
    "\n"
    "  --help          this text\n"
    "  --version       version of Tutti, of LibTorch and of its BLAS\n";

// What the daemon set for LibTorch's threads, 1 when nothing was set.
std::uint32_t Threads() {
  const char* const text = std::getenv("OMP_NUM_THREADS");
  const long threads = text == nullptr ? 1 : std::strtol(text, nullptr, 10);
  return threads < 1 || threads > 1024 ? 1 : static_cast<std::uint32_t>(threads);
}

bool IsSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

int Serve() {
  Channel channel(kTrainerFd);
  crypto::SystemRng rng;
  Service service(learn::DescribeRuntime(), rng);
  while (true) {
    StatusOr<std::optional<Channel::Received>> received = channel.Receive();
    if (!received.ok()) {
      std::cerr << "tutti-trainer: " << TextOf(received.status()) << "\n";
      return EXIT_FAILURE;
    }
    if (!received->has_value()) {
      return EXIT_SUCCESS;  // the daemon closed the channel
    }
    const int memory_fd = (*received)->passed_fd;
    v1::TrainerRequest request;
    if (!request.ParseFromString((*received)->bytes)) {
      std::cerr << "tutti-trainer: a message of " << (*received)->bytes.size()
                << " bytes is no request; is tutti-client of the same version?\n";
      return EXIT_FAILURE;
    }
    // A sign of life that cannot be sent is no reason to stop: the reply after it tells whether the
    // daemon is gone.
    const v1::TrainerReply reply =
        service.Answer(request, memory_fd, [&](const v1::TrainerProgress& progress) {
          v1::TrainerReply sign;
          sign.set_id(request.id());
          *sign.mutable_progress() = progress;
          channel.Send(sign).IgnoreError();
        });
    if (memory_fd >= 0) {
      ::close(memory_fd);
    }
    if (const Status sent = channel.Send(reply); !sent.ok()) {
      std::cerr << "tutti-trainer: " << TextOf(sent) << "\n";
      return EXIT_FAILURE;
    }
  }
}

int Main(int argc, char** argv) {
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--help" || argument == "-h") {
    std::cout << kHelp;
    return EXIT_SUCCESS;
  }
  learn::SetUp(Threads());
  if (argument == "--version") {
    const learn::RuntimeReport runtime = learn::DescribeRuntime();
    std::cout << "tutti-trainer " << TUTTI_VERSION << " (LibTorch " << runtime.torch_version << ", "
              << runtime.blas << " BLAS)\n";
    return EXIT_SUCCESS;
  }
  if (argc > 1) {
    std::cerr << "tutti-trainer: unknown argument; try --help\n";
    return kUsageError;
  }
  if (!IsSocket(kTrainerFd)) {
    std::cerr << "tutti-trainer: descriptor 3 is no socket: tutti-client starts this program, see "
                 "--help\n";
    return kUsageError;
  }
  return Serve();
}

}  // namespace
}  // namespace tutti::trainer

int main(int argc, char** argv) {
  tutti::learn::RestartWithFasterBlas(argv);
  return tutti::trainer::Main(argc, argv);
}
