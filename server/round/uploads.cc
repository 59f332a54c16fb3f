#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

// Whether this header's vector may come in now. `already_in`: it has come in before, byte for byte.
Status Machine::CheckUpload(const ClientId& client, const protocol::UploadHeader& header,
                            bool& already_in) {
  if (revoked_.contains(client)) {
    return PermissionDenied(Join("client ", client, " is revoked"));
  }
  TUTTI_TRY(FindMember(client, header.session, false));
  const Attempt& attempt = *Current();
  const Member& member = attempt.members.at(client);
  if (member.masked) {
    already_in = true;
    return member.header == header ? OkStatus()
                                   : AlreadyExists(Join("CONFLICT: client ", client,
                                                        " sent another masked vector before"));
  }
  return Judge(client, attempt.groups[member.group].secagg.CheckHeader(client, header.header));
}

void Machine::On(const UploadOpened& event) {
  bool already_in = false;
  if (Status status = CheckUpload(event.client, event.header, already_in);
      !status.ok() || already_in) {
    refusals_ += status.ok() ? 0U : 1U;
    return ReplyTo(event.call, std::move(status));
  }
  Member& member = Current()->members.at(event.client);
  EndUpload(member, Aborted("a newer upload of the same client replaces this one"));
  member.upload = event.call;
  member.header = event.header;
  Emit(AcceptUpload{event.call, Current()->groups[member.group].config.layout()});
}

void Machine::On(const UploadFinished& event) {
  Attempt* attempt = Current();
  const auto found = attempt == nullptr ? std::map<ClientId, Member>::iterator{}
                                        : attempt->members.find(event.client);
  if (attempt == nullptr || found == attempt->members.end() || found->second.upload != event.call) {
    ++refusals_;  // the call was answered when its phase closed or a newer one replaced it
    return Emit(DropUpload{event.call});
  }
  Member& member = found->second;
  Status status = Judge(event.client,
                        GroupOf(event.client).secagg.AddMasked(event.client, member.header.header));
  if (!status.ok()) {
    return EndUpload(member, std::move(status));
  }
  member.upload.reset();
  member.masked = true;
  Emit(Accumulate{event.call});
  ReplyTo(event.call, OkStatus());
}

void Machine::On(const UploadBroken& event) {
  Attempt* attempt = Current();
  if (attempt != nullptr) {
    const auto found = attempt->members.find(event.client);
    if (found != attempt->members.end() && found->second.upload == event.call) {
      found->second.upload.reset();
      Judge(event.client, event.broken_rule).IgnoreError();
    }
  }
  Emit(DropUpload{event.call});
}

void Machine::EndUpload(Member& member, Status status) {
  if (!member.upload) {
    return;
  }
  const CallId call = *member.upload;
  member.upload.reset();
  Emit(DropUpload{call});
  ReplyTo(call, std::move(status));
}

void Machine::EndUploads(const std::string& reason) {
  for (auto& [client, member] : Current()->members) {
    EndUpload(member, FailedPrecondition(reason));
  }
}

}  // namespace tutti::round::internal
