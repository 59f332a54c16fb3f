// The coordinator's records as messages of admin.proto.
// Thread safety: pure functions.
#pragma once

#include "server/rpc/ports.h"
#include "tutti/v1/admin.pb.h"

namespace tutti::rpc {

void ToProto(const JobStatus& status, v1::JobInfo* out);
void ToProto(const store::RoundRecord& round, v1::RoundInfo* out);
void ToProto(const store::ModelRecord& model, const std::string& full_path, v1::ModelInfo* out);
void ToProto(const store::ClientRecord& client, bool attached, v1::ClientInfo* out);
void ToProto(const JobEvent& event, v1::JobUpdate* out);

}  // namespace tutti::rpc
