// TUTTI_FAILPOINT=NAME[@COUNT]:ACTION  with ACTION kill (SIGKILL to itself), stop (SIGSTOP) or
// sleep=MILLISECONDS. COUNT: the how-manieth time the place is reached (1 when absent); the others
// pass.
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>

#include "common/failpoint/failpoint.h"

namespace tutti {
namespace {

struct Plan {
  std::string name;
  int count = 1;
  std::string action;
};

Plan PlanFromEnvironment() {
  Plan plan;
  const char* text = std::getenv("TUTTI_FAILPOINT");
  if (text == nullptr) {
    return plan;
  }
  const std::string all(text);
  const std::size_t colon = all.find(':');
  plan.name = all.substr(0, colon);
  plan.action = colon == std::string::npos ? "kill" : all.substr(colon + 1);
  const std::size_t at = plan.name.find('@');
  if (at != std::string::npos) {
    plan.count = std::atoi(plan.name.c_str() + at + 1);  // NOLINT(cert-err34-c): a test's own text
    plan.name.resize(at);
  }
  return plan;
}

void Act(const std::string& action) {
  if (action == "kill") {
    std::raise(SIGKILL);
  } else if (action == "stop") {
    std::raise(SIGSTOP);
  } else if (action.starts_with("sleep=")) {
    const long milliseconds = std::strtol(action.c_str() + 6, nullptr, 10);
    timespec rest{.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000};
    nanosleep(&rest, nullptr);
  }
}

}  // namespace

void Failpoint(std::string_view name) {
  static const Plan plan = PlanFromEnvironment();
  static std::mutex mutex;
  static int reached = 0;  // guarded by mutex
  if (plan.name != name) {
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (++reached != plan.count) {
      return;
    }
  }
  Act(plan.action);
}

}  // namespace tutti
