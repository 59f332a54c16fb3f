// Real processes for the tests: started with their output in a file, waited for with a deadline,
// and never left behind: the kernel kills them when the test dies, the destructor otherwise.
// Thread safety: confined to one thread, which has to outlive what it started.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tutti::e2e {

// Generous: nothing here should depend on the machine's speed. Sanitizers are slow, too.
inline constexpr double kPatience = 120;

using Environment = std::map<std::string, std::string>;

struct Ended {
  int exit_code = -1;  // -1: by a signal
  int signal = 0;      // 0: it exited
};

class Process {
 public:
  // argv[0] is the program. Standard output and error are appended to `log`, input is empty.
  Process(const std::vector<std::string>& argv, const std::string& log,
          const Environment& environment = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  // kills it and what it started

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int signal);
  std::optional<Ended> Wait(double seconds = kPatience);  // nullopt: it still runs
  void Kill();                                            // kill -9, and waits for the end
  // SIGTERM; then what it exited with. It is killed when it does not end in time.
  Ended Terminate();
  std::optional<Ended> ended() const { return ended_; }

 private:
  pid_t pid_ = -1;
  std::optional<Ended> ended_;
};

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string error;
};

// Runs a program to its end; -1 when it had to be killed after `seconds`.
Ran Run(const std::vector<std::string>& argv, const Environment& environment = {},
        double seconds = kPatience);

// Until `condition` holds; false when it did not within `seconds`.
bool WaitUntil(const std::function<bool()>& condition, double seconds = kPatience);

std::string ReadText(const std::string& path);  // empty when there is no such file
void WriteText(const std::string& path, const std::string& text);
bool Contains(std::string_view text, std::string_view part);
std::size_t CountOf(std::string_view text, std::string_view part);

// Processes whose parent is `parent` and whose program is called `name`.
std::vector<pid_t> ChildrenOf(pid_t parent, std::string_view name);
// 'S', 'R', 'T' (stopped), ...; 0 when there is no such process.
char StateOf(pid_t process);

// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Ports of the loopback nobody listened on a moment ago.
std::vector<int> FreePorts(std::size_t count);

}  // namespace tutti::e2e
