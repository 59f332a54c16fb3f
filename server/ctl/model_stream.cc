#include "server/ctl/model_stream.h"

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "server/ctl/commands.h"

namespace tutti::ctl {
namespace {

constexpr int kExportSeconds = 3600;
constexpr std::size_t kMostHeld = std::size_t{4} << 30;  // bytes

}  // namespace

StatusOr<StreamedModel> StreamModel(const std::string& job, std::uint64_t round,
                                    Connection& connection,
                                    const std::function<Status(std::string_view)>& sink) {
  v1::ExportModelRequest request;
  request.set_job(job);
  request.set_round(round);
  grpc::ClientContext context;
  SetDeadline(context, kExportSeconds);
  const auto stream = connection.admin->ExportModel(&context, request);
  StreamedModel streamed;
  crypto::Sha256Stream hash;
  std::uint64_t bytes = 0;
  bool first = true;
  for (v1::ExportChunk chunk; stream->Read(&chunk); first = false) {
    if (first) streamed = {.model = chunk.model(), .manifest = chunk.manifest_json()};
    bytes += chunk.data().size();
    hash.Update(AsBytes(chunk.data()));
    if (Status taken = sink(chunk.data()); !taken.ok()) {
      context.TryCancel();
      return taken;
    }
  }
  TUTTI_TRY(Explain(stream->Finish(), connection.where));
  const Digest digest = hash.Finish();
  if (bytes != streamed.model.bytes() || AsText(digest) != streamed.model.sha256()) {
    return DataLoss(Join("received ", bytes, " bytes with SHA-256 ", ToHex(digest), ", expected ",
                         streamed.model.bytes(), " bytes with ",
                         ToHex(AsBytes(streamed.model.sha256())),
                         "; nothing was written, try again"));
  }
  return streamed;
}

StatusOr<HeldModel> FetchModel(const std::string& job, std::uint64_t round,
                               Connection& connection) {
  HeldModel held;
  TUTTI_ASSIGN(held.about, StreamModel(job, round, connection, [&](std::string_view part) {
                 if (held.bytes.size() + part.size() > kMostHeld) {
                   return ResourceExhausted("the checkpoint has more than 4 GiB");
                 }
                 held.bytes.append(part);
                 return OkStatus();
               }));
  return held;
}

}  // namespace tutti::ctl
