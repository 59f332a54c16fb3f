#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "client/rpc/grpc_link.h"
#include "common/crypto/hash.h"
#include "common/secagg/chunks.h"
#include "common/wire/conversation.h"
#include "tests/catch.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::client_rpc {
namespace {

// A coordinator that fails as told before it works.
class FlakyService final : public v1::Coordinator::Service {
 public:
  grpc::Status Attach(grpc::ServerContext* context, const v1::AttachRequest* request,
                      grpc::ServerWriter<v1::Notice>* writer) override {
    std::unique_lock lock(mutex_);
    ++attaches;
    name = std::string(context->client_metadata().find("tutti-client")->second.data(),
                       context->client_metadata().find("tutti-client")->second.size());
    role = request->role();
    epsilon = request->epsilon_spent();
    if (attaches <= refuse_attaches) return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    v1::Notice notice;
    notice.mutable_welcome()->set_server_version("1");
    notice.mutable_welcome()->set_client_name(name);
    writer->Write(notice);
    changed_.notify_all();
    while (!context->IsCancelled() && !closing_)
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    return grpc::Status::OK;
  }
  grpc::Status Commit(grpc::ServerContext* context, const v1::CommitRequest*,
                      v1::StepReply*) override {
    const std::lock_guard lock(mutex_);
    if (++commits <= fail_commits) {
      context->AddTrailingMetadata("tutti-retry-ms", "1");
      return {commit_error, "said the test"};
    }
    return grpc::Status::OK;
  }
  grpc::Status FetchModel(grpc::ServerContext*, const v1::FetchModelRequest* request,
                          grpc::ServerWriter<v1::ModelChunk>* writer) override {
    const std::lock_guard lock(mutex_);
    offsets.push_back(request->offset());
    v1::ModelChunk chunk;
    for (std::size_t at = request->offset(); at < model.size(); at += 1000) {
      chunk.set_offset(at);
      chunk.set_data(model.substr(at, 1000));
      writer->Write(chunk);
      // The first time it breaks off in the middle.
      if (offsets.size() == 1 && break_fetch && at >= model.size() / 2)
        return {grpc::StatusCode::UNAVAILABLE, "broken"};
    }
    return grpc::Status::OK;
  }
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadChunk>* reader,
                      v1::StepReply*) override {
    v1::UploadChunk chunk;
    std::string got;
    bool first = true;
    while (reader->Read(&chunk)) {
      const std::lock_guard lock(mutex_);
      if (first) {
        resumes.push_back(chunk.resume());
        if (chunk.resume() && keep_upload) {
          got = uploaded;
          const std::string at = offset_asked.empty() ? std::to_string(got.size()) : offset_asked;
          context->AddInitialMetadata("tutti-upload-offset", at);
        }
        reader->SendInitialMetadata();
        chunk.set_offset(got.size());  // the header alone is at no byte
      }
      if (chunk.has_header() != first || chunk.offset() != got.size() ||
          chunk.data().size() > (1 << 20)) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "chunks out of order"};
      }
      first = false;
      got += chunk.data();
      ++chunks;
      if (chunks == break_upload_at) {
        uploaded = got;
        return {grpc::StatusCode::UNAVAILABLE, "broken"};
      }
    }
    const std::lock_guard lock(mutex_);
    uploaded = got;
    return grpc::Status::OK;
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  template <typename Condition>
  bool WaitFor(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), condition);
  }

  int attaches = 0, refuse_attaches = 0, commits = 0, fail_commits = 0, chunks = 0,
      break_upload_at = 0;
  grpc::StatusCode commit_error = grpc::StatusCode::UNAVAILABLE;
  bool break_fetch = false;
  double epsilon = 0;
  bool keep_upload = false;
  std::string name, role, model, uploaded, offset_asked;
  std::vector<bool> resumes;
  std::vector<std::uint64_t> offsets;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
};

struct Served {
  FlakyService service;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
  void Start(int wanted_port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(wanted_port),
                             grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    REQUIRE(server != nullptr);
  }
  ~Served() {
    service.Close();
    if (server) server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
  LinkSettings Settings() const {
    return {.address = "127.0.0.1:" + std::to_string(port),
            .ca_pem = "",
            .certificate_pem = "",
            .key_pem = "",
            .insecure_name = "device-1",
            .role = "trainer",
            .software = "test"};
  }
};

std::string Pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 255);
  return text;
}

}  // namespace

TEST_CASE("a refused attach is tried again until the coordinator takes it", "[rpc]") {
  Served served;
  served.service.refuse_attaches = 2;
  served.Start();
  GrpcLink link(served.Settings());
  link.SetBudget({.epsilon_spent = 1.25, .epsilon_budget = 8, .delta = 1e-5, .ledger = {}});
  std::atomic<int> welcomes{0};
  link.Start([&](protocol::Notice notice) {
    welcomes += std::holds_alternative<protocol::Welcome>(notice) ? 1 : 0;
  });
  REQUIRE(served.service.WaitFor([&] { return served.service.attaches == 3; }));
  while (!link.counts().attached) std::this_thread::yield();
  link.Stop();
  REQUIRE(welcomes == 1);
  REQUIRE(served.service.name == "device-1");
  REQUIRE(served.service.role == "trainer");
  REQUIRE(served.service.epsilon == 1.25);
}

