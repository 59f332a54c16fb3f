// coordinator.proto to and from common/protocol/messages.h. FromProto checks every bound of what a
// peer sent, once, here; InvalidArgument names the field, what was found and what is allowed.
// Thread safety: pure functions.
#pragma once

#include "common/base/status.h"
#include "common/protocol/messages.h"
#include "tutti/v1/coordinator.pb.h"

namespace tutti::wire {

inline constexpr std::size_t kMaxReasonBytes = 512;
inline constexpr std::size_t kMaxNameBytes = 64;

void ToProto(const protocol::Notice& notice, v1::Notice* out);
StatusOr<protocol::Notice> FromProto(const v1::Notice& notice);

void ToProto(const protocol::JoinRequest& request, v1::JoinRequest* out);
StatusOr<protocol::JoinRequest> FromProto(const v1::JoinRequest& request);
void ToProto(const protocol::ShareRequest& request, v1::ShareRequest* out);
StatusOr<protocol::ShareRequest> FromProto(const v1::ShareRequest& request);
void ToProto(const protocol::CommitRequest& request, v1::CommitRequest* out);
StatusOr<protocol::CommitRequest> FromProto(const v1::CommitRequest& request);
void ToProto(const protocol::UnmaskRequest& request, v1::UnmaskRequest* out);
StatusOr<protocol::UnmaskRequest> FromProto(const v1::UnmaskRequest& request);
void ToProto(const protocol::DeclineRequest& request, v1::DeclineRequest* out);
StatusOr<protocol::DeclineRequest> FromProto(const v1::DeclineRequest& request);
void ToProto(const protocol::EvaluationReport& report, v1::EvaluationRequest* out);
StatusOr<protocol::EvaluationReport> FromProto(const v1::EvaluationRequest& request);

// The first chunk's session and header; the data stays where it is.
void ToProto(const protocol::UploadHeader& header, v1::UploadChunk* out);
StatusOr<protocol::UploadHeader> HeaderFromProto(const v1::UploadChunk& first_chunk);

// What an Attach request tells of the ledger.
void ToProto(const protocol::BudgetReport& budget, v1::AttachRequest* out);
StatusOr<protocol::BudgetReport> BudgetFromProto(const v1::AttachRequest& request);

}  // namespace tutti::wire
