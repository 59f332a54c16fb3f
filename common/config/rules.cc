#include "common/config/rules.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/config/validate.h"

namespace tutti::config {
namespace {

void Place(const Origin& origin, Problem& problem) {
  problem.line = 0;
  problem.column = 0;
  switch (origin.source) {
    case Source::kFile:
      problem.file = origin.where;
      problem.line = origin.line;
      problem.column = origin.column;
      return;
    case Source::kEnvironment:
      problem.file = "environment variable " + origin.where;
      return;
    case Source::kCommandLine:
    case Source::kDefault:
      problem.file = "command line";
      return;
  }
}

}  // namespace

bool Rules::Clean(const std::string& key) const {
  for (std::size_t i = 0; i < known_; ++i) {
    const std::string& other = result_.problems[i].key;
    if (other == key || other.starts_with(key + "[") || other.starts_with(key + ".")) {
      return false;
    }
  }
  return true;
}

std::string Rules::FirstSet(std::string_view section) const {
  const std::string inside = std::string(section) + ".";
  for (const auto& [key, origin] : result_.origins) {
    if (key == section || key.starts_with(inside)) return key;
  }
  return {};
}

bool Rules::Sound(std::initializer_list<std::string_view> sections) const {
  return std::none_of(result_.problems.begin(), result_.problems.end(), [&](const Problem& found) {
    return std::any_of(sections.begin(), sections.end(), [&](std::string_view section) {
      return std::string_view(found.key).starts_with(section);
    });
  });
}

void Rules::Add(std::initializer_list<std::string> keys, std::string text) {
  for (const std::string& key : keys) {
    if (!Clean(key)) {
      return;
    }
  }
  Problem problem{.file = result_.file, .key = *keys.begin(), .text = std::move(text)};
  if (result_.readable && result_.file != "message") {
    problem.line = 1;
    problem.column = 1;
  }
  for (const std::string& key : keys) {
    // The key itself, else the section it belongs to.
    const auto found = result_.origins.find(key);
    if (found != result_.origins.end()) {
      Place(found->second, problem);
      result_.problems.push_back(std::move(problem));
      return;
    }
  }
  const std::string& first = *keys.begin();
  const auto section = result_.origins.find(first.substr(0, first.rfind('.')));
  if (section != result_.origins.end()) {
    Place(section->second, problem);
  }
  result_.problems.push_back(std::move(problem));
}

void Rules::CheckHostPort(const std::string& key, const std::string& value) {
  if (const auto parsed = ParseHostPort(value); !parsed.ok()) {
    Add({key}, std::string(MessageOf(parsed.status())));
  }
}

}  // namespace tutti::config
