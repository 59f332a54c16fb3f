#include "tests/unit/secagg/shard_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/catch.h"

namespace tutti::secagg {
namespace {

bool ReadAll(int fd, std::uint8_t* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t got = ::read(fd, bytes, count);
    if (got <= 0) return false;
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const std::uint8_t* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t sent = ::send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}

// One message either way: a letter or status code, a number, a name and data.
struct Frame {
  char what = 0;
  std::uint64_t number = 0;
  std::string name;
  Bytes data;
};

bool Send(int fd, const Frame& frame) {
  const std::uint64_t head[] = {static_cast<std::uint64_t>(frame.what), frame.number,
                                frame.name.size(), frame.data.size()};
  return WriteAll(fd, reinterpret_cast<const std::uint8_t*>(head), sizeof head) &&
         WriteAll(fd, AsBytes(frame.name).data(), frame.name.size()) &&
         WriteAll(fd, frame.data.data(), frame.data.size());
}

bool Receive(int fd, Frame& frame) {
  std::uint64_t head[4];
  if (!ReadAll(fd, reinterpret_cast<std::uint8_t*>(head), sizeof head)) return false;
  frame.what = static_cast<char>(head[0]);
  frame.number = head[1];
  Bytes name(head[2]);
  frame.data.resize(head[3]);
  if (!ReadAll(fd, name.data(), name.size())) return false;
  frame.name = AsText(name);
  return ReadAll(fd, frame.data.data(), frame.data.size());
}

MaskedHeader HeaderOf(const Frame& frame) {
  MaskedHeader header;
  header.bytes = frame.number;
  header.chunks.resize(frame.data.size() / sizeof(Digest) - 1);
  std::memcpy(header.root.data(), frame.data.data(), sizeof(Digest));
  std::memcpy(header.chunks.data(), frame.data.data() + sizeof(Digest),
              frame.data.size() - sizeof(Digest));
  return header;
}

std::set<ClientId> NamesOf(std::string_view lines) {
  std::set<ClientId> names;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    names.insert(ClientId(std::string(lines.substr(0, end))));
    lines.remove_prefix(end + 1);
  }
  return names;
}

constexpr std::size_t kMaskBytes = 17;  // the seed and its sign

Bytes ToFrame(std::span<const LeftoverMask> masks) {
  Bytes bytes;
  for (const LeftoverMask& mask : masks) {
    bytes.insert(bytes.end(), mask.seed.view().begin(), mask.seed.view().end());
    bytes.push_back(mask.in_sum_positive ? 1 : 0);
  }
  return bytes;
}

std::vector<LeftoverMask> MasksOf(BytesView bytes) {
  std::vector<LeftoverMask> masks;
  for (; !bytes.empty(); bytes = bytes.subspan(kMaskBytes)) {
    masks.push_back({crypto::MaskSeed(bytes.first<kMaskBytes - 1>()), bytes[kMaskBytes - 1] != 0});
  }
  return masks;
}

// The shard's end: what a process around Shard has to do.
class Aggregator {
 public:
  Aggregator(const RingLayout& layout, const ShardRange& range, std::uint32_t cohort)
      : shard_(layout, range, cohort) {}

  Status Answer(const Frame& frame, Bytes& answer) {
    const ClientId client(frame.name);
    switch (frame.what) {
      case 'a':
        return shard_.Announce(client, HeaderOf(frame));
      case 'r': {
        TUTTI_ASSIGN(const Shard::Part part, shard_.Receive(client, frame.number, frame.data));
        Bytes& kept = kept_[client];
        kept.insert(kept.end(), part.bytes.begin(), part.bytes.end());
        answer = {static_cast<std::uint8_t>(shard_.IsComplete(client))};
        return OkStatus();
      }
      case 'i': {
        const Bytes kept = std::move(kept_[client]);
        kept_.erase(client);
        return shard_.Include(
            client, [&](const Shard::Sink& sink) { return sink(kept, shard_.range().first_byte); });
      }
      case 'd':
        kept_.erase(client);
        return shard_.Drop(client);
      default: {
        TUTTI_ASSIGN(const RingVector range, shard_.Open(NamesOf(frame.name), MasksOf(frame.data)));
        answer = ToWire(range);
        return OkStatus();
      }
    }
  }

 private:
  Shard shard_;
  std::map<ClientId, Bytes> kept_;
};

void Serve(int fd, Aggregator aggregator) {
  Frame frame;
  while (Receive(fd, frame)) {
    Bytes answer;
    const Status status = aggregator.Answer(frame, answer);
    Send(fd, {.what = static_cast<char>(status.code()),
              .number = 0,
              .name = std::string(MessageOf(status)),
              .data = std::move(answer)});
  }
}

}  // namespace

ShardProcess::ShardProcess(const RingLayout& layout, const ShardRange& range, std::uint32_t cohort)
    : layout_(layout), range_(range) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  child_ = ::fork();
  REQUIRE(child_ >= 0);
  if (child_ == 0) {
    ::close(ends[0]);
    Serve(ends[1], Aggregator(layout, range, cohort));
    ::_exit(0);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

ShardProcess::~ShardProcess() {
  ::close(socket_);
  Kill();
}

void ShardProcess::Kill() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }
}

StatusOr<Bytes> ShardProcess::Ask(char what, const ClientId& client, std::uint64_t number,
                                  BytesView data) {
  Frame answer;
  if (!Send(socket_, {.what = what,
                      .number = number,
                      .name = client.value(),
                      .data = Bytes(data.begin(), data.end())}) ||
      !secagg::Receive(socket_, answer)) {
    return Unavailable("the shard's process is gone");
  }
  if (answer.what != 0) {
    return Status(static_cast<StatusCode>(answer.what), answer.name);
  }
  return std::move(answer.data);
}

Status ShardProcess::Announce(const ClientId& client, const MaskedHeader& header) {
  Bytes digests(header.root.begin(), header.root.end());
  for (const Digest& chunk : header.chunks) {
    digests.insert(digests.end(), chunk.begin(), chunk.end());
  }
  return Ask('a', client, header.bytes, digests).status();
}

StatusOr<bool> ShardProcess::Receive(const ClientId& client, std::uint64_t index, BytesView data) {
  TUTTI_ASSIGN(const Bytes complete, Ask('r', client, index, data));
  return complete.at(0) != 0;
}

Status ShardProcess::Include(const ClientId& client) { return Ask('i', client, 0, {}).status(); }
Status ShardProcess::Drop(const ClientId& client) { return Ask('d', client, 0, {}).status(); }

StatusOr<RingVector> ShardProcess::Open(const std::set<ClientId>& survivors,
                                        std::span<const LeftoverMask> masks) {
  std::string names;
  for (const ClientId& survivor : survivors) {
    names += survivor.value() + "\n";
  }
  TUTTI_ASSIGN(const Bytes wire, Ask('o', ClientId(names), 0, ToFrame(masks)));
  RingVector range(layout_, range_.first, range_.count);
  TUTTI_TRY(range.AddWire(wire, range_.first_byte));
  return range;
}

}  // namespace tutti::secagg
