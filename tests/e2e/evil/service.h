// The client-facing service of a coordinator that lies: it speaks the real protocol and leaves what
// to say to its caller, byte for byte. Every call of a client is kept in its order.
// Thread safety: safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/protocol/messages.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::evil {

// One call of a client.
struct Message {
  // attach, detach, fetch, join, share, upload, commit, unmask, decline or evaluation.
  std::string kind;
  std::optional<protocol::Request> request;      // of unary calls
  std::optional<protocol::UploadHeader> header;  // of an upload
};

class Service final : public v1::Coordinator::Service {
 public:
  // What FetchModel sends, whatever hash it is asked for.
  void SetModel(Bytes model);
  // The next `count` attaches are refused, with this many milliseconds to wait as the text says.
  void RefuseAttaches(int count, std::string milliseconds);
  // Until the client holds a stream; false when it does not within `seconds`.
  bool AwaitStream(const std::string& client, double seconds);
  // Nothing happens when the client has no stream.
  void Send(const std::string& client, v1::Notice notice);
  // nullopt when the client says nothing within `seconds`.
  std::optional<Message> Next(const std::string& client, double seconds);
  void Stop();  // ends the streams

  grpc::Status Attach(grpc::ServerContext* context, const v1::AttachRequest* request,
                      grpc::ServerWriter<v1::Notice>* stream) override;
  grpc::Status FetchModel(grpc::ServerContext* context, const v1::FetchModelRequest* request,
                          grpc::ServerWriter<v1::ModelChunk>* stream) override;
  grpc::Status Join(grpc::ServerContext* context, const v1::JoinRequest* request,
                    v1::StepReply* reply) override;
  grpc::Status Share(grpc::ServerContext* context, const v1::ShareRequest* request,
                     v1::StepReply* reply) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadChunk>* stream,
                      v1::StepReply* reply) override;
  grpc::Status Commit(grpc::ServerContext* context, const v1::CommitRequest* request,
                      v1::StepReply* reply) override;
  grpc::Status Unmask(grpc::ServerContext* context, const v1::UnmaskRequest* request,
                      v1::StepReply* reply) override;
  grpc::Status Decline(grpc::ServerContext* context, const v1::DeclineRequest* request,
                       v1::StepReply* reply) override;
  grpc::Status ReportEvaluation(grpc::ServerContext* context, const v1::EvaluationRequest* request,
                                v1::StepReply* reply) override;

 private:
  struct Line {
    std::deque<Message> heard;
    std::deque<v1::Notice> unsent;
    int stream = 0;         // number of the newest stream
    bool attached = false;  // it is open
  };
  template <typename Proto>
  grpc::Status Hear(const grpc::ServerContext& context, std::string_view kind,
                    const Proto& request);
  void Keep(const grpc::ServerContext& context, Message message);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;              // guarded by mutex_
  std::map<std::string, Line> lines_;  // guarded by mutex_; by the client's name
  Bytes model_;                        // guarded by mutex_
  int refusals_ = 0;                   // guarded by mutex_
  std::string refusal_milliseconds_;   // guarded by mutex_
};

}  // namespace tutti::evil
