// A trainer for the supervisor's tests: the request's data.identity says how it behaves.
#include <dirent.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "client/trainer/channel.h"
#include "tutti/v1/trainer.pb.h"

namespace {

using tutti::trainer::Channel;
using tutti::trainer::kTrainerFd;
using tutti::v1::TrainerReply;
using tutti::v1::TrainerRequest;

void Forever() {
  while (true) ::poll(nullptr, 0, 1000);
}

void Say(const std::string& text) {
  const ssize_t ignored = ::write(2, text.data(), text.size());
  static_cast<void>(ignored);
}

std::string OpenDescriptors() {
  std::vector<int> found;
  DIR* folder = ::opendir("/proc/self/fd");
  const int own = ::dirfd(folder);
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != own)
      found.push_back(std::atoi(entry->d_name));
  }
  ::closedir(folder);
  std::sort(found.begin(), found.end());
  std::string text;
  for (const int fd : found) text += std::to_string(fd) + " ";
  return text;
}

std::string Limit(decltype(RLIMIT_CPU) resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return std::to_string(limit.rlim_cur);
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void TellSurroundings(TrainerReply& reply) {
  auto& described = *reply.mutable_described();
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  described.add_warnings("fds " + OpenDescriptors());
  described.add_warnings("nice " + std::to_string(::getpriority(PRIO_PROCESS, 0)));
  described.add_warnings("threads " + Environment("OMP_NUM_THREADS") + " " +
                         Environment("OPENBLAS_NUM_THREADS"));
  described.add_warnings("death " + std::to_string(death_signal));
  described.add_warnings("data " + Limit(RLIMIT_DATA));
  described.add_warnings("cpu " + Limit(RLIMIT_CPU));
  described.add_warnings("core " + Limit(RLIMIT_CORE));
  described.add_warnings("own-group " + std::to_string(::getpgid(0) == ::getpid()));
}

// Takes more memory than allowed in a way RLIMIT_DATA does not see.
void TakeSharedMemory() {
  const std::size_t bytes = std::size_t{400} << 20;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  std::memset(memory, 1, bytes);
  Forever();
}

void SendRaw(const std::string& bytes) {
  const ssize_t ignored = ::send(kTrainerFd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  static_cast<void>(ignored);
}

constexpr std::uint64_t kExamples = 100;
constexpr std::string_view kWaitFor = "wait-for:";  // a file, before it trains

// Does and reports what the request asks for, or twice as many steps.
void FillTrained(const std::string& how, const tutti::v1::TrainRequest& request,
                 tutti::v1::TrainReply& reply) {
  const std::uint64_t steps = std::max<std::uint64_t>(request.training().local_steps(), 3);
  reply.set_examples(kExamples);
  reply.set_steps(how == "overspend" ? 2 * steps : steps);
  reply.set_sampling_rate(static_cast<double>(request.training().batch_size()) /
                          static_cast<double>(kExamples));
  reply.set_noise_multiplier(request.privacy().noise_multiplier());
}

// Weights in the first half of the memory, doubled into the second.
void TrainInto(int fd, std::uint64_t values, const std::string& how) {
  const std::size_t bytes = 2 * values * sizeof(float);
  auto* data =
      static_cast<float*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (data == MAP_FAILED) std::exit(9);
  for (std::uint64_t i = 0; i < values; ++i) data[values + i] = 2 * data[i];
  if (how == "nan") data[values] = std::numeric_limits<float>::quiet_NaN();
  if (::ftruncate(fd, 0) == 0) std::exit(8);  // must be sealed
}

bool Misbehave(const std::string& how, const TrainerRequest& request, Channel& channel) {
  TrainerReply reply;
  reply.set_id(request.id());
  if (how == "abort") std::abort();
  if (how == "segv") ::raise(SIGSEGV);
  if (how == "kill") ::raise(SIGKILL);
  if (how == "exit") {
    Say("the disk is full\n");
    std::_Exit(3);
  }
  if (how == "hang" || (how == "hang-in-training" && request.has_train())) Forever();
  if (how == "crash-in-training" && request.has_train()) std::abort();
  if (how.starts_with(kWaitFor) && request.has_train()) {
    while (::access(how.c_str() + kWaitFor.size(), F_OK) != 0) ::poll(nullptr, 0, 5);
  }
  if (how == "shared-memory") TakeSharedMemory();
  if (how == "spin") {
    while (true) static_cast<void>(::getppid());
  }
  if (how == "close-and-stay") {
    ::close(kTrainerFd);
    ::signal(SIGTERM, SIG_IGN);
    Forever();
  }
  if (how == "half-message") {
    SendRaw(std::string("\x20\0\0\0abc", 7));
    std::_Exit(0);
  }
  if (how == "huge-length") SendRaw("\xff\xff\xff\xff");
  if (how == "nonsense") SendRaw(std::string("\x03\0\0\0\xff\xff\xff", 7));
  if (how == "empty") SendRaw(std::string(4, '\0'));
  if (how == "wrong-id") {
    reply.set_id(request.id() + 1);
    reply.mutable_described();
    return channel.Send(reply).ok();
  }
  if (how == "wrong-type") {
    reply.mutable_evaluated();
    return channel.Send(reply).ok();
  }
  if (how == "error") {
    reply.mutable_error()->set_code("INVALID_ARGUMENT");
    reply.mutable_error()->set_text("row 3 is \x1b[31mbad");
    return channel.Send(reply).ok();
  }
  if (how == "progress-for-ever") {
    reply.mutable_progress()->set_steps_done(1);
    while (channel.Send(reply).ok()) {
    }
  }
  if (how == "close-stderr") ::close(2);
  if (how == "chatter") {
    for (int i = 0; i < 100'000; ++i) Say("line after line after line\n");
    return false;
  }
  return how == "huge-length" || how == "nonsense" || how == "empty";
}

}  // namespace

int main() {
  // A sanitizer's own handlers would turn these ends into exit codes.
  for (const int number : {SIGSEGV, SIGABRT}) ::signal(number, SIG_DFL);
  Channel channel(kTrainerFd);
  while (true) {
    auto received = channel.Receive();
    if (!received.ok()) return 1;
    if (!received->has_value()) return 0;
    TrainerRequest request;
    if (!request.ParseFromString((*received)->bytes)) return 2;
    const std::string how = request.has_describe() ? request.describe().data().identity()
                            : request.has_train()  ? request.train().data().identity()
                                                   : request.evaluate().data().identity();
    if (Misbehave(how, request, channel)) continue;
    TrainerReply reply;
    reply.set_id(request.id());
    if (how == "exit-after") Say("bye\n");
    if (request.has_describe()) {
      reply.mutable_described()->set_examples(kExamples);
      reply.mutable_described()->set_torch_version(std::to_string(::getpid()));
      TellSurroundings(reply);
    } else if (request.has_train()) {
      TrainerReply progress;
      progress.set_id(request.id());
      for (std::uint64_t step = 1; step <= 3; ++step) {
        progress.mutable_progress()->set_steps_done(step);
        if (!channel.Send(progress).ok()) return 4;
      }
      TrainInto((*received)->passed_fd, request.train().values(), how);
      FillTrained(how, request.train(), *reply.mutable_trained());
    } else {
      reply.mutable_evaluated()->set_accuracy(0.5);
    }
    if ((*received)->passed_fd >= 0) ::close((*received)->passed_fd);
    if (!channel.Send(reply).ok()) return 5;
    if (how == "exit-after") return 6;
  }
}
