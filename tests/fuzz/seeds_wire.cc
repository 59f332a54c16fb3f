#include <cstdint>
#include <vector>

#include "common/secagg/config.h"
#include "common/wire/conversation.h"
#include "common/wire/token.h"
#include "tests/fuzz/seeds.h"
#include "tutti/v1/task.pb.h"

namespace tutti::fuzz {
namespace {

template <std::size_t N>
ByteArray<N> Filled(std::uint8_t value) {
  ByteArray<N> bytes;
  bytes.fill(value);
  return bytes;
}

const Digest kSession = Filled<32>(9);

secagg::Join AJoin() {
  return {.box_key = Filled<32>(1),
          .mask_key = Filled<32>(2),
          .seed_commitment = Filled<32>(3),
          .nonce = Filled<16>(4),
          .certificate = Bytes(20, 5),
          .signature = Filled<64>(6)};
}

secagg::ShareBox ABox(secagg::Index peer) {
  return {.peer = peer, .ciphertext = Filled<80>(7), .share_hash = Filled<16>(8)};
}

secagg::RoundConfig ARound(secagg::ThreatLevel level) {
  return {.level = level,
          .job = "digits",
          .round = 3,
          .attempt = 1,
          .model_hash = Filled<32>(1),
          .task_hash = Filled<32>(2),
          .values = 1000,
          .max_cohort = 12,
          .server_nonce = Filled<32>(3)};
}

v1::TaskSpec ATask() {
  v1::TaskSpec task;
  task.set_job("digits");
  task.set_rounds(30);
  task.set_values(7850);
  task.mutable_model()->set_architecture("logistic");
  task.mutable_model()->add_input_shape(28);
  task.mutable_model()->add_input_shape(28);
  task.mutable_model()->set_classes(10);
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_optimiser("sgd");
  training.set_learning_rate(0.5);
  training.set_batch_size(250);
  training.set_local_steps(20);
  training.set_loss("cross_entropy");
  v1::PrivacySpec& privacy = *task.mutable_privacy();
  privacy.set_unit("example");
  privacy.set_clip_norm(1);
  privacy.set_noise_multiplier(1.1);
  privacy.set_delta(1e-5);
  v1::SecureAggregationSpec& secagg = *task.mutable_secure_aggregation();
  secagg.set_level("malicious");
  secagg.set_value_bits(20);
  secagg.set_value_clip(1);
  secagg.set_corrupt_fraction(0.1);
  secagg.set_dropout_fraction(0.1);
  secagg.set_privacy_bits(40);
  secagg.set_liveness_bits(20);
  secagg.set_weighting("uniform");
  return task;
}

void AddLayer(v1::ModelSpec& model, const char* type, std::uint32_t outputs, std::uint32_t kernel,
              std::uint32_t stride, std::uint32_t padding, std::uint32_t groups) {
  v1::LayerSpec& layer = *model.add_layers();
  layer.set_type(type);
  layer.set_outputs(outputs);
  layer.set_kernel(kernel);
  layer.set_stride(stride);
  layer.set_padding(padding);
  layer.set_groups(groups);
}

void AddTasks(Seeds& seeds) {
  v1::TaskSpec task = ATask();
  seeds["task/logistic"] = task.SerializeAsString();
  task.mutable_privacy()->set_noise_multiplier(0);
  task.mutable_privacy()->set_target_epsilon(3);
  task.mutable_training()->set_local_steps(0);
  task.mutable_training()->set_local_epochs(1);
  seeds["task/calibrated"] = task.SerializeAsString();
  task = ATask();
  task.mutable_model()->set_architecture("mlp");
  task.mutable_model()->add_hidden(32);
  seeds["task/mlp"] = task.SerializeAsString();
  task.mutable_model()->clear_hidden();
  task.mutable_model()->set_architecture("lenet5");
  task.mutable_model()->set_normalisation("group");
  seeds["task/lenet5"] = task.SerializeAsString();
  task = ATask();
  v1::ModelSpec& model = *task.mutable_model();
  model.set_architecture("layers");
  AddLayer(model, "conv2d", 8, 5, 2, 2, 0);
  AddLayer(model, "group_norm", 0, 0, 0, 0, 2);
  AddLayer(model, "relu", 0, 0, 0, 0, 0);
  AddLayer(model, "max_pool2d", 0, 2, 2, 0, 0);
  AddLayer(model, "avg_pool2d", 0, 2, 1, 1, 0);
  AddLayer(model, "flatten", 0, 0, 0, 0, 0);
  AddLayer(model, "layer_norm", 0, 0, 0, 0, 0);
  AddLayer(model, "tanh", 0, 0, 0, 0, 0);
  AddLayer(model, "linear", 10, 0, 0, 0, 0);
  seeds["task/layers"] = task.SerializeAsString();
  task = ATask();
  task.mutable_model()->set_architecture("torchscript");
  task.mutable_model()->set_torchscript_sha256(std::string(64, 'a'));
  for (const char* const name : {"body.weight", "body.bias"}) {
    v1::ParameterSpec& parameter = *task.mutable_model()->add_parameters();
    parameter.set_name(name);
    parameter.add_shape(10);
  }
  seeds["task/torchscript"] = task.SerializeAsString();
}

void AddNotices(Seeds& seeds) {
  const secagg::Roster roster{
      .size = 3,
      .root = Filled<32>(1),
      .own_index = 1,
      .entries = {{.index = 0, .join = AJoin()}, {.index = 2, .join = AJoin()}},
      .proof = {Filled<32>(3), Filled<32>(4)}};
  const secagg::CommitCertificate certificate{
      .commits = {{.index = 0, .join = {}, .signature = Filled<64>(6)},
                  {.index = 2, .join = AJoin(), .signature = Filled<64>(6)}},
      .proof = {Filled<32>(5)}};
  secagg::Roster keys_only = roster;
  keys_only.proof.clear();
  for (secagg::RosterEntry& entry : keys_only.entries) {
    entry.join = {};
    entry.join.box_key = Filled<32>(static_cast<std::uint8_t>(10 + entry.index));
    entry.join.mask_key = Filled<32>(static_cast<std::uint8_t>(20 + entry.index));
  }
  const Bytes task = ToBytes(AsBytes(ATask().SerializeAsString()));
  const std::map<std::string, protocol::Notice> notices = {
      {"welcome", protocol::Welcome{.server_version = "0.1.0", .client_name = "client-1"}},
      {"offer", protocol::Offer{.session = kSession,
                                .config = secagg::Encode(ARound(secagg::ThreatLevel::kMalicious)),
                                .task = task,
                                .model_bytes = 1234,
                                .train_left = Milliseconds(5000)}},
      {"roster", protocol::RosterNotice{kSession, roster}},
      {"roster-of-keys", protocol::RosterNotice{kSession, keys_only}},
      {"boxes", protocol::BoxesNotice{kSession, {.boxes = {ABox(0), ABox(2)}}}},
      {"survivors", protocol::SurvivorsNotice{kSession, {.bitmap = Bytes{0x05}}}},
      {"certificate", protocol::CertificateNotice{kSession, certificate}},
      {"closed", protocol::Closed{.session = kSession,
                                  .outcome = protocol::Outcome::kDropped,
                                  .reason = "too late",
                                  .survivors = 7,
                                  .sum_hash = Filled<32>(8),
                                  .retry = Milliseconds(100)}},
      {"evaluation",
       protocol::EvaluationOffer{
           .job = "digits", .round = 4, .task = task, .model = Filled<32>(2), .model_bytes = 77}}};
  for (const auto& [name, notice] : notices) {
    v1::Notice message;
    wire::ToProto(notice, &message);
    seeds["notice/" + name] = message.SerializeAsString();
  }
}

// tests/fuzz/request.cc says which choice is which message.
template <typename Message, typename Value>
void AddRequest(Seeds& seeds, char choice, const std::string& name, const Value& value) {
  Message message;
  wire::ToProto(value, &message);
  seeds["request/" + name] = choice + message.SerializeAsString();
}

void AddRequests(Seeds& seeds) {
  const protocol::BudgetReport budget{.epsilon_spent = 1.5,
                                      .epsilon_budget = 4,
                                      .delta = 1e-5,
                                      .ledger = protocol::LedgerHead{2, Digest{1}}};
  AddRequest<v1::JoinRequest>(seeds, 0, "join", protocol::JoinRequest{kSession, AJoin()});
  AddRequest<v1::ShareRequest>(
      seeds, 1, "share",
      protocol::ShareRequest{kSession, {.boxes = {ABox(0), ABox(5)}, .signature = Filled<64>(1)}});
  AddRequest<v1::CommitRequest>(seeds, 2, "commit",
                                protocol::CommitRequest{kSession, {.signature = Filled<64>(2)}});
  AddRequest<v1::UnmaskRequest>(
      seeds, 3, "unmask",
      protocol::UnmaskRequest{
          kSession,
          {.shares = {{.owner = 3, .is_mask_key = true, .share = Filled<32>(4)},
                      {.owner = 4, .is_mask_key = false, .share = Filled<32>(5)}}},
          budget});
  AddRequest<v1::DeclineRequest>(
      seeds, 4, "decline",
      protocol::DeclineRequest{kSession, "BUDGET_EXHAUSTED", "spent 4 of 4", budget});
  AddRequest<v1::EvaluationRequest>(
      seeds, 5, "evaluation",
      protocol::EvaluationReport{
          .job = "digits", .round = 3, .examples = 10, .loss = 0.5, .accuracy = 0.75});
  AddRequest<v1::UploadChunk>(seeds, 6, "upload",
                              protocol::UploadHeader{kSession,
                                                     {.bytes = 300'000,
                                                      .chunks = {Filled<32>(3), Filled<32>(4)},
                                                      .root = Filled<32>(1),
                                                      .signature = Filled<64>(2)}});
  AddRequest<v1::AttachRequest>(seeds, 7, "attach", budget);
}

void AddTokens(Seeds& seeds) {
  const wire::JoinToken token{.enrolment_address = "coordinator.example:7444",
                              .address = "coordinator.example:7443",
                              .ca_sha256 = Filled<32>(3),
                              .secret = Filled<32>(4)};
  seeds["token/text"] = '\0' + wire::EncodeToken(token);
  ByteWriter body;
  body.Text(token.enrolment_address);
  body.Text(token.address);
  body.Raw(token.ca_sha256);
  body.Raw(token.secret);
  seeds["token/body"] = '\1' + ToString(body.bytes());
}

}  // namespace

void AddWireSeeds(Seeds& seeds) {
  AddNotices(seeds);
  AddRequests(seeds);
  AddTasks(seeds);
  AddTokens(seeds);
  seeds["round_config/malicious"] =
      ToString(secagg::Encode(ARound(secagg::ThreatLevel::kMalicious)));
  secagg::RoundConfig large = ARound(secagg::ThreatLevel::kCurious);
  large.max_cohort = 5000;
  large.value_bits = 16;
  large.weight_bits = 10;
  large.extra_lanes = 3;
  seeds["round_config/curious"] = ToString(secagg::Encode(large));
}

}  // namespace tutti::fuzz
