// secagg.proto to and from common/secagg/messages.h. FromProto checks every length, count and order
// a peer could get wrong, once, here; InvalidArgument names the field, what was found and what is
// allowed. Thread safety: pure functions.
#pragma once

#include "common/base/status.h"
#include "common/secagg/messages.h"
#include "tutti/v1/secagg.pb.h"

namespace tutti::wire {

inline constexpr std::size_t kMaxCertificateBytes = 4096;
inline constexpr int kMaxNeighbours = 9999;  // largest cohort less one
inline constexpr int kMaxCommits = 2000;
inline constexpr std::uint64_t kMaxVectorBytes = std::uint64_t{1}
                                                 << 33;  // of 2^30 values of up to 57 bits

void ToProto(const secagg::Join& join, v1::JoinMessage* out);
StatusOr<secagg::Join> FromProto(const v1::JoinMessage& message);

void ToProto(const secagg::Roster& roster, v1::RosterMessage* out);
StatusOr<secagg::Roster> FromProto(const v1::RosterMessage& message);

void ToProto(const secagg::Shares& shares, v1::ShareMessage* out);
StatusOr<secagg::Shares> FromProto(const v1::ShareMessage& message);

void ToProto(const secagg::Boxes& boxes, v1::BoxesMessage* out);
StatusOr<secagg::Boxes> FromProto(const v1::BoxesMessage& message);

void ToProto(const secagg::MaskedHeader& header, v1::MaskedHeader* out);
StatusOr<secagg::MaskedHeader> FromProto(const v1::MaskedHeader& message);

void ToProto(const secagg::Survivors& survivors, v1::SurvivorsMessage* out);
StatusOr<secagg::Survivors> FromProto(const v1::SurvivorsMessage& message);

void ToProto(const secagg::Commit& commit, v1::CommitMessage* out);
StatusOr<secagg::Commit> FromProto(const v1::CommitMessage& message);

void ToProto(const secagg::CommitCertificate& certificate, v1::CertificateMessage* out);
StatusOr<secagg::CommitCertificate> FromProto(const v1::CertificateMessage& message);

void ToProto(const secagg::Unmask& unmask, v1::UnmaskMessage* out);
StatusOr<secagg::Unmask> FromProto(const v1::UnmaskMessage& message);

}  // namespace tutti::wire
