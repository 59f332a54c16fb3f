// The round machine's stories, word for word: tests/transcripts/*.txt. A line that starts with ">"
// is a command, the lines below it are the effects it must have, in order. Read a changed story
// before you accept it:
//   TUTTI_REWRITE_TRANSCRIPTS=1 tutti_transcript_test
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/transcripts/stage.h"

#include "tests/catch.h"

namespace tutti::transcripts {
namespace {

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The story as it happens: comments and commands kept, effects as the core gives them.
std::string Perform(const std::string& story) {
  Stage stage;
  std::ostringstream out;
  std::istringstream lines(story);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') {
      out << line << "\n";
    } else if (line.front() == '>') {
      out << line << "\n";
      for (const std::string& effect : stage.Do(line.substr(1))) {
        out << "  " << effect << "\n";
      }
    }
  }
  return out.str();
}

}  // namespace

TEST_CASE("every story happens exactly as it is written down", "[transcripts]") {
  std::set<std::filesystem::path> stories;
  for (const auto& entry : std::filesystem::directory_iterator(TUTTI_TEST_DATA "/transcripts")) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt") {
      stories.insert(entry.path());
    }
  }
  REQUIRE(stories.size() >= 7);
  for (const std::filesystem::path& path : stories) {
    const std::string written = ReadAll(path);
    const std::string happened = Perform(written);
    if (std::getenv("TUTTI_REWRITE_TRANSCRIPTS") != nullptr) {
      std::ofstream(path) << happened;
      continue;
    }
    INFO(path.filename().string());
    REQUIRE(happened == written);
  }
}

}  // namespace tutti::transcripts