TEST_CASE("a link whose coordinator goes away finds it again when it is back", "[rpc]") {
  Served first;
  first.Start();
  const LinkSettings settings = first.Settings();
  GrpcLink link(settings);
  link.Start([](const protocol::Notice&) {});
  while (!link.counts().attached) std::this_thread::yield();
  first.service.Close();
  first.server->Shutdown(std::chrono::system_clock::now());
  first.server.reset();
  while (link.counts().attached) std::this_thread::yield();
  // A call made while it is away is delivered when it is back.
  std::thread caller([&] { static_cast<void>(link.Send(protocol::CommitRequest{}, {})); });
  Served second;
  second.Start(first.port);
  REQUIRE(second.service.WaitFor([&] { return second.service.attaches == 1; }));
  caller.join();
  REQUIRE(second.service.commits == 1);
  link.Stop();
}

TEST_CASE("a call is tried again while the coordinator is busy and not after its final word",
          "[rpc]") {
  Served served;
  served.service.fail_commits = 2;
  served.Start();
  GrpcLink link(served.Settings());
  REQUIRE(link.Send(protocol::CommitRequest{}, {}).ok());
  REQUIRE(served.service.commits == 3);
  served.service.fail_commits = 100;
  served.service.commit_error = grpc::StatusCode::ALREADY_EXISTS;
  const Status final = link.Send(protocol::CommitRequest{}, {});
  REQUIRE(final.code() == StatusCode::kAlreadyExists);
  REQUIRE(TextOf(final) == "said the test");
  REQUIRE(served.service.commits == 4);
}

TEST_CASE("a call that waits for a missing coordinator ends with its session or the link",
          "[rpc]") {
  Served served;
  served.Start();
  const LinkSettings settings = served.Settings();
  served.server->Shutdown();
  served.server.reset();
  GrpcLink link(settings);
  std::stop_source session;
  std::thread stopper([&] { session.request_stop(); });
  REQUIRE(link.Send(protocol::CommitRequest{}, session.get_token()).code() == StatusCode::kAborted);
  stopper.join();
  std::thread other([&] { link.Stop(); });
  REQUIRE(link.FetchModel({}, 10, {}).status().code() == StatusCode::kAborted);
  other.join();
}

TEST_CASE("a model fetch that breaks off goes on where it was", "[rpc]") {
  Served served;
  served.service.model = Pattern(20'500);
  served.service.break_fetch = true;
  served.Start();
  GrpcLink link(served.Settings());
  const Digest hash = crypto::Sha256(AsBytes(served.service.model));
  const auto model = link.FetchModel(hash, served.service.model.size(), {});
  REQUIRE(model.ok());
  REQUIRE(AsText(*model) == served.service.model);
  REQUIRE(served.service.offsets == std::vector<std::uint64_t>{0, 12'000});
}

TEST_CASE("a model of another length or hash is refused", "[rpc]") {
  Served served;
  served.service.model = Pattern(5000);
  served.Start();
  GrpcLink link(served.Settings());
  const Digest hash = crypto::Sha256(AsBytes(served.service.model));
  const Status longer = link.FetchModel(hash, 4999, {}).status();
  REQUIRE(longer.code() == StatusCode::kDataLoss);
  REQUIRE(TextOf(longer).find("more than the 4999 bytes") != std::string::npos);  // and is not kept
  REQUIRE(link.FetchModel(hash, 5001, {}).status().code() == StatusCode::kDataLoss);
  REQUIRE(link.FetchModel({}, 5000, {}).status().code() == StatusCode::kDataLoss);
  REQUIRE(link.FetchModel(hash, 5000, {}).ok());
}

namespace {

struct Sent {
  Bytes vector = Bytes(1'600'000);  // seven chunks
  protocol::UploadHeader header;
  Sent() {
    for (std::size_t i = 0; i < vector.size(); ++i)
      vector[i] = static_cast<std::uint8_t>(i * 157 >> 3);
    header.header = secagg::UnsignedHeader(vector);
  }
  Status By(GrpcLink& link) const {
    return link.Upload(header, std::make_shared<const Bytes>(vector), {});
  }
  bool Arrived(const Served& served) const {
    return served.service.uploaded.size() == vector.size() &&
           std::memcmp(served.service.uploaded.data(), vector.data(), vector.size()) == 0;
  }
};

}  // namespace

TEST_CASE("an upload goes in chunks with one header and on from the last one kept", "[rpc]") {
  Served served;
  served.service.break_upload_at = 4;
  served.service.keep_upload = true;
  served.Start();
  GrpcLink link(served.Settings());
  const Sent sent;
  REQUIRE(sent.By(link).ok());
  REQUIRE(sent.Arrived(served));
  REQUIRE(served.service.resumes == std::vector<bool>{false, true});
  // The header and three chunks before the break; then the header and the other four.
  REQUIRE(served.service.chunks == 1 + 3 + 1 + 4);
}

TEST_CASE("an upload starts over when the coordinator kept nothing of it", "[rpc]") {
  Served served;
  served.service.break_upload_at = 2;
  served.Start();
  GrpcLink link(served.Settings());
  const Sent sent;
  REQUIRE(sent.By(link).ok());
  REQUIRE(sent.Arrived(served));
  // Two messages before the break; then the header alone and seven chunks.
  REQUIRE(served.service.chunks == 2 + 1 + 7);
  REQUIRE(link.counts().bytes_sent >= sent.vector.size());
}

TEST_CASE("an upload does not go on at a byte that is no chunk's first", "[rpc]") {
  for (const char* offset : {"1", "-1", "262145", "1835008", "18446744073709289472", "1600000", "",
                             " 0", "0x0", "99999999999999999999"}) {
    INFO('"' << offset << '"');
    Served served;
    served.service.break_upload_at = 3;
    served.service.keep_upload = true;
    served.service.offset_asked = *offset == 0 ? " " : offset;
    served.Start();
    GrpcLink link(served.Settings());
    const Status status = Sent().By(link);
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(status).find("the coordinator asks to go on at byte") != std::string::npos);
  }
}

}  // namespace tutti::client_rpc
