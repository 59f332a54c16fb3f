#include "common/platform/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::platform {

TEST_CASE("a file written durably is whole, private and leaves nothing behind", "[platform]") {
  const test::TemporaryDirectory folder;
  REQUIRE(WriteFileDurably(folder / "a", AsBytes("one two")).ok());
  REQUIRE(*ReadTextFile(folder / "a", 100) == "one two");
  REQUIRE(CheckPrivate(folder / "a").ok());
  REQUIRE(WriteFileDurably(folder / "a", AsBytes("three"), 0644).ok());
  REQUIRE(*ReadTextFile(folder / "a", 100) == "three");
  REQUIRE(CheckPrivate(folder / "a").code() == StatusCode::kPermissionDenied);
  REQUIRE(*ListDirectory(folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("a write that fails half way keeps the old file", "[platform]") {
  const test::TemporaryDirectory folder;
  REQUIRE(WriteFileDurably(folder / "a", AsBytes("old")).ok());
  // A file size limit in a child stands for the full disk: write() fails after some bytes.
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(WriteFileDurably(folder / "a", Bytes(5000, 1)).ok() ? 0 : 42);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WEXITSTATUS(status) == 42);
  REQUIRE(*ReadTextFile(folder / "a", 100) == "old");
  REQUIRE(*ListDirectory(folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("of files written together all get their names or none does", "[platform]") {
  const test::TemporaryDirectory folder;
  REQUIRE(WriteFilesDurably({{folder / "a", AsBytes("1")}, {folder / "b", AsBytes("2")}}).ok());
  REQUIRE(*ReadTextFile(folder / "a", 100) == "1");
  REQUIRE(*ReadTextFile(folder / "b", 100) == "2");
  REQUIRE_FALSE(
      WriteFilesDurably({{folder / "a", AsBytes("3")}, {folder / "none/b", AsBytes("4")}}).ok());
  REQUIRE(*ReadTextFile(folder / "a", 100) == "1");
  REQUIRE(*ListDirectory(folder.path()) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("reading says what is wrong with a path", "[platform]") {
  const test::TemporaryDirectory folder;
  REQUIRE(ReadFile(folder / "none", 10).status().code() == StatusCode::kNotFound);
  REQUIRE(ReadFile(folder.path(), 10).status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(WriteFileDurably(folder / "long", Bytes(11, 0)).ok());
  REQUIRE(ReadFile(folder / "long", 10).status().code() == StatusCode::kOutOfRange);
  REQUIRE(ReadFile(folder / "long", 11)->size() == 11);
}

TEST_CASE("directories are made with their parents and a file in the way is named", "[platform]") {
  const test::TemporaryDirectory folder;
  REQUIRE(MakeDirectory(folder / "a/b/c").ok());
  REQUIRE(MakeDirectory(folder / "a/b/c").ok());
  REQUIRE(WriteFileDurably(folder / "f", {}).ok());
  REQUIRE(MakeDirectory(folder / "f").code() == StatusCode::kFailedPrecondition);
}

TEST_CASE("a lock refuses a second holder, names the first and is free after it", "[platform]") {
  const test::TemporaryDirectory folder;
  {
    const StatusOr<FileLock> first = FileLock::Acquire(folder / "lock", "state directory x");
    REQUIRE(first.ok());
    const StatusOr<FileLock> second = FileLock::Acquire(folder / "lock", "state directory x");
    REQUIRE(second.status().code() == StatusCode::kAborted);
    const std::string text = TextOf(second.status());
    REQUIRE(text.find("state directory x is in use by process " + std::to_string(::getpid())) == 0);
  }
  REQUIRE(FileLock::Acquire(folder / "lock", "x").ok());
}

TEST_CASE("an unnamed file leaves no name", "[platform]") {
  const test::TemporaryDirectory folder;
  const StatusOr<int> fd = OpenUnnamedFile(folder.path());
  REQUIRE(fd.ok());
  REQUIRE(::write(*fd, "abc", 3) == 3);
  REQUIRE(ListDirectory(folder.path())->empty());
  ::close(*fd);
}

}  // namespace tutti::platform
