#include "tests/e2e/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace tutti::e2e {
namespace {

using Seconds = std::chrono::duration<double>;

// NAME=value of this process, with `changes` over it.
std::vector<std::string> EnvironmentWith(const Environment& changes) {
  std::vector<std::string> all;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string line(*at);
    const std::string name = line.substr(0, line.find('='));
    // Settings of whoever runs the tests are not part of them.
    if (changes.count(name) == 0 && name.rfind("TUTTI_", 0) != 0) all.push_back(line);
  }
  for (const auto& [name, value] : changes) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Outputs {
  std::string out;
  std::string error;
};

// Only async-signal-safe calls between fork and exec.
[[noreturn]] void BecomeProgram(char* const* argv, char* const* environment, int out, int error,
                                pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  // A file that may not grow is an error then, as on a full disk, instead of a signal.
  ::signal(SIGXFSZ, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(error, STDERR_FILENO);
  for (int fd = 3; fd < 256; ++fd) ::close(fd);
  ::execvpe(argv[0], argv, environment);
  ::_exit(127);
}

pid_t Spawn(std::vector<std::string> argv, const Outputs& outputs, const Environment& changes) {
  std::vector<std::string> environment = EnvironmentWith(changes);
  const std::vector<char*> argument_pointers = Pointers(argv);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const auto open_log = [](const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("cannot write " + path);
    return fd;
  };
  const int out = open_log(outputs.out);
  const int error = open_log(outputs.error);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    BecomeProgram(argument_pointers.data(), environment_pointers.data(), out, error, parent);
  }
  ::close(out);
  ::close(error);
  if (child < 0) throw std::runtime_error("cannot start " + argv[0]);
  ::setpgid(child, child);
  return child;
}

Ended EndOf(int status) {
  if (WIFEXITED(status)) return {.exit_code = WEXITSTATUS(status), .signal = 0};
  return {.exit_code = -1, .signal = WTERMSIG(status)};
}

}  // namespace

Process::Process(const std::vector<std::string>& argv, const std::string& log,
                 const Environment& environment)
    : pid_(Spawn(argv, {log, log}, environment)) {}

Process::Process(Process&& other) noexcept : pid_(other.pid_), ended_(other.ended_) {
  other.pid_ = -1;
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ended_, other.ended_);
  return *this;
}

Process::~Process() {
  if (pid_ > 0) Kill();
}

bool Process::Running() {
  if (pid_ <= 0 || ended_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ended_ = EndOf(status);
  return false;
}

void Process::Signal(int signal) {
  if (Running()) ::kill(pid_, signal);
}

std::optional<Ended> Process::Wait(double seconds) {
  WaitUntil([this] { return !Running(); }, seconds);
  return ended_;
}

void Process::Kill() {
  if (Running()) {
    ::kill(pid_, SIGKILL);
    Wait();
  }
  ::kill(-pid_, SIGKILL);  // what is left of its group
}

Ended Process::Terminate() {
  Signal(SIGTERM);
  if (!Wait()) Kill();
  return *ended_;
}

Ran Run(const std::vector<std::string>& argv, const Environment& environment, double seconds) {
  const TemporaryFolder folder;
  std::vector<std::string> words = argv;
  Ran ran;
  {
    const Outputs outputs{folder / "out", folder / "error"};
    const pid_t pid = Spawn(words, outputs, environment);
    int status = 0;
    const bool over = WaitUntil([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, seconds);
    if (!over) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    ran.exit_code = over ? EndOf(status).exit_code : -1;
    ran.out = ReadText(outputs.out);
    ran.error = ReadText(outputs.error);
  }
  return ran;
}

bool WaitUntil(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + Seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::size_t CountOf(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

namespace {

struct Stat {
  std::string name;
  char state = 0;
  pid_t parent = 0;
};

Stat StatOf(const std::string& process) {
  const std::string text = ReadText("/proc/" + process + "/stat");
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  Stat stat;
  if (open == std::string::npos || close == std::string::npos) return stat;
  stat.name = text.substr(open + 1, close - open - 1);
  std::istringstream rest(text.substr(close + 1));
  rest >> stat.state >> stat.parent;
  return stat;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t parent, std::string_view name) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string file = entry.path().filename().string();
    if (file.find_first_not_of("0123456789") != std::string::npos) continue;
    const Stat stat = StatOf(file);
    // The kernel keeps 15 characters of a name.
    if (stat.parent == parent && stat.state != 'Z' && stat.name == name.substr(0, 15)) {
      children.push_back(static_cast<pid_t>(std::stol(file)));
    }
  }
  return children;
}

char StateOf(pid_t process) { return StatOf(std::to_string(process)).state; }

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tutti-e2e-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::vector<int> FreePorts(std::size_t count) {
  // Below the range the kernel takes ports for outgoing connections from, so that none of those
  // takes one before the server binds it.
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> any(15000, 31999);
  std::vector<int> ports;
  while (ports.size() < count) {
    const int port = any(random);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
        std::find(ports.begin(), ports.end(), port) == ports.end()) {
      ports.push_back(port);
    }
    ::close(fd);
  }
  return ports;
}

}  // namespace tutti::e2e
