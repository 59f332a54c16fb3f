// Whether LibTorch would multiply matrices with the slow reference BLAS, told without loading
// LibTorch. Thread safety: function of the files.
#pragma once

#include <optional>
#include <string>

namespace tutti::client {

// The file behind libblas.so.3 when it is the reference implementation of Debian and Ubuntu;
// nullopt when it is an optimised one or cannot be told. `library_root` is /usr/lib outside of
// tests.
std::optional<std::string> ReferenceBlas(const std::string& library_root = "/usr/lib");

}  // namespace tutti::client
