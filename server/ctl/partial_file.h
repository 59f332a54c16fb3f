// Files that a command writes: whole or not at all. Thread safety: confined to one thread.
#pragma once

#include <fstream>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tutti::ctl {

// A file under a temporary name that is removed unless it is kept.
class PartialFile {
 public:
  explicit PartialFile(std::string path);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  void Write(std::string_view bytes);
  // PermissionDenied: the file cannot be written.
  Status Check() const;
  // Gives the file its name.
  Status Keep();

 private:
  std::string path_;
  std::string partial_;
  std::ofstream file_;
  bool kept_ = false;
};

// InvalidArgument when the file exists and may not be replaced.
Status CheckFree(const std::string& path, bool force);

}  // namespace tutti::ctl
