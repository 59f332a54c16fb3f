// Smallest complete configurations, and a search for a problem's text.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/config/load.h"
#include "common/config/validate.h"
#include "tests/catch.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

inline const std::string kJob = R"(name = "digits"
rounds = 3

[model]
architecture = "logistic"
input_shape = [4]
classes = 2

[training]
learning_rate = 0.5
batch_size = 16
local_steps = 2

[privacy]
target_epsilon = 2

[cohort]
size = 4
)";

inline const std::string kPolicy = "max_epsilon_total = 8.0\n";

// All problems of `text`, contradictions included, as the user would read them.
template <typename Message>
std::vector<std::string> Problems(const std::string& text, const Overrides& overrides = {}) {
  Message message;
  LoadResult result = LoadText(text, "job.toml", message, overrides);
  if (result.readable) {
    Validate(message, result);
  }
  std::vector<std::string> lines;
  for (const Problem& problem : result.problems) {
    lines.push_back(ToText(problem));
  }
  return lines;
}

// `text` with the first `from` replaced; the test's own text has to be there.
inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) {
    return "the text to replace is missing: " + from;
  }
  return text.replace(at, from.size(), to);
}

// The one problem of a job, whose key it names and whose text has the words.
inline void RequireProblem(const std::string& job, const std::string& key,
                           const std::string& words) {
  const std::vector<std::string> lines = Problems<v1::JobConfig>(job);
  INFO((lines.empty() ? "no problem" : lines.front()));
  REQUIRE(lines.size() == 1);
  REQUIRE(lines.front().find(": " + key + ": ") != std::string::npos);
  REQUIRE(lines.front().find(words) != std::string::npos);
}

inline std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

}  // namespace tutti::config
