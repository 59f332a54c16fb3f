#include "tests/e2e/evil/service.h"

#include <algorithm>
#include <chrono>

#include "common/wire/conversation.h"

namespace tutti::evil {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::chrono::milliseconds kLookForCancel{50};

std::string NameOf(const grpc::ServerContext& context) {
  const auto names = context.auth_context()->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  return names.empty() ? std::string() : std::string(names[0].data(), names[0].size());
}

}  // namespace

void Service::SetModel(Bytes model) {
  const std::lock_guard lock(mutex_);
  model_ = std::move(model);
}

void Service::RefuseAttaches(int count, std::string milliseconds) {
  const std::lock_guard lock(mutex_);
  refusals_ = count;
  refusal_milliseconds_ = std::move(milliseconds);
}

bool Service::AwaitStream(const std::string& client, double seconds) {
  std::unique_lock lock(mutex_);
  const Line& line = lines_[client];
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                           [&line] { return line.attached; });
}

void Service::Send(const std::string& client, v1::Notice notice) {
  const std::lock_guard lock(mutex_);
  lines_[client].unsent.push_back(std::move(notice));
  changed_.notify_all();
}

std::optional<Message> Service::Next(const std::string& client, double seconds) {
  std::unique_lock lock(mutex_);
  Line& line = lines_[client];
  if (!changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                         [&line] { return !line.heard.empty(); })) {
    return std::nullopt;
  }
  Message message = std::move(line.heard.front());
  line.heard.pop_front();
  return message;
}

void Service::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void Service::Keep(const grpc::ServerContext& context, Message message) {
  const std::lock_guard lock(mutex_);
  lines_[NameOf(context)].heard.push_back(std::move(message));
  changed_.notify_all();
}

grpc::Status Service::Attach(grpc::ServerContext* context, const v1::AttachRequest* /*request*/,
                             grpc::ServerWriter<v1::Notice>* stream) {
  const std::string client = NameOf(*context);
  std::unique_lock lock(mutex_);
  if (refusals_ > 0) {
    --refusals_;
    context->AddTrailingMetadata("tutti-retry-ms", refusal_milliseconds_);
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "come back later"};
  }
  Line& line = lines_[client];
  const int own = ++line.stream;
  const Message detach{.kind = "detach", .request = {}, .header = {}};
  if (line.attached) line.heard.push_back(detach);  // before its handler sees that it is over
  line.attached = true;
  line.unsent.clear();
  v1::Notice welcome;
  welcome.mutable_welcome()->set_server_version("of its own");
  welcome.mutable_welcome()->set_client_name(client);
  line.unsent.push_back(welcome);
  line.heard.push_back({.kind = "attach", .request = {}, .header = {}});
  changed_.notify_all();
  while (!stopping_ && line.stream == own && !context->IsCancelled()) {
    if (line.unsent.empty()) {
      changed_.wait_for(lock, kLookForCancel);
      continue;
    }
    const v1::Notice notice = std::move(line.unsent.front());
    line.unsent.pop_front();
    lock.unlock();
    stream->Write(notice);
    lock.lock();
  }
  if (line.stream == own) {
    line.attached = false;
    line.heard.push_back(detach);
  }
  changed_.notify_all();
  return grpc::Status::OK;
}

grpc::Status Service::FetchModel(grpc::ServerContext* context, const v1::FetchModelRequest* request,
                                 grpc::ServerWriter<v1::ModelChunk>* stream) {
  Bytes model;
  {
    const std::lock_guard lock(mutex_);
    model = model_;
  }
  Keep(*context, {.kind = "fetch", .request = {}, .header = {}});
  v1::ModelChunk chunk;
  for (std::size_t at = request->offset(); at < model.size(); at += kChunk) {
    chunk.set_offset(at);
    chunk.set_data(model.data() + at, std::min(kChunk, model.size() - at));
    if (!stream->Write(chunk)) break;
  }
  return grpc::Status::OK;
}

template <typename Proto>
grpc::Status Service::Hear(const grpc::ServerContext& context, std::string_view kind,
                           const Proto& request) {
  auto value = wire::FromProto(request);
  if (!value.ok()) return {grpc::StatusCode::INVALID_ARGUMENT, TextOf(value.status())};
  Keep(context,
       {.kind = std::string(kind), .request = protocol::Request(*std::move(value)), .header = {}});
  return grpc::Status::OK;
}

grpc::Status Service::Join(grpc::ServerContext* context, const v1::JoinRequest* request,
                           v1::StepReply* /*reply*/) {
  return Hear(*context, "join", *request);
}
grpc::Status Service::Share(grpc::ServerContext* context, const v1::ShareRequest* request,
                            v1::StepReply* /*reply*/) {
  return Hear(*context, "share", *request);
}
grpc::Status Service::Commit(grpc::ServerContext* context, const v1::CommitRequest* request,
                             v1::StepReply* /*reply*/) {
  return Hear(*context, "commit", *request);
}
grpc::Status Service::Unmask(grpc::ServerContext* context, const v1::UnmaskRequest* request,
                             v1::StepReply* /*reply*/) {
  return Hear(*context, "unmask", *request);
}
grpc::Status Service::Decline(grpc::ServerContext* context, const v1::DeclineRequest* request,
                              v1::StepReply* /*reply*/) {
  return Hear(*context, "decline", *request);
}
grpc::Status Service::ReportEvaluation(grpc::ServerContext* context,
                                       const v1::EvaluationRequest* request,
                                       v1::StepReply* /*reply*/) {
  return Hear(*context, "evaluation", *request);
}

grpc::Status Service::Upload(grpc::ServerContext* context,
                             grpc::ServerReader<v1::UploadChunk>* stream,
                             v1::StepReply* /*reply*/) {
  v1::UploadChunk chunk;
  if (!stream->Read(&chunk)) return {grpc::StatusCode::INVALID_ARGUMENT, "no header"};
  const auto header = wire::HeaderFromProto(chunk);
  if (!header.ok()) return {grpc::StatusCode::INVALID_ARGUMENT, TextOf(header.status())};
  // Kept at the first byte: a vector that leaves in part has left.
  Keep(*context, {.kind = "upload", .request = {}, .header = *header});
  while (stream->Read(&chunk)) {
  }
  return grpc::Status::OK;
}

}  // namespace tutti::evil
