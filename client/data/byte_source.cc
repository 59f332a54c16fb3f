#include "client/data/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::size_t kBufferBytes = 128 * 1024;

Status OpenError(const std::string& path, int error) {
  const std::string text = Join("data file ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return NotFound(text + "; check the path in the data section of client.toml");
    case EACCES:
    case EPERM:
      return PermissionDenied(text + "; the user that runs tutti-client must be able to read it");
    case ELOOP:
      return InvalidArgument(text + "; the path runs through a loop of symbolic links");
    default:
      return Unavailable(text);
  }
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

struct ByteSource::State {
  std::string path;
  int fd = -1;
  struct stat opened {};
  std::array<std::uint8_t, kBufferBytes> buffer;
  std::size_t begin = 0, end = 0;  // unread part of `buffer`
  bool compressed = false;
  bool member_open = false;  // inside a gzip member
  bool inflating = false;    // `stream` is initialised
  z_stream stream{};

  ~State() {
    if (inflating) ::inflateEnd(&stream);
    if (fd >= 0) ::close(fd);
  }
  // Makes at least `count` bytes stand in the buffer when the file has them.
  Status Fill(std::size_t count) {
    if (end - begin >= count) return OkStatus();
    std::memmove(buffer.data(), buffer.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    while (end < count) {
      const ssize_t n = ::read(fd, buffer.data() + end, buffer.size() - end);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        return DataLoss(Join("data file ", path, ": reading failed: ", std::strerror(errno)));
      if (n == 0) break;
      end += static_cast<std::size_t>(n);
    }
    return OkStatus();
  }
  bool AtGzipMagic() const {
    return end - begin >= 2 && buffer[begin] == 0x1f && buffer[begin + 1] == 0x8b;
  }
  StatusOr<std::size_t> ReadPlain(std::span<std::uint8_t> out);
  StatusOr<std::size_t> ReadGzip(std::span<std::uint8_t> out);
  // Starts the next member; false at the end of the file.
  StatusOr<bool> NextMember();
};

StatusOr<std::size_t> ByteSource::State::ReadPlain(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    TUTTI_TRY(Fill(1));
    const std::size_t n = std::min(end - begin, out.size() - done);
    if (n == 0) break;
    std::memcpy(out.data() + done, buffer.data() + begin, n);
    begin += n;
    done += n;
  }
  return done;
}

StatusOr<bool> ByteSource::State::NextMember() {
  TUTTI_TRY(Fill(2));
  if (begin == end) return false;
  if (!AtGzipMagic()) {
    return DataLoss(
        Join("data file ", path,
             ": bytes that are not gzip follow the compressed data; the file is damaged"));
  }
  const int result = inflating ? ::inflateReset(&stream) : ::inflateInit2(&stream, 15 + 16);
  if (result != Z_OK) return Internal("zlib cannot start");
  inflating = true;
  member_open = true;
  return true;
}

StatusOr<std::size_t> ByteSource::State::ReadGzip(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (!member_open) {
      TUTTI_ASSIGN(const bool more, NextMember());
      if (!more) break;
    }
    TUTTI_TRY(Fill(1));
    if (begin == end) {
      return DataLoss(Join("data file ", path, ": the gzip stream is cut short after ",
                           opened.st_size, " bytes; fetch the file again"));
    }
    stream.next_in = buffer.data() + begin;
    stream.avail_in = static_cast<uInt>(end - begin);
    stream.next_out = out.data() + done;
    const std::size_t room = std::min<std::size_t>(out.size() - done, 1u << 30);
    stream.avail_out = static_cast<uInt>(room);
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    begin = end - stream.avail_in;
    done += room - stream.avail_out;
    if (result == Z_STREAM_END) {
      member_open = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return DataLoss(Join("data file ", path, ": damaged gzip data",
                           stream.msg != nullptr ? Join(" (", stream.msg, ")") : std::string(),
                           "; fetch the file again"));
    }
  }
  return done;
}

ByteSource::ByteSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

StatusOr<ByteSource> ByteSource::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  // Non-blocking: a FIFO must be refused, not waited for.
  state->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (state->fd < 0) return OpenError(path, errno);
  if (::fstat(state->fd, &state->opened) != 0) return OpenError(path, errno);
  if (!S_ISREG(state->opened.st_mode)) {
    return InvalidArgument(Join("data file ", path, " is ",
                                S_ISDIR(state->opened.st_mode) ? "a folder" : "not a regular file",
                                "; name a file"));
  }
  TUTTI_TRY(state->Fill(2));
  if (state->begin == state->end) return InvalidArgument(Join("data file ", path, " is empty"));
  state->compressed = state->AtGzipMagic();
  return ByteSource(std::move(state));
}

StatusOr<std::size_t> ByteSource::Read(std::span<std::uint8_t> out) {
  return state_->compressed ? state_->ReadGzip(out) : state_->ReadPlain(out);
}

Status ByteSource::CheckUnchanged() const {
  struct stat now {};
  if (::fstat(state_->fd, &now) != 0 || !SameFile(state_->opened, now)) {
    return FailedPrecondition(
        Join("data file ", state_->path, " changed while it was read; try again"));
  }
  return OkStatus();
}

const std::string& ByteSource::path() const { return state_->path; }
bool ByteSource::compressed() const { return state_->compressed; }
std::uint64_t ByteSource::file_bytes() const {
  return static_cast<std::uint64_t>(state_->opened.st_size);
}

}  // namespace tutti::data
