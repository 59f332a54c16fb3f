// The folder in which the device's owner puts TorchScript files. A job names a file by its SHA-256
// only: no name or path of a peer is ever opened. What the trainer loads it hashes again, so a file
// that changes in between is refused there. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "common/base/status.h"

namespace tutti::client {

class ScriptFolder {
 public:
  // `folder` empty: there are no files.
  explicit ScriptFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The path of the file *.pt with this SHA-256 (hexadecimal digits in lower case). Each file is
  // read once, and again when its size or its time of change is another. NotFound says how many
  // files there are, or that no folder is set.
  StatusOr<std::string> Find(const std::string& sha256);

 private:
  struct Known {
    std::uintmax_t bytes = 0;
    std::filesystem::file_time_type changed;
    std::string sha256;  // empty: the file could not be read, or is too large to be loaded
  };

  std::filesystem::path folder_;
  std::map<std::filesystem::path, Known> known_;
};

}  // namespace tutti::client
