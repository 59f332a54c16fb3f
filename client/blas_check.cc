#include "client/blas_check.h"

#include <filesystem>

namespace tutti::client {

std::optional<std::string> ReferenceBlas(const std::string& library_root) {
  namespace fs = std::filesystem;
  std::error_code failed;
  for (fs::directory_iterator folder(library_root, failed), end; !failed && folder != end;
       folder.increment(failed)) {
    std::error_code none;
    const fs::path target = fs::canonical(folder->path() / "libblas.so.3", none);
    if (none) continue;
    // /usr/lib/<machine>/blas/libblas.so.3.x is the reference; openblas-pthread, blis, ... have
    // folders of their own.
    if (target.parent_path().filename() == "blas") return target.string();
  }
  return std::nullopt;
}

}  // namespace tutti::client
