#include "common/config/problem.h"

#include <algorithm>
#include <tuple>

#include "common/base/text.h"

namespace tutti::config {

std::string ToText(const Origin& origin) {
  switch (origin.source) {
    case Source::kDefault:
      return "default";
    case Source::kFile:
      return Join(origin.where, ":", origin.line);
    case Source::kEnvironment:
      return "environment " + origin.where;
    case Source::kCommandLine:
      return "command line";
  }
  return {};
}

std::string ToText(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) {
    text += Join(":", problem.line, ":", problem.column);
  }
  text += ": ";
  if (!problem.key.empty()) {
    text += problem.key + ": ";
  }
  return text + problem.text;
}

std::string ToText(std::span<const Problem> problems) {
  std::string text;
  for (const Problem& problem : problems) {
    text += ToText(problem) + "\n";
  }
  return text;
}

void Sort(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    const bool a_outside = a.line == 0;
    const bool b_outside = b.line == 0;
    return std::tie(a_outside, a.file, a.line, a.column, a.key) <
           std::tie(b_outside, b.file, b.line, b.column, b.key);
  });
}

int ExitCode(std::span<const Problem> problems) {
  if (problems.empty()) {
    return 0;
  }
  const bool permission = std::any_of(problems.begin(), problems.end(),
                                      [](const Problem& problem) { return problem.permission; });
  return permission ? 77 : 78;
}

}  // namespace tutti::config
