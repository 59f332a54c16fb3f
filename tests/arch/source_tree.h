// Reads the project's own sources for the architecture tests.
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tutti::arch {

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Every .h and .cc below the source folders, relative to the project's root, sorted.
inline std::vector<std::string> Sources() {
  const std::filesystem::path root = TUTTI_SOURCE_DIR;
  std::vector<std::string> files;
  for (const char* folder : {"common", "server", "client", "tests"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".h" || extension == ".cc")) {
        files.push_back(std::filesystem::relative(entry.path(), root));
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The names between <> or "" of a file's #include lines.
inline std::vector<std::string> IncludesOf(const std::string& file) {
  std::ifstream in(std::filesystem::path(TUTTI_SOURCE_DIR) / file);
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("#include")) {
      continue;
    }
    const std::size_t open = line.find_first_of("<\"");
    const std::size_t close = line.find_last_of(">\"");
    if (open != std::string::npos && close > open) {
      names.push_back(line.substr(open + 1, close - open - 1));
    }
  }
  return names;
}

}  // namespace tutti::arch
