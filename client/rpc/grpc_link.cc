#include "client/rpc/grpc_link.h"

#include <chrono>
#include <utility>

#include "client/rpc/link_state.h"
#include "common/base/text.h"
#include "common/log/log.h"
#include "common/wire/conversation.h"
#include "common/wire/notice_memory.h"

namespace tutti::client_rpc {
namespace {

// A stream that lived this long was a good one: the next failure starts with a short pause again.
constexpr std::chrono::seconds kGoodStream{2};
constexpr std::chrono::minutes kTellAgain{10};
constexpr std::chrono::milliseconds kWatchSlice{
    500};  // between two looks at whether the link stops

// Only an operator can end these: a revoked certificate, another protocol version.
bool NeedsOperator(StatusCode code) {
  return code == StatusCode::kUnauthenticated || code == StatusCode::kPermissionDenied ||
         code == StatusCode::kFailedPrecondition || code == StatusCode::kUnimplemented;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const LinkSettings& settings) {
  if (!settings.insecure_name.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = settings.ca_pem;
  tls.pem_private_key = settings.key_pem;
  tls.pem_cert_chain = settings.certificate_pem;
  return grpc::SslCredentials(tls);
}

}  // namespace

GrpcLink::State::State(LinkSettings given)
    : settings(std::move(given)),
      channel(grpc::CreateCustomChannel(settings.address, Credentials(settings),
                                        ChannelOptions(settings.address))),
      stub(v1::Coordinator::NewStub(channel)) {}

void GrpcLink::State::Prepare(grpc::ClientContext& context) const {
  if (!settings.insecure_name.empty()) context.AddMetadata("tutti-client", settings.insecure_name);
}

bool GrpcLink::State::Stopping() {
  const std::lock_guard lock(mutex);
  return stopping;
}

v1::AttachRequest GrpcLink::State::NewAttachRequest() {
  v1::AttachRequest request;
  const std::lock_guard lock(mutex);
  wire::ToProto(budget, &request);
  request.set_protocol_version(protocol::kVersion);
  request.set_role(settings.role);
  request.set_software(settings.software);
  return request;
}

// One line when the coordinator goes away, then one in ten minutes: a device may wait for days.
void GrpcLink::State::ReportAway(const Status& why) {
  const auto now = std::chrono::steady_clock::now();
  if (away_told && now - *away_told < kTellAgain) {
    log::Debug("still_waiting", {{"server", settings.address}, {"reason", why}});
    return;
  }
  away_told = now;
  if (NeedsOperator(why.code())) {
    log::Error("coordinator_refuses", {{"server", settings.address}, {"reason", why}});
  } else {
    log::Info("waiting_for_coordinator", {{"server", settings.address}, {"reason", why}});
  }
}

Try GrpcLink::State::HoldStream(const NoticeSink& sink) {
  grpc::ClientContext context;
  Prepare(context);
  const CancelOnStop cancel(context, {}, all);
  const auto stream = stub->Attach(&context, NewAttachRequest());
  wire::NoticeMemory memory;
  v1::Notice message;
  while (stream->Read(&message)) {
    bytes_received += message.ByteSizeLong();
    memory.Complete(message);
    StatusOr<protocol::Notice> notice = wire::FromProto(message);
    if (!notice.ok()) {
      context.TryCancel();
      stream->Finish();
      return {InvalidArgument("the coordinator sent a notice that breaks the protocol: " +
                              TextOf(notice.status())),
              std::nullopt};
    }
    if (std::holds_alternative<protocol::Welcome>(*notice)) {
      away_told.reset();
      {
        const std::lock_guard lock(mutex);
        attached = true;
        ++attaches;
      }
      changed.notify_all();
      log::Info("attached", {{"server", settings.address},
                             {"version", std::get<protocol::Welcome>(*notice).server_version}});
    }
    sink(*std::move(notice));
  }
  Try ended = EndOf(stream->Finish(), context);
  if (ended.status.ok()) ended.status = Unavailable("the coordinator closed the notice stream");
  return ended;
}

void GrpcLink::State::WaitForConnection() {
  while (!Stopping()) {
    const grpc_connectivity_state state = channel->GetState(true);
    if (state == GRPC_CHANNEL_READY) return;
    channel->WaitForStateChange(state, std::chrono::system_clock::now() + kWatchSlice);
  }
}

void GrpcLink::State::RunStream(const NoticeSink& sink) {
  Backoff backoff(rng);
  while (!Stopping()) {
    const auto begun = std::chrono::steady_clock::now();
    const auto [ended, asked] = HoldStream(sink);
    {
      const std::lock_guard lock(mutex);
      attached = false;
      if (stopping) return;
    }
    ReportAway(ended);
    if (std::chrono::steady_clock::now() - begun > kGoodStream) backoff.Reset();
    if (NeedsOperator(ended.code()) || ended.code() == StatusCode::kInvalidArgument) backoff.Slow();
    WaitForConnection();
    std::unique_lock lock(mutex);
    changed.wait_for(lock, backoff.Next(asked), [this] { return stopping; });
  }
}

bool GrpcLink::State::Pause(Milliseconds pause, std::uint64_t attaches_seen,
                            const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, pause, [&] { return stopping || attaches != attaches_seen; });
  return attaches != attaches_seen;
}

std::uint64_t GrpcLink::State::AttachesSeen() {
  const std::lock_guard lock(mutex);
  return attaches;
}

template <typename Attempt>
Status GrpcLink::State::Retry(const std::stop_token& stop, const Attempt& attempt) {
  Backoff backoff(rng);
  while (true) {
    if (stop.stop_requested() || Stopping()) return Aborted("the request was stopped");
    const std::uint64_t seen = AttachesSeen();
    const auto [status, asked] = attempt();
    if (status.ok() || !MayWorkLater(status.code())) return status;
    log::Debug("request_retried", {{"reason", status}});
    if (Pause(backoff.Next(asked), seen, stop)) backoff.Reset();
  }
}

GrpcLink::GrpcLink(LinkSettings settings) : state_(std::make_unique<State>(std::move(settings))) {}
GrpcLink::~GrpcLink() { Stop(); }

void GrpcLink::Start(NoticeSink sink) {
  state_->stream_thread =
      std::thread([state = state_.get(), sink = std::move(sink)] { state->RunStream(sink); });
}

void GrpcLink::Stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->all.request_stop();
  if (state_->stream_thread.joinable()) state_->stream_thread.join();
}

void GrpcLink::SetBudget(const protocol::BudgetReport& budget) {
  const std::lock_guard lock(state_->mutex);
  state_->budget = budget;
}

LinkCounts GrpcLink::counts() const {
  const std::lock_guard lock(state_->mutex);
  return {.attached = state_->attached,
          .attaches = state_->attaches,
          .bytes_sent = state_->bytes_sent,
          .bytes_received = state_->bytes_received};
}

Status GrpcLink::Send(const protocol::Request& request, std::stop_token stop) {
  return state_->Retry(stop, [&] { return state_->SendOnce(request, stop); });
}

StatusOr<Bytes> GrpcLink::FetchModel(const Digest& sha256, std::uint64_t bytes,
                                     std::stop_token stop) {
  State::Download download;
  TUTTI_TRY(state_->Retry(stop, [&] { return state_->FetchOnce(sha256, bytes, download, stop); }));
  return std::move(download.bytes);
}

Status GrpcLink::Upload(const protocol::UploadHeader& header, SharedBytes vector,
                        std::stop_token stop) {
  bool resume = false;
  return state_->Retry(
      stop, [&] { return state_->UploadOnce(header, vector, std::exchange(resume, true), stop); });
}

}  // namespace tutti::client_rpc
