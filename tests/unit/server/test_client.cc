#include "tests/unit/server/test_client.h"

#include "common/crypto/hash.h"
#include "common/platform/clock.h"
#include "common/secagg/encoding.h"
#include "common/wire/conversation.h"
#include "common/wire/secagg.h"
#include "common/wire/token.h"
#include "tests/catch.h"

namespace tutti::test {

std::shared_ptr<grpc::Channel> Connect(int port, const Credentials& credentials) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = credentials.ca_pem;
  options.pem_private_key = credentials.key_pem;
  options.pem_cert_chain = credentials.certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("localhost:" + std::to_string(port),
                                   grpc::SslCredentials(options), arguments);
}

std::unique_ptr<v1::Admin::Stub> LocalAdmin(const server::Daemon& daemon) {
  return v1::Admin::NewStub(
      grpc::CreateChannel("unix:" + daemon.admin_socket(), grpc::InsecureChannelCredentials()));
}

std::string NewToken(const server::Daemon& daemon, const std::string& name,
                     const std::string& role) {
  grpc::ClientContext context;
  v1::CreateTokenRequest request;
  request.set_name(name);
  request.set_role(role);
  v1::CreateTokenReply reply;
  const grpc::Status status = LocalAdmin(daemon)->CreateToken(&context, request, &reply);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return reply.token();
}

Enrolled Enrol(const server::Daemon& daemon, const std::string& token_text,
               const std::string& name) {
  const auto token = wire::DecodeToken(token_text);
  REQUIRE(token.ok());
  const std::string address = "localhost:" + std::to_string(daemon.enrolment_port());
  const auto ca = crypto::FetchPinnedCa(address, token->ca_sha256, 5000);
  INFO(TextOf(ca.status()));
  REQUIRE(ca.ok());
  crypto::SystemRng rng;
  const crypto::KeyPair pair = crypto::NewKeyPair(rng);
  v1::EnrolRequest request;
  request.set_token(ToString(token->secret));
  request.set_name(name);
  request.set_csr_pem(*crypto::NewRequestPem(pair, "csr"));  // the server takes the other name
  v1::EnrolReply reply;
  grpc::ClientContext context;
  const auto stub = v1::Enrolment::NewStub(
      Connect(daemon.enrolment_port(), {.ca_pem = *ca, .certificate_pem = {}, .key_pem = {}}));
  Enrolled enrolled{
      .status = stub->Enrol(&context, request, &reply), .credentials = {}, .key = pair.key};
  enrolled.credentials = {.ca_pem = *ca,
                          .certificate_pem = reply.certificate_pem(),
                          .key_pem = crypto::PrivateKeyPem(pair.key)};
  return enrolled;
}

TestClient::TestClient(const server::Daemon& daemon, std::string name, const std::string& role)
    : name_(std::move(name)),
      role_(role),
      enrolled_(Enrol(daemon, NewToken(daemon, "", role), name_)) {
  INFO(enrolled_.status.error_message());
  REQUIRE(enrolled_.status.ok());
  Reconnect(daemon);
}

void TestClient::Reconnect(const server::Daemon& daemon) {
  stub_ = v1::Coordinator::NewStub(Connect(daemon.port(), enrolled_.credentials));
}

void TestClient::AttachOnce() {
  grpc::ClientContext context;
  const auto notices = stub_->Attach(&context, Attachment());
  v1::Notice notice;
  REQUIRE(notices->Read(&notice));
  REQUIRE(notice.has_welcome());
  context.TryCancel();
  REQUIRE_FALSE(notices->Finish().ok());
}

// From here on clients run in threads of their own, where Catch2 cannot assert: TUTTI_CHECK ends
// the test.

