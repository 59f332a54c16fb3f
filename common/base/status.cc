#include "common/base/status.h"

#include <cstdio>
#include <cstdlib>

namespace tutti {
namespace {
Status Make(absl::StatusCode code, std::string_view text) { return {code, std::string(text)}; }
}  // namespace

Status InvalidArgument(std::string_view text) { return Make(StatusCode::kInvalidArgument, text); }
Status FailedPrecondition(std::string_view text) {
  return Make(StatusCode::kFailedPrecondition, text);
}
Status OutOfRange(std::string_view text) { return Make(StatusCode::kOutOfRange, text); }
Status NotFound(std::string_view text) { return Make(StatusCode::kNotFound, text); }
Status AlreadyExists(std::string_view text) { return Make(StatusCode::kAlreadyExists, text); }
Status PermissionDenied(std::string_view text) { return Make(StatusCode::kPermissionDenied, text); }
Status Unauthenticated(std::string_view text) { return Make(StatusCode::kUnauthenticated, text); }
Status ResourceExhausted(std::string_view text) {
  return Make(StatusCode::kResourceExhausted, text);
}
Status Unavailable(std::string_view text) { return Make(StatusCode::kUnavailable, text); }
Status Aborted(std::string_view text) { return Make(StatusCode::kAborted, text); }
Status DataLoss(std::string_view text) { return Make(StatusCode::kDataLoss, text); }
Status DeadlineExceeded(std::string_view text) { return Make(StatusCode::kDeadlineExceeded, text); }
Status Unimplemented(std::string_view text) { return Make(StatusCode::kUnimplemented, text); }
Status Internal(std::string_view text) { return Make(StatusCode::kInternal, text); }

Status Annotate(const Status& status, std::string_view context) {
  if (status.ok()) {
    return status;
  }
  std::string text(context);
  text += ": ";
  text += MessageOf(status);
  return Make(status.code(), text);
}

std::string TextOf(const Status& status) { return std::string(MessageOf(status)); }

std::string CodeName(StatusCode code) {
  const std::string name = absl::StatusCodeToString(code);
  return name.empty() ? "UNKNOWN" : name;
}

namespace internal {
void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}
}  // namespace internal
}  // namespace tutti
