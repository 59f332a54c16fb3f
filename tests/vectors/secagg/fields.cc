#include "tests/vectors/secagg/fields.h"

#include <variant>

#include "common/wire/conversation.h"
#include "common/wire/secagg.h"
#include "tests/ring_lanes.h"

namespace tutti::vectors {
namespace {

using secagg::Index;

Json BoxFields(const std::vector<secagg::ShareBox>& boxes, const char* peer_name) {
  return List(boxes, [peer_name](const secagg::ShareBox& box) {
    return Json{{peer_name, box.peer},
                {"ciphertext", Hex(box.ciphertext)},
                {"share_hash", Hex(box.share_hash)}};
  });
}

Json Nodes(const std::vector<Digest>& nodes) {
  return List(nodes, [](const Digest& node) { return Hex(node); });
}

struct RequestFields {
  Json operator()(const protocol::JoinRequest& request) const {
    const secagg::Join& join = request.join;
    return {{"session", Hex(request.session)}, {"box_key", Hex(join.box_key)},
            {"mask_key", Hex(join.mask_key)},  {"seed_commitment", Hex(join.seed_commitment)},
            {"nonce", Hex(join.nonce)},        {"certificate", Hex(join.certificate)},
            {"signature", Hex(join.signature)}};
  }
  Json operator()(const protocol::ShareRequest& request) const {
    return {{"session", Hex(request.session)},
            {"boxes", BoxFields(request.shares.boxes, "holder")},
            {"signature", Hex(request.shares.signature)}};
  }
  Json operator()(const protocol::CommitRequest& request) const {
    return {{"session", Hex(request.session)}, {"signature", Hex(request.commit.signature)}};
  }
  Json operator()(const protocol::UnmaskRequest& request) const {
    return {{"session", Hex(request.session)},
            {"shares", List(request.unmask.shares, [](const secagg::RevealedShare& share) {
               return Json{{"owner", share.owner},
                           {"of", share.is_mask_key ? "mask_key" : "seed"},
                           {"share", Hex(share.share)}};
             })}};
  }
  Json operator()(const protocol::DeclineRequest&) const { return {}; }
  Json operator()(const protocol::EvaluationReport&) const { return {}; }
};

struct NoticeFields {
  Json operator()(const protocol::Welcome&) const { return {}; }
  Json operator()(const protocol::Offer& offer) const {
    return {{"config", Hex(offer.config)},
            {"task", Hex(offer.task)},
            {"model_bytes", offer.model_bytes},
            {"train_milliseconds", offer.train_left.count()}};
  }
  Json operator()(const protocol::RosterNotice& notice) const {
    const secagg::Roster& roster = notice.roster;
    return {{"size", roster.size},
            {"root", Hex(roster.root)},
            {"own_index", roster.own_index},
            {"neighbours", List(roster.entries, [](const auto& entry) { return entry.index; })},
            {"proof", Nodes(roster.proof)}};
  }
  Json operator()(const protocol::BoxesNotice& notice) const {
    return {{"boxes", BoxFields(notice.boxes.boxes, "owner")}};
  }
  Json operator()(const protocol::SurvivorsNotice& notice) const {
    return {{"bitmap", Hex(notice.survivors.bitmap)}};
  }
  Json operator()(const protocol::CertificateNotice& notice) const {
    return {{"commits", List(notice.certificate.commits,
                             [](const secagg::CommitEntry& entry) {
                               return Json{{"index", entry.index},
                                           {"with_join", entry.join != secagg::Join{}},
                                           {"signature", Hex(entry.signature)}};
                             })},
            {"proof", Nodes(notice.certificate.proof)}};
  }
  Json operator()(const protocol::Closed& closed) const {
    return {{"session", Hex(closed.session)},
            {"outcome", OutcomeName(closed.outcome)},
            {"survivors", closed.survivors},
            {"sum_sha256", Hex(closed.sum_hash)}};
  }
  Json operator()(const protocol::EvaluationOffer&) const { return {}; }
};

template <typename Message>
Json Described(std::string_view from, std::string_view to, const Message& message, Json fields) {
  return {{"from", from},
          {"to", to},
          {"type", message.GetTypeName()},
          {"bytes", Hex(AsBytes(message.SerializeAsString()))},
          {"fields", std::move(fields)}};
}

constexpr std::string_view kCoordinator = "coordinator";

struct WireRequest {
  std::string_view from;
  template <typename Message, typename Request>
  Json Of(const Request& request) const {
    Message message;
    wire::ToProto(request, &message);
    return Described(from, kCoordinator, message, RequestFields{}(request));
  }
  Json operator()(const protocol::JoinRequest& r) const { return Of<v1::JoinRequest>(r); }
  Json operator()(const protocol::ShareRequest& r) const { return Of<v1::ShareRequest>(r); }
  Json operator()(const protocol::CommitRequest& r) const { return Of<v1::CommitRequest>(r); }
  Json operator()(const protocol::UnmaskRequest& r) const { return Of<v1::UnmaskRequest>(r); }
  Json operator()(const protocol::DeclineRequest& r) const { return Of<v1::DeclineRequest>(r); }
  Json operator()(const protocol::EvaluationReport& r) const {
    return Of<v1::EvaluationRequest>(r);
  }
};

}  // namespace

Json FieldsOf(const secagg::RoundConfig& config) {
  return {{"version", config.version},
          {"level", static_cast<unsigned>(config.level)},
          {"job", config.job},
          {"round", config.round},
          {"attempt", config.attempt},
          {"group", config.group},
          {"groups", config.groups},
          {"model_hash", Hex(config.model_hash)},
          {"task_hash", Hex(config.task_hash)},
          {"values", config.values},
          {"extra_lanes", config.extra_lanes},
          {"value_bits", config.value_bits},
          {"value_clip", config.value_clip},
          {"weight_bits", config.weight_bits},
          {"min_cohort", config.min_cohort},
          {"min_survivors", config.min_survivors},
          {"max_cohort", config.max_cohort},
          {"corrupt_fraction", config.corrupt_fraction},
          {"dropout_fraction", config.dropout_fraction},
          {"privacy_bits", config.privacy_bits},
          {"liveness_bits", config.liveness_bits},
          {"server_nonce", Hex(config.server_nonce)}};
}

Json MessageOf(std::string_view from, const protocol::Request& request) {
  return std::visit(WireRequest{from}, request);
}

Json UploadHeaderMessage(std::string_view from, const protocol::UploadHeader& header) {
  v1::UploadChunk chunk;
  wire::ToProto(header, &chunk);
  return Described(from, kCoordinator, chunk,
                   {{"session", Hex(header.session)},
                    {"bytes", header.header.bytes},
                    {"chunks", Nodes(header.header.chunks)},
                    {"root", Hex(header.header.root)},
                    {"signature", Hex(header.header.signature)}});
}

Json UploadDataMessage(std::string_view from, BytesView vector) {
  v1::UploadChunk chunk;
  chunk.set_data(ToString(vector));
  return Described(from, kCoordinator, chunk, {{"offset", 0}, {"data", Hex(vector)}});
}

Json MessageOf(std::string_view to, const protocol::Notice& notice, wire::NoticeMemory& memory) {
  v1::Notice message;
  wire::ToProto(notice, &message);
  memory.Shorten(message);
  return Described(kCoordinator, to, message, std::visit(NoticeFields{}, notice));
}

Bytes WireJoin(const secagg::Join& join) {
  v1::JoinMessage message;
  wire::ToProto(join, &message);
  return ToBytes(AsBytes(message.SerializeAsString()));
}

Json UnsignedLanes(const secagg::RingVector& vector) {
  const std::uint64_t mask = (std::uint64_t{1} << vector.layout().bits) - 1;
  Json lanes = Json::array();
  for (std::size_t i = 0; i < vector.layout().values; ++i) {
    lanes.push_back(static_cast<std::uint64_t>(SignedValue(vector, i)) & mask);
  }
  return lanes;
}

Json SignedLanes(const secagg::RingVector& vector) {
  Json lanes = Json::array();
  for (std::size_t i = 0; i < vector.layout().values; ++i) {
    lanes.push_back(SignedValue(vector, i));
  }
  return lanes;
}

}  // namespace tutti::vectors