void TestClient::FetchModel(const Digest& sha256, std::uint64_t bytes) {
  grpc::ClientContext context;
  v1::FetchModelRequest request;
  request.set_model_sha256(ToString(sha256));
  const auto reader = stub_->FetchModel(&context, request);
  model_.clear();
  v1::ModelChunk chunk;
  while (reader->Read(&chunk)) {
    TUTTI_CHECK(chunk.offset() == model_.size());
    model_ += chunk.data();
  }
  TUTTI_CHECK(reader->Finish().ok());
  TUTTI_CHECK(model_.size() == bytes);
  TUTTI_CHECK(crypto::Sha256(AsBytes(model_)) == sha256);
}

void TestClient::OnOffer(const v1::RoundOffer& offer) {
  const auto config = secagg::DecodeRoundConfig(AsBytes(offer.config()));
  TUTTI_CHECK(config.ok());
  session_hash_ = ToString(secagg::ConfigHash(*config));
  FetchModel(config->model_hash, offer.model_bytes());
  static const platform::RealClock clock;
  verifier_ = std::make_unique<crypto::CachingVerifier>(enrolled_.credentials.ca_pem, clock);
  const secagg::ClientIdentity identity{
      .signing_key = enrolled_.key,
      .certificate = *crypto::CertificateDer(enrolled_.credentials.certificate_pem)};
  auto session = secagg::ClientSession::Start(*config, identity, verifier_.get(), rng_);
  TUTTI_CHECK(session.ok());
  session_ = std::make_unique<secagg::ClientSession>(*std::move(session));
  v1::JoinRequest request;
  request.set_session(session_hash_);
  wire::ToProto(session_->JoinMessage(), request.mutable_join());
  v1::StepReply reply;
  grpc::ClientContext context;
  const grpc::Status status = stub_->Join(&context, request, &reply);
  TUTTI_CHECK(status.ok());
}

namespace {

// All of `vector` from `first` on, in pieces that are no chunks of the protocol.
void WriteFrom(grpc::ClientWriter<v1::UploadChunk>& writer, v1::UploadChunk chunk, BytesView vector,
               std::uint64_t first) {
  const std::size_t piece = vector.size() < 10'000 ? 64 : 100'000;
  for (std::size_t offset = first; offset < vector.size(); offset += piece) {
    const std::size_t count = std::min(piece, vector.size() - offset);
    chunk.set_offset(offset);
    chunk.set_data(vector.data() + offset, count);
    if (!writer.Write(chunk)) {
      break;
    }
    chunk.Clear();
  }
  writer.WritesDone();
}

}  // namespace

grpc::Status TestClient::SendUpload(BytesView vector, const secagg::MaskedHeader& header) {
  grpc::ClientContext context;
  v1::StepReply reply;
  const auto writer = stub_->Upload(&context, &reply);
  v1::UploadChunk chunk;
  chunk.set_session(session_hash_);
  wire::ToProto(header, chunk.mutable_header());
  WriteFrom(*writer, chunk, vector, 0);
  return writer->Finish();
}

grpc::Status TestClient::ResumeUpload(BytesView vector, const secagg::MaskedHeader& header) {
  grpc::ClientContext context;
  v1::StepReply reply;
  const auto writer = stub_->Upload(&context, &reply);
  v1::UploadChunk chunk;
  chunk.set_session(session_hash_);
  wire::ToProto(header, chunk.mutable_header());
  chunk.set_resume(true);
  writer->Write(chunk);
  writer->WaitForInitialMetadata();
  const auto& metadata = context.GetServerInitialMetadata();
  const auto asked = metadata.find("tutti-upload-offset");
  TUTTI_CHECK(asked != metadata.end());
  resumed_at_ = std::stoull(std::string(asked->second.data(), asked->second.size()));
  WriteFrom(*writer, {}, vector, resumed_at_);
  return writer->Finish();
}

