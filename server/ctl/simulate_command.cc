#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/text.h"
#include "server/ctl/commands.h"

namespace tutti::ctl {

std::string SimulatorPath() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "tutti-simulator").string();
}

int RunSimulator(const Arguments& arguments, Console& console) {
  std::string program = SimulatorPath();
  std::vector<std::string> words = arguments.rest;
  std::vector<char*> argument_list{program.data()};
  for (std::string& word : words) {
    argument_list.push_back(word.data());
  }
  argument_list.push_back(nullptr);
  console.out.flush();
  ::execv(program.c_str(), argument_list.data());
  console.error << "tutti: " << program << " cannot be run: " << std::strerror(errno)
                << "; it comes with builds that have LibTorch (TUTTI_WITH_LEARN=ON)\n";
  return kRefused;
}

}  // namespace tutti::ctl
