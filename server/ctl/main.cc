// `tutti`, the operator's commands. See docs/cli.md.
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "server/ctl/arguments.h"
#include "server/ctl/commands.h"

namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsLiveTerminal() {
  const std::string term = Variable("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && !term.empty() && term != "dumb";
}

std::size_t Columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) {
    return 80;
  }
  return size.ws_col - 1U;  // a full line would wrap on some terminals
}

}  // namespace

int main(int argc, char** argv) {
  const tutti::ctl::Parsed parsed = tutti::ctl::Parse({argv + 1, argv + argc});
  std::cout << parsed.out;
  std::cerr << parsed.error;
  if (!parsed.arguments) {
    return parsed.exit_code;
  }
  // gRPC would write its own lines beside our errors; a variable of the operator's stays.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  const auto start = std::chrono::steady_clock::now();
  tutti::ctl::Console console{
      .out = std::cout,
      .error = std::cerr,
      .live = IsLiveTerminal(),
      .columns = Columns(),
      .seconds =
          [start] {
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
          },
      .wait_seconds =
          [](double seconds) {
            std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
          }};
  return tutti::ctl::Execute(*parsed.arguments, Variable("TUTTI_SOCKET"), console);
}
