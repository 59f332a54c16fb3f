#include "tests/e2e/hand_client.h"

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <stdexcept>

#include "common/secagg/encoding.h"
#include "common/wire/conversation.h"
#include "common/wire/notice_memory.h"

namespace tutti::e2e {
namespace {

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

struct Caller {
  v1::Coordinator::Stub& stub;
  grpc::ClientContext& context;

  template <typename Message, typename Request>
  grpc::Status Call(grpc::Status (v1::Coordinator::Stub::*method)(grpc::ClientContext*,
                                                                  const Message&, v1::StepReply*),
                    const Request& request) const {
    Message message;
    wire::ToProto(request, &message);
    v1::StepReply reply;
    return (stub.*method)(&context, message, &reply);
  }
  grpc::Status operator()(const protocol::JoinRequest& request) const {
    return Call<v1::JoinRequest>(&v1::Coordinator::Stub::Join, request);
  }
  grpc::Status operator()(const protocol::ShareRequest& request) const {
    return Call<v1::ShareRequest>(&v1::Coordinator::Stub::Share, request);
  }
  grpc::Status operator()(const protocol::CommitRequest& request) const {
    return Call<v1::CommitRequest>(&v1::Coordinator::Stub::Commit, request);
  }
  grpc::Status operator()(const protocol::UnmaskRequest& request) const {
    return Call<v1::UnmaskRequest>(&v1::Coordinator::Stub::Unmask, request);
  }
  grpc::Status operator()(const protocol::DeclineRequest& request) const {
    return Call<v1::DeclineRequest>(&v1::Coordinator::Stub::Decline, request);
  }
  grpc::Status operator()(const protocol::EvaluationReport& request) const {
    return Call<v1::EvaluationRequest>(&v1::Coordinator::Stub::ReportEvaluation, request);
  }
};

}  // namespace

HandClient::HandClient(const World& world, const std::string& name) {
  const std::string pki = world.ClientState(name) + "/pki/";
  const grpc::SslCredentialsOptions options{.pem_root_certs = ReadText(pki + "ca.pem"),
                                            .pem_private_key = ReadText(pki + "client.key"),
                                            .pem_cert_chain = ReadText(pki + "client.pem")};
  channel_ = grpc::CreateChannel(world.address(), grpc::SslCredentials(options));
  stub_ = v1::Coordinator::NewStub(channel_);
  verifier_ = std::make_unique<crypto::CachingVerifier>(options.pem_root_certs, clock_);
  session_ = std::make_unique<session::Session>(
      secagg::ClientIdentity{*crypto::PrivateKeyFromPem(options.pem_private_key),
                             *crypto::CertificateDer(options.pem_cert_chain)},
      *verifier_, rng_, std::vector<session::LastAnswered>());
}

HandClient::~HandClient() {
  if (attach_context_) attach_context_->TryCancel();
  if (reader_.joinable()) reader_.join();
}

void HandClient::Attach() {
  attach_context_ = std::make_unique<grpc::ClientContext>();
  v1::AttachRequest request;
  request.set_protocol_version(1);
  request.set_role("trainer");
  request.set_software("by hand");
  std::shared_ptr<grpc::ClientReader<v1::Notice>> stream =
      stub_->Attach(attach_context_.get(), request);
  reader_ = std::thread([this, stream] {
    wire::NoticeMemory memory;
    v1::Notice message;
    while (stream->Read(&message)) {
      memory.Complete(message);
      auto notice = wire::FromProto(message);
      if (!notice.ok()) continue;
      const std::lock_guard lock(mutex_);
      notices_.push_back(*std::move(notice));
      changed_.notify_all();
    }
    stream->Finish();
  });
}

std::optional<protocol::Notice> HandClient::Next(double seconds) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                         [this] { return !notices_.empty(); })) {
    return std::nullopt;
  }
  protocol::Notice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

std::optional<protocol::Closed> HandClient::Play(const Hooks& hooks) {
  for (;;) {
    const std::optional<protocol::Notice> notice = Next(kPatience);
    if (!notice) throw std::runtime_error("the coordinator says nothing to the client by hand");
    events_.emplace_back(session::NoticeArrived{*notice});
    while (!events_.empty()) {
      const session::Event event = std::move(events_.front());
      events_.pop_front();
      for (const session::Effect& effect : session_->Advance(event)) Carry(effect, hooks);
    }
    if (const auto* closed = std::get_if<protocol::Closed>(&*notice)) return *closed;
    if (out_) return std::nullopt;
  }
}

void HandClient::Carry(const session::Effect& effect, const Hooks& hooks) {
  if (const auto* decide = std::get_if<session::Decide>(&effect)) {
    events_.emplace_back(session::Allowed{decide->offer.session});
  } else if (const auto* train = std::get_if<session::Train>(&effect)) {
    Train(*train);
  } else if (const auto* charge = std::get_if<session::Charge>(&effect)) {
    events_.emplace_back(session::Charged{charge->session});
  } else if (const auto* upload = std::get_if<session::Upload>(&effect)) {
    const auto prepared = session_->PrepareUpload(encoded_.value());
    if (!prepared.ok()) throw std::runtime_error("no upload: " + TextOf(prepared.status()));
    hooks.upload(prepared->header, *prepared->vector);
    events_.emplace_back(session::Uploaded{upload->session});
  } else if (const auto* send = std::get_if<session::Send>(&effect)) {
    out_ = !hooks.request(send->request);
  }
}

// An update of zeros: what it adds to the model is known.
void HandClient::Train(const session::Train& effect) {
  const std::vector<float> update(effect.config.values, 0.0F);
  auto encoded = secagg::EncodeUpdate(effect.config, update, 1, {}, rng_);
  if (!encoded.ok()) throw std::runtime_error("no update: " + TextOf(encoded.status()));
  encoded_ = std::move(encoded->vector);
  events_.emplace_back(session::Trained{effect.offer.session});
}

grpc::Status HandClient::Send(const protocol::Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  return std::visit(Caller{*stub_, context}, request);
}

grpc::Status HandClient::Upload(const protocol::UploadHeader& header, const Bytes& vector,
                                std::size_t chunk_bytes) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::StepReply reply;
  const auto stream = stub_->Upload(&context, &reply);
  const std::string bytes(AsText(vector));
  v1::UploadChunk chunk;
  wire::ToProto(header, &chunk);
  for (std::size_t offset = 0; offset < bytes.size(); offset += chunk_bytes) {
    chunk.set_offset(offset);
    chunk.set_data(bytes.substr(offset, chunk_bytes));
    if (!stream->Write(chunk)) break;
    chunk.clear_session();
    chunk.clear_header();
  }
  stream->WritesDone();
  return stream->Finish();
}

grpc::Status HandClient::SendRaw(const std::string& method, const std::string& bytes) {
  grpc::GenericStub generic(channel_);
  grpc::ClientContext context;
  SetDeadline(context);
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<grpc::Status> answer;  // guarded by mutex
  generic.UnaryCall(&context, "/tutti.v1.Coordinator/" + method, {}, &request, &response,
                    [&](grpc::Status status) {
                      const std::lock_guard lock(mutex);
                      answer = std::move(status);
                      changed.notify_all();
                    });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });
  return *answer;
}

}  // namespace tutti::e2e
