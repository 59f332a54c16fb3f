#include "server/ctl/partial_file.h"

#include <filesystem>
#include <utility>

#include "common/base/text.h"

namespace tutti::ctl {

PartialFile::PartialFile(std::string path)
    : path_(std::move(path)), partial_(path_ + ".partial"), file_(partial_, std::ios::binary) {}

PartialFile::~PartialFile() {
  std::error_code error;
  if (!kept_) {
    std::filesystem::remove(partial_, error);
  }
}

void PartialFile::Write(std::string_view bytes) {
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Status PartialFile::Check() const {
  return file_ ? OkStatus()
               : PermissionDenied(Join(Escaped(partial_),
                                       " cannot be written; check the folder, who may write "
                                       "there, and the space left"));
}

Status PartialFile::Keep() {
  file_.close();
  TUTTI_TRY(Check());
  std::error_code error;
  std::filesystem::rename(partial_, path_, error);
  if (error) {
    return PermissionDenied(Join(Escaped(path_), " cannot be written: ", error.message()));
  }
  kept_ = true;
  return OkStatus();
}

Status CheckFree(const std::string& path, bool force) {
  std::error_code error;
  if (!force && std::filesystem::exists(path, error)) {
    return InvalidArgument(Join(Escaped(path),
                                " exists; choose another name, or replace it with "
                                "--force"));
  }
  return OkStatus();
}

}  // namespace tutti::ctl