void TestClient::OnBoxes(const v1::BoxesNotice& notice, float value, Manner manner) {
  TUTTI_CHECK(session_->OnBoxes(*wire::FromProto(notice.boxes())).ok());
  const secagg::RoundConfig& config = session_->config();
  const std::vector<float> update(config.values, value);
  auto encoded = secagg::EncodeUpdate(config, update, 1, {}, rng_);
  TUTTI_CHECK(encoded.ok());
  TUTTI_CHECK(session_->AddMasks(encoded->vector).ok());
  Bytes vector = secagg::ToWire(encoded->vector);
  if (manner == Manner::kPadded) {
    const secagg::RingLayout layout = config.layout();
    TUTTI_CHECK(layout.padding_bits() != 0);
    vector[layout.payload_wire_bytes() - 1] |= layout.padding_bits();
  }
  const auto header = session_->HeaderFor(vector);
  TUTTI_CHECK(header.ok());
  vector_bytes_ = vector.size();
  if (manner == Manner::kSpoiled) {
    vector[10] ^= 1;
  }
  if (manner != Manner::kBrokenOff) {
    return uploads_.push_back(SendUpload(vector, *header));
  }
  uploads_.push_back(SendUpload(BytesView(vector).first(vector.size() / 4 * 3), *header));
  uploads_.push_back(ResumeUpload(vector, *header));
}

namespace {

std::string LedgerHeadOf(std::uint64_t entries) {
  return entries == 0 ? std::string() : std::string(32, static_cast<char>(entries));
}

}  // namespace

v1::AttachRequest TestClient::Attachment() const {
  v1::AttachRequest attach;
  attach.set_protocol_version(1);
  attach.set_role(role_);
  attach.set_software("test");
  attach.set_ledger_entries(ledger_entries);
  attach.set_ledger_head(LedgerHeadOf(ledger_entries));
  return attach;
}

v1::RoundClosed TestClient::PlayRound(float value, Manner manner) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  const auto notices = stub_->Attach(&context, Attachment());
  v1::Notice notice;
  v1::StepReply reply;
  while (notices->Read(&notice)) {
    grpc::ClientContext call;
    if (notice.has_offer()) {
      OnOffer(notice.offer());
    } else if (notice.has_roster()) {
      const auto shares = session_->OnRoster(*wire::FromProto(notice.roster().roster()), rng_);
      TUTTI_CHECK(shares.ok());
      v1::ShareRequest request;
      request.set_session(session_hash_);
      wire::ToProto(*shares, request.mutable_shares());
      TUTTI_CHECK(stub_->Share(&call, request, &reply).ok());
    } else if (notice.has_boxes()) {
      OnBoxes(notice.boxes(), value, manner);
    } else if (notice.has_survivors()) {
      const auto commit = session_->OnSurvivors(*wire::FromProto(notice.survivors().survivors()));
      TUTTI_CHECK(commit.ok());
      v1::CommitRequest request;
      request.set_session(session_hash_);
      wire::ToProto(*commit, request.mutable_commit());
      TUTTI_CHECK(stub_->Commit(&call, request, &reply).ok());
    } else if (notice.has_certificate()) {
      const auto unmask =
          session_->OnCertificate(*wire::FromProto(notice.certificate().certificate()));
      TUTTI_CHECK(unmask.ok());
      v1::UnmaskRequest request;
      request.set_session(session_hash_);
      wire::ToProto(*unmask, request.mutable_unmask());
      request.set_epsilon_spent(value);
      request.set_epsilon_budget(4);
      request.set_delta(1e-5);
      request.set_ledger_head(LedgerHeadOf(++ledger_entries));
      request.set_ledger_entries(ledger_entries);
      const grpc::Status status = stub_->Unmask(&call, request, &reply);
      // The others' answers may have been enough already.
      TUTTI_CHECK(status.ok() || status.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
    } else if (notice.has_closed()) {
      context.TryCancel();
      return notice.closed();
    }
  }
  const grpc::Status status = notices->Finish();
  v1::RoundClosed ended;
  ended.set_reason("stream ended: " + status.error_message());
  return ended;
}

}  // namespace tutti::test
