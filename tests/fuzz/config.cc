// Configuration files of every kind. The first byte chooses which.
#include <string>

#include "common/config/validate.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

template <typename Message>
config::LoadResult Try(std::string_view text, Message& message) {
  config::LoadResult result = config::LoadText(text, "/fuzz/file.toml", message);
  if (result.readable) {
    config::Validate(message, result);
  }
  for (const config::Problem& problem : result.problems) {
    const std::string line = config::ToText(problem);
    Expect(!problem.text.empty() && line.find('\n') == std::string::npos,
           "a problem is one line of text");
  }
  Expect(result.readable || !result.problems.empty(), "an unreadable file has a problem");
  return result;
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  const std::string_view text = AsText(bytes);
  switch (choice % 4) {
    case 0: {
      v1::ServerConfig server;
      fuzz::Try(text, server);
      break;
    }
    case 1: {
      v1::ClientConfig client;
      fuzz::Try(text, client);
      break;
    }
    case 2: {
      v1::PolicyConfig policy;
      if (fuzz::Try(text, policy).problems.empty()) {
        fuzz::Expect(policy.max_epsilon_total() > 0 && policy.delta() > 0 && policy.delta() < 1,
                     "an accepted policy has a budget");
      }
      break;
    }
    default: {
      v1::JobConfig job;
      if (fuzz::Try(text, job).problems.empty()) {
        fuzz::Expect(config::CheckJob(job).ok(), "an accepted job is a job");
      }
    }
  }
  return 0;
}
