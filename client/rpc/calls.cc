// One try of each call. Retrying is grpc_link.cc's business.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>

#include "client/rpc/link_state.h"
#include "client/rpc/raw_stream.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/rpc/chunk.h"
#include "common/secagg/chunks.h"
#include "common/wire/conversation.h"

namespace tutti::client_rpc {
namespace {

constexpr std::chrono::seconds kUnaryDeadline{15};
constexpr std::chrono::hours kTransferDeadline{1};  // the round's own deadlines come first
constexpr char kFetchModel[] = "/tutti.v1.Coordinator/FetchModel";
constexpr char kUpload[] = "/tutti.v1.Coordinator/Upload";

grpc::ByteBuffer BufferOf(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

using Stub = v1::Coordinator::Stub;
template <typename Message>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Message&, v1::StepReply*);

struct UnaryCall {
  Stub& stub;
  grpc::ClientContext& context;
  std::atomic<std::uint64_t>& bytes_sent;

  template <typename Message, typename Request>
  Try Run(Method<Message> method, const Request& request) const {
    Message message;
    wire::ToProto(request, &message);
    bytes_sent += message.ByteSizeLong();
    v1::StepReply reply;
    return EndOf((stub.*method)(&context, message, &reply), context);
  }
  Try operator()(const protocol::JoinRequest& request) const {
    return Run<v1::JoinRequest>(&Stub::Join, request);
  }
  Try operator()(const protocol::ShareRequest& request) const {
    return Run<v1::ShareRequest>(&Stub::Share, request);
  }
  Try operator()(const protocol::CommitRequest& request) const {
    return Run<v1::CommitRequest>(&Stub::Commit, request);
  }
  Try operator()(const protocol::UnmaskRequest& request) const {
    return Run<v1::UnmaskRequest>(&Stub::Unmask, request);
  }
  Try operator()(const protocol::DeclineRequest& request) const {
    return Run<v1::DeclineRequest>(&Stub::Decline, request);
  }
  Try operator()(const protocol::EvaluationReport& request) const {
    return Run<v1::EvaluationRequest>(&Stub::ReportEvaluation, request);
  }
};

// Where the coordinator asks a broken upload of `bytes` bytes to go on; 0 when it does not say.
StatusOr<std::uint64_t> AskedOffset(const grpc::ClientContext& context, std::uint64_t bytes) {
  const auto& metadata = context.GetServerInitialMetadata();
  const auto found = metadata.find(rpc::kOffsetMetadata);
  if (found == metadata.end()) {
    return 0;
  }
  const std::string_view text(found->second.data(), found->second.size());
  std::uint64_t offset = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), offset);
  if (error != std::errc() || end != text.end() || offset >= bytes ||
      offset % secagg::kChunkBytes != 0) {
    return InvalidArgument(Join("the coordinator asks to go on at byte \"", Escaped(text, 32),
                                "\" of an upload of ", bytes, " bytes; expected a multiple of ",
                                secagg::kChunkBytes, " below that"));
  }
  return offset;
}

}  // namespace

Try GrpcLink::State::SendOnce(const protocol::Request& request, const std::stop_token& stop) {
  grpc::ClientContext context;
  Prepare(context);
  context.set_deadline(std::chrono::system_clock::now() + kUnaryDeadline);
  const CancelOnStop cancel(context, stop, all);
  return std::visit(UnaryCall{*stub, context, bytes_sent}, request);
}

Try GrpcLink::State::FetchOnce(const Digest& sha256, std::uint64_t bytes, Download& model,
                               const std::stop_token& stop) {
  grpc::ClientContext context;
  Prepare(context);
  context.set_deadline(std::chrono::system_clock::now() + kTransferDeadline);
  const CancelOnStop cancel(context, stop, all);
  v1::FetchModelRequest request;
  request.set_model_sha256(sha256.data(), sha256.size());
  request.set_offset(model.bytes.size());
  RawStream stream(channel, context, kFetchModel);
  stream.Write(BufferOf(request));
  stream.WritesDone();
  model.bytes.reserve(bytes);
  const auto take = [&](const rpc::ChunkHead& head, BytesView data) -> Status {
    if (data.empty()) {
      bytes_received += head.data_bytes;
      if (head.offset != model.bytes.size()) {
        return DataLoss(
            Join("model chunk starts at byte ", head.offset, ", expected ", model.bytes.size()));
      }
      if ((head.data_bytes == 0 || head.data_bytes > bytes - model.bytes.size()) &&
          Guard("model.chunk")) {
        return DataLoss(Join("the coordinator sends more than the ", bytes,
                             " bytes it announced, or empty chunks"));
      }
    }
    model.bytes.insert(model.bytes.end(), data.begin(), data.end());
    model.hash.Update(data);
    return OkStatus();
  };
  grpc::ByteBuffer chunk;
  while (stream.Read(chunk)) {
    if (const auto parsed = rpc::ParseChunk(&chunk, take); !parsed.ok()) {
      context.TryCancel();
      stream.Finish();
      return {DataLoss(MessageOf(parsed.status())), std::nullopt};
    }
  }
  if (Try ended = EndOf(stream.Finish(), context); !ended.status.ok()) return ended;
  if (model.bytes.size() != bytes) {
    return {
        DataLoss(Join("the model has ", model.bytes.size(), " bytes, ", bytes, " were announced")),
        std::nullopt};
  }
  if (model.hash.Finish() != sha256 && Guard("model.hash")) {
    return {DataLoss("the model's SHA-256 is not the one the round's configuration names"),
            std::nullopt};
  }
  return {OkStatus(), std::nullopt};
}

Try GrpcLink::State::UploadOnce(const protocol::UploadHeader& header, const SharedBytes& vector,
                                bool resume, const std::stop_token& stop) {
  grpc::ClientContext context;
  Prepare(context);
  context.set_deadline(std::chrono::system_clock::now() + kTransferDeadline);
  const CancelOnStop cancel(context, stop, all);
  RawStream stream(channel, context, kUpload);
  v1::UploadChunk first;
  wire::ToProto(header, &first);
  first.set_resume(resume);
  // The header alone first: until the coordinator has a place for this vector, no data waits there.
  bool open = stream.Write(BufferOf(first));
  const BytesView bytes(*vector);
  std::uint64_t start = 0;
  if (resume && open && stream.ReadInitialMetadata()) {
    const auto asked = AskedOffset(context, bytes.size());
    if (!asked.ok()) {
      context.TryCancel();
      stream.Finish();
      return {asked.status(), std::nullopt};
    }
    start = *asked;
    log::Debug("upload_resumed", {{"byte", start}, {"bytes", bytes.size()}});
  }
  // A failed write ends the call; Finish says why.
  for (std::size_t offset = start; open && offset < bytes.size(); offset += secagg::kChunkBytes) {
    const auto part = bytes.subspan(offset, std::min(secagg::kChunkBytes, bytes.size() - offset));
    bytes_sent += part.size();
    open = stream.Write(rpc::MakeChunk(vector, part, offset));
    Failpoint("client.chunk_sent");
  }
  stream.WritesDone();
  grpc::ByteBuffer reply;
  stream.Read(reply);
  return EndOf(stream.Finish(), context);
}

}  // namespace tutti::client_rpc
