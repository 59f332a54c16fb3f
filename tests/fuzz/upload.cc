// Uploads as the coordinator's shell takes them in, without a network: calls that open, send,
// stall, break off and resume in any order, with the core's answers between. A vector is handed
// over only whole and with the digests its header announced; places are given back.
#include <map>
#include <vector>

#include "common/rpc/chunk.h"
#include "common/secagg/chunks.h"
#include "common/secagg/packing.h"
#include "common/wire/conversation.h"
#include "server/rpc/upload.h"
#include "tests/fuzz/tamper.h"
#include "tests/fuzz/target.h"
#include "tests/unit/server/fake_upload_call.h"
#include "tests/unit/server/fixed_clock.h"

namespace tutti::fuzz {
namespace {

constexpr std::size_t kClients = 2;
constexpr int kMostEvents = 40;
constexpr std::size_t kMostCalls = 8;
const Digest kSession = [] {
  Digest session;
  session.fill(9);
  return session;
}();

// Two chunks and a bit, or less than one, whose last byte is not full.
secagg::RingLayout LayoutOf(std::size_t client) {
  if (client == 0) return {.values = 2 * secagg::kChunkBytes + 1001, .extra_lanes = 0, .bits = 8};
  return {.values = 1028, .extra_lanes = 0, .bits = 7};
}

const Bytes& VectorOf(std::size_t client) {
  static const std::vector<Bytes> vectors = [] {
    std::vector<Bytes> made{Bytes(LayoutOf(0).wire_bytes()), Bytes(LayoutOf(1).wire_bytes())};
    for (Bytes& vector : made) {
      for (std::size_t i = 0; i < vector.size(); ++i) {
        vector[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
      }
    }
    made[1].back() = 0;  // the last byte has bits behind the last value
    return made;
  }();
  return vectors[client];
}

const secagg::MaskedHeader& HeaderOf(std::size_t client) {
  static const secagg::MaskedHeader headers[kClients] = {secagg::UnsignedHeader(VectorOf(0)),
                                                         secagg::UnsignedHeader(VectorOf(1))};
  return headers[client];
}

ClientId NameOf(std::size_t client) { return ClientId(client == 0 ? "large" : "small"); }

using Call = test::FakeUploadCall;

// The core: takes every header of a bearable length; what it answers is the input's choice.
class Port final : public rpc::CoordinatorPort {
 public:
  struct Known {
    std::size_t client = 0;
    protocol::UploadHeader header;
    std::shared_ptr<rpc::IncomingUpload> upload;
    bool accepted = false, received = false;
  };

  Status Attach(rpc::Attachment) override { return OkStatus(); }
  Status Ask(const ClientId&, protocol::Request, rpc::ReplyFunction) override { return OkStatus(); }
  StatusOr<round::CallId> OpenUpload(const ClientId& name, const protocol::UploadHeader& header,
                                     std::shared_ptr<rpc::IncomingUpload> upload) override {
    const std::size_t client = name == NameOf(0) ? 0 : 1;
    if (header.header.bytes != LayoutOf(client).wire_bytes()) {
      return InvalidArgument("the vector has another length");
    }
    known_[++last_] = {client, header, std::move(upload)};
    return last_;
  }
  void Detached(const ClientId&, const rpc::NoticeSink*) override {}
  void UploadReceived(round::CallId call) override {
    Expect(known_.at(call).accepted, "nothing is received before it is accepted");
    Expect(!std::exchange(known_.at(call).received, true), "a vector is handed over once");
  }
  void UploadEnded(round::CallId call, const Status& broken_rule) override {
    Expect(broken_rule.ok() || !known_.contains(call) || !known_.at(call).received,
           "a vector that broke a rule is not handed over");
    // What was handed over is the core's until it is visited or discarded.
    if (const auto found = known_.find(call); found != known_.end() && !found->second.received) {
      known_.erase(found);
    }
  }
  Milliseconds RetryWindow() const override { return Milliseconds(1000); }

  void Act(Source& source) {
    if (known_.empty()) return;
    const auto found =
        std::next(known_.begin(), static_cast<std::ptrdiff_t>(source.Below(known_.size())));
    const round::CallId id = found->first;
    Known& known = found->second;
    const std::shared_ptr<rpc::IncomingUpload> upload = known.upload;
    switch (source.U8() % 4) {
      case 0:
        if (!std::exchange(known.accepted, true)) upload->Accept(LayoutOf(known.client));
        break;
      case 1:
        if (known.received) {
          CheckVector(known);
          known_.erase(id);
          upload->Answer(OkStatus(), Milliseconds(0));
        }
        break;
      case 2:
        upload->Answer(Aborted("the step is over"), Milliseconds(0));
        break;
      default:
        upload->Discard();
        upload->Answer(InvalidArgument("no"), Milliseconds(1));
        if (known_.contains(id) && known_.at(id).received) known_.erase(id);
    }
  }
  // The round is over: what was received is freed.
  void End() {
    for (auto& [id, known] : known_) known.upload->Discard();
    known_.clear();
  }

 private:
  static void CheckVector(const Known& known) {
    Bytes vector;
    const Status visited = known.upload->Visit(23, [&](BytesView part, std::uint64_t first) {
      Expect(first == vector.size(), "parts come in order");
      vector.insert(vector.end(), part.begin(), part.end());
      return OkStatus();
    });
    Expect(!visited.ok() || (vector.size() == known.header.header.bytes &&
                             secagg::ChunkDigests(vector) == known.header.header.chunks),
           "what is handed over has the digests that were announced");
    const secagg::RingLayout layout = LayoutOf(known.client);
    Expect(!visited.ok() || secagg::EndsInZeros(vector, layout.values, layout.bits),
           "what is handed over is a vector");
  }

  round::CallId last_ = 0;
  std::map<round::CallId, Known> known_;
};

class World {
 public:
  explicit World(std::size_t slots) : slots_(slots), pool_(slots, "/tmp", clock_) {
    partial_.BeginSession(kSession);
  }

  void Event(Source& source) {
    const std::uint8_t kind = source.U8();
    switch (kind % 8) {
      case 0:
        Open(kind / 8 % kClients);
        break;
      case 1:
        SendHeader(source);
        break;
      case 2:
        SendData(source);
        break;
      case 3:
        port_.Act(source);
        break;
      case 4:
        if (Call* call = One(source)) call->EndOfStream();
        break;
      case 5:
        if (Call* call = One(source)) call->Cancel();
        break;
      case 6:
        clock_.now += Milliseconds(source.U8() * 50);
        watch_.Look(clock_.now);
        break;
      default:
        SendAnything(source);
    }
    for (const auto& made : calls_) made.call->Settle();
    Expect(pool_.in_memory() <= slots_, "memory is bounded by the slots");
    Expect(partial_.size() <= kClients, "one broken upload a client is kept");
    Expect(pool_.in_files() <= calls_.size() + kClients, "files are bounded by the calls");
  }

  void End() {
    for (const auto& made : calls_) {
      made.call->Cancel();
      made.call->Settle();
    }
    for (const auto& made : calls_) made.call->Settle();
    port_.End();
    partial_.EndSession(kSession);
    clock_.now += Milliseconds(10'000);
    while (pool_.Expire()) clock_.now += Milliseconds(10'000);
    Expect(pool_.in_memory() == 0 && pool_.in_files() == 0, "every place is given back");
  }

 private:
  struct Made {
    std::unique_ptr<Call> call;
    std::size_t client = 0;
    std::uint64_t sent = 0;  // bytes of the vector
  };

  void Open(std::size_t client) {
    if (calls_.size() == kMostCalls) return;
    auto call = std::make_unique<Call>();
    Call& opened = *call;
    calls_.push_back({std::move(call), client});
    opened.Bind(
        rpc::Upload::Start(context_, watch_, NameOf(client), opened.context(), opened.response()));
  }
  Made* OneMade(Source& source) {
    return calls_.empty() ? nullptr : &calls_[calls_.size() - 1 - source.U8() % calls_.size()];
  }
  Call* One(Source& source) {
    Made* const made = OneMade(source);
    return made == nullptr ? nullptr : made->call.get();
  }

  void SendHeader(Source& source) {
    Made* const made = OneMade(source);
    if (made == nullptr) return;
    v1::UploadChunk chunk;
    wire::ToProto(protocol::UploadHeader{kSession, HeaderOf(made->client)}, &chunk);
    const std::uint8_t how = source.U8();
    chunk.set_resume(how % 2 == 1);
    // Where a kept upload goes on: the bytes sent before are not sent again.
    made->sent = how % 2 == 1 ? how / 2 % 3 * std::uint64_t{secagg::kChunkBytes} : 0;
    for (std::uint8_t changes = how; changes > 252; --changes) Tamper(chunk, source);
    made->call->Deliver(chunk.SerializeAsString());
  }

  void SendData(Source& source) {
    Made* const made = OneMade(source);
    if (made == nullptr) return;
    const Bytes& vector = VectorOf(made->client);
    const std::size_t at = std::min<std::size_t>(made->sent, vector.size());
    const std::size_t count = std::min<std::size_t>(vector.size() - at, source.U16() * 17U);
    Bytes data = ToBytes(BytesView(vector).subspan(at, count));
    const std::uint8_t change = source.U8();
    std::uint64_t offset = at;
    if (change == 1) offset += source.U8();
    if (change == 2 && !data.empty()) data[source.Below(data.size())] ^= 1;
    if (change == 3) data.resize(data.size() + source.U8());
    made->sent += count;
    v1::UploadChunk chunk;
    chunk.set_offset(offset);
    chunk.set_data(ToString(data));
    made->call->Deliver(chunk.SerializeAsString());
  }

  void SendAnything(Source& source) {
    Made* const made = OneMade(source);
    if (made != nullptr) made->call->Deliver(std::string(AsText(source.Take(source.U8()))));
  }

  std::size_t slots_;
  test::FixedClock clock_;
  rpc::SpoolPool pool_;
  rpc::PartialUploads partial_;
  http::Metrics metrics_;
  Port port_;
  rpc::UploadWatch watch_{pool_};
  const rpc::UploadContext context_{.port = port_,
                                    .pool = pool_,
                                    .partial = partial_,
                                    .metrics = metrics_,
                                    .clock = clock_,
                                    .stall = Milliseconds(5000)};
  std::vector<Made> calls_;
};

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  fuzz::Source source({data, size});
  fuzz::World world(source.U8() % 3);
  for (int i = 0; i < fuzz::kMostEvents && !source.empty(); ++i) {
    world.Event(source);
  }
  world.End();
  return 0;
}
