#include "common/platform/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/text.h"

namespace tutti::platform {
namespace {

// Closes on every way out; Release() when the caller keeps it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status WriteAll(int fd, BytesView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FileError(errno, "cannot write", path);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return OkStatus();
}

std::string TemporaryOf(const FileContent& file) { return file.path + ".tmp"; }

Status WriteTemporary(const std::string& path, BytesView bytes, unsigned mode) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                         static_cast<mode_t>(mode)));
  if (file.get() < 0) {
    return FileError(errno, "cannot create", path);
  }
  // open() applies the umask and keeps the mode of a left-over file.
  if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) {
    return FileError(errno, "cannot set the mode of", path);
  }
  TUTTI_TRY(WriteAll(file.get(), bytes, path));
  if (::fsync(file.get()) != 0) {
    return FileError(errno, "cannot sync", path);
  }
  if (::close(file.Release()) != 0) {
    return FileError(errno, "cannot close", path);
  }
  return OkStatus();
}

}  // namespace

Status FileError(int error, std::string_view action, std::string_view path) {
  const std::string text = Join(action, " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return NotFound(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return PermissionDenied(text);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return ResourceExhausted(text);
    case EISDIR:
    case EEXIST:
    case ELOOP:
      return FailedPrecondition(text);
    default:
      return Unavailable(text);
  }
}

StatusOr<Bytes> ReadFile(const std::string& path, std::uint64_t limit) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return FileError(errno, "cannot open", path);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return FileError(errno, "cannot inspect", path);
  }
  if (S_ISDIR(info.st_mode)) {
    return FailedPrecondition(Join(path, " is a directory, expected a file"));
  }
  if (S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) > limit) {
    return OutOfRange(Join(path, " has ", info.st_size, " bytes, at most ", limit, " are read"));
  }
  Bytes bytes(static_cast<std::size_t>(std::max<off_t>(info.st_size, 0)));
  std::size_t used = 0;
  while (true) {
    if (used == bytes.size()) {
      if (used > limit) {
        return OutOfRange(Join(path, " has more than the ", limit, " bytes that are read"));
      }
      bytes.resize(used +
                   4096);  // a pipe, or a file that grew; also finds the end of an exact read
    }
    const ssize_t got = ::read(file.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FileError(errno, "cannot read", path);
    }
    if (got == 0) {
      break;
    }
    used += static_cast<std::size_t>(got);
  }
  if (used > limit) {
    return OutOfRange(Join(path, " has more than the ", limit, " bytes that are read"));
  }
  bytes.resize(used);
  return bytes;
}

StatusOr<std::string> ReadTextFile(const std::string& path, std::uint64_t limit) {
  TUTTI_ASSIGN(const Bytes bytes, ReadFile(path, limit));
  return ToString(bytes);
}

Status WriteFileDurably(const std::string& path, BytesView bytes, unsigned mode) {
  return WriteFilesDurably({{path, bytes}}, mode);
}

Status WriteFilesDurably(const std::vector<FileContent>& files, unsigned mode) {
  TUTTI_CHECK(!files.empty());
  Status status;
  for (const FileContent& file : files) {
    if (status.ok()) {
      status = WriteTemporary(TemporaryOf(file), file.bytes, mode);
    }
  }
  for (const FileContent& file : files) {
    if (status.ok() && ::rename(TemporaryOf(file).c_str(), file.path.c_str()) != 0) {
      status = FileError(errno, "cannot rename a temporary file to", file.path);
    }
  }
  if (!status.ok()) {
    for (const FileContent& file : files) {
      ::unlink(TemporaryOf(file).c_str());
    }
    return status;
  }
  return SyncDirectory(FolderOf(files.front().path));
}

Status MakeDirectory(const std::string& path, unsigned mode) {
  if (path.empty()) {
    return InvalidArgument("the name of a directory is empty");
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    return S_ISDIR(info.st_mode)
               ? OkStatus()
               : FailedPrecondition(Join(path, " is a file, expected a directory"));
  }
  const std::string parent = FolderOf(path);
  if (parent != path && parent != ".") {
    TUTTI_TRY(MakeDirectory(parent, mode));
  }
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) {
    return FileError(errno, "cannot make directory", path);
  }
  return SyncDirectory(parent);
}

Status SyncDirectory(const std::string& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) {
    return FileError(errno, "cannot open directory", path);
  }
  // Some file systems cannot sync a folder and say EINVAL; their renames are as durable as they
  // get.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) {
    return FileError(errno, "cannot sync directory", path);
  }
  return OkStatus();
}

Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FileError(errno, "cannot remove", path);
  }
  return OkStatus();
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) {
    return FileError(errno, "cannot open directory", path);
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

Status CheckPrivate(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return FileError(errno, "cannot inspect", path);
  }
  if ((info.st_mode & 077U) != 0) {
    return PermissionDenied(
        Join("private file ", path, " can be used by other users; run: chmod 600 ", path));
  }
  return OkStatus();
}

StatusOr<int> OpenUnnamedFile(const std::string& directory) {
  const int unnamed = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (unnamed >= 0) {
    return unnamed;
  }
  // Not every file system knows O_TMPFILE: make a file and take its name away.
  std::string name = directory + "/spool-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) {
    return FileError(errno, "cannot create a file in", directory);
  }
  ::unlink(name.c_str());
  return fd;
}

StatusOr<FileLock> FileLock::Acquire(const std::string& path, std::string_view what) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) {
    return FileError(errno, "cannot open lock file", path);
  }
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return FileError(errno, "cannot lock", path);
    }
    char holder[32] = {};
    const ssize_t got = ::pread(file.get(), holder, sizeof holder - 1, 0);
    std::string pid(holder, got > 0 ? static_cast<std::size_t>(got) : 0);
    pid.erase(std::find_if(pid.begin(), pid.end(), [](char c) { return c < '0' || c > '9'; }),
              pid.end());
    return Aborted(Join(what, " is in use by process ", pid.empty() ? "?" : pid,
                        "; stop that process or use another directory"));
  }
  const std::string pid = Join(::getpid(), "\n");
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return FileError(errno, "cannot write lock file", path);
  }
  return FileLock(file.Release());
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

}  // namespace tutti::platform
