// Files that must survive a crash, and the lock that keeps a second process away from them.
// Thread safety: functions are safe on different paths; FileLock is a value owned by one thread.
//
// Error codes: NotFound (no such file), PermissionDenied, ResourceExhausted (disk or quota full),
// FailedPrecondition (not what was expected there), Unavailable (every other failure of the
// system).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::platform {

// The status for a failed system call on `path`: code by errno, text "<action> <path>: <reason>".
Status FileError(int error, std::string_view action, std::string_view path);

// The whole file. OutOfRange when it is longer than `limit` bytes; FailedPrecondition for a
// directory.
StatusOr<Bytes> ReadFile(const std::string& path, std::uint64_t limit);
StatusOr<std::string> ReadTextFile(const std::string& path, std::uint64_t limit);

// Writes <path>.tmp, fsyncs it, renames it over `path` and fsyncs the folder: after a crash either
// the old or the new content is there, whole. The temporary file is removed when a step fails.
Status WriteFileDurably(const std::string& path, BytesView bytes, unsigned mode = 0600);
struct FileContent {
  std::string path;
  BytesView bytes;
};
// The same for files of one folder, which is synced once for all of them: they get their names in
// order, after each is whole on disk. At least one.
Status WriteFilesDurably(const std::vector<FileContent>& files, unsigned mode = 0600);

// Makes the folder and its missing parents; an existing folder is kept as it is.
Status MakeDirectory(const std::string& path, unsigned mode = 0700);
Status SyncDirectory(const std::string& path);
// OK also when there is no such file.
Status RemoveFile(const std::string& path);
bool Exists(const std::string& path);
// Names (not paths) in the folder, sorted, without "." and "..".
StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

// PermissionDenied with the command that repairs it when group or others have any right on `path`
// (key files).
Status CheckPrivate(const std::string& path);

// An open file without a name in `directory`: the system frees it when the descriptor is closed.
StatusOr<int> OpenUnnamedFile(const std::string& directory);

// Held until destroyed or the process ends (flock: kill -9 frees it too).
class FileLock {
 public:
  // Aborted naming the holder's process id when someone else holds it; `what` says what it
  // protects, e.g. "state directory /var/lib/tutti".
  static StatusOr<FileLock> Acquire(const std::string& path, std::string_view what);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace tutti::platform
