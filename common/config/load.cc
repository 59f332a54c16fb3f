#include "common/config/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/text.h"
#include "common/config/defaults.h"
#include "common/config/nesting.h"
#include "common/config/overrides.h"
#include "common/config/reader.h"

namespace tutti::config {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct ReadOutcome {
  std::string text{};
  std::string problem{};  // empty: read
  bool permission = false;
};

ReadOutcome Failure(int error) {
  if (error == EACCES || error == EPERM) {
    return {.problem =
                "may not be read by this user; change its owner or mode, or run as the user "
                "it belongs to",
            .permission = true};
  }
  if (error == ENOENT || error == ENOTDIR) {
    return {.problem =
                "no such file; check the path, or copy the sample of the same name from "
                "configs/"};
  }
  return {.problem = Join("cannot be read: ", std::strerror(error))};
}

ReadOutcome ReadWhole(const std::string& path) {
  // Non-blocking: opening a pipe that nobody writes to would hang.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    return Failure(errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    return Failure(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return {.problem = Join("is ", S_ISDIR(status.st_mode) ? "a directory" : "not a regular file",
                            ", expected a TOML file")};
  }
  ReadOutcome outcome;
  std::array<char, 65536> buffer;
  while (outcome.text.size() <= kMaxFileBytes) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return Failure(errno);
    }
    if (count == 0) {
      return outcome;
    }
    outcome.text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return {.problem = Join("is longer than ", kMaxFileBytes,
                          " bytes; a configuration is far smaller, check the path")};
}

std::string FolderOf(const std::string& name) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(name, error);
  return error ? std::string("/") : absolute.parent_path().string();
}

}  // namespace

LoadResult LoadFile(const std::string& path, google::protobuf::Message& out,
                    const Overrides& overrides) {
  ReadOutcome outcome = ReadWhole(path);
  if (outcome.problem.empty()) {
    return LoadText(outcome.text, path, out, overrides);
  }
  LoadResult result;
  result.file = path;
  result.problems.push_back(
      {.file = path, .text = outcome.problem, .permission = outcome.permission});
  return result;
}

LoadResult LoadText(std::string_view text, const std::string& name, google::protobuf::Message& out,
                    const Overrides& overrides) {
  LoadResult result;
  result.file = name;
  out.Clear();
  if (const auto deep = FindDeepNesting(text)) {
    result.problems.push_back({.file = name,
                               .line = deep->line,
                               .column = deep->column,
                               .text = "found more than 32 nested sections or lists; no key of a "
                                       "configuration lies deeper than four"});
    return result;
  }
  try {
    const toml::table table = toml::parse(text, name);
    Reader reader({.source = Source::kFile, .where = name, .folder = FolderOf(name)},
                  *out.GetDescriptor(), result);
    reader.ReadTable(table, out, "");
    result.readable = true;
  } catch (const toml::parse_error& error) {
    result.problems.push_back({.file = name,
                               .line = error.source().begin.line,
                               .column = error.source().begin.column,
                               .text = "not valid TOML: " + Escaped(error.description(), 300)});
    return result;
  }
  ApplyOverrides(overrides, out, result);
  CompleteDefaults(out, result);
  CheckRequired(out, result);
  Sort(result.problems);
  return result;
}

}  // namespace tutti::config
