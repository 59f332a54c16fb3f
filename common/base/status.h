// Errors as values: absl::Status under our names, with the two macros that pass errors up.
// Thread safety: value types.
//
// Texts follow house-style rule 7: what was found, what was expected, what to do; lower case, no
// full stop.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tutti {

using Status = absl::Status;
template <typename T>
using StatusOr = absl::StatusOr<T>;
using StatusCode = absl::StatusCode;

inline Status OkStatus() { return absl::OkStatus(); }

// One constructor per code; see absl/status/status.h for what each code means.
Status InvalidArgument(std::string_view text);     // wrong whatever the state of the receiver
Status FailedPrecondition(std::string_view text);  // right in another state; do not just retry
Status OutOfRange(std::string_view text);
Status NotFound(std::string_view text);
Status AlreadyExists(
    std::string_view text);  // a second, different answer where one is allowed (CONFLICT)
Status PermissionDenied(std::string_view text);
Status Unauthenticated(std::string_view text);
Status ResourceExhausted(std::string_view text);
Status Unavailable(std::string_view text);  // try again later
Status Aborted(std::string_view text);
Status DataLoss(std::string_view text);  // stored data is damaged
Status DeadlineExceeded(std::string_view text);
Status Unimplemented(std::string_view text);
Status Internal(std::string_view text);

// The same code with `context` and ": " before the text.
Status Annotate(const Status& status, std::string_view context);

// "text" without the code; the code's name in upper case, e.g. "INVALID_ARGUMENT".
std::string TextOf(const Status& status);
std::string CodeName(StatusCode code);

// Converts to std::string_view, also from absl's own string_view on Debian 12.
inline std::string_view MessageOf(const Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace tutti

#define TUTTI_CONCAT_INNER(a, b) a##b
#define TUTTI_CONCAT(a, b) TUTTI_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` is an error.
#define TUTTI_TRY(expression)                                                \
  do {                                                                       \
    if (::tutti::Status tutti_status_ = (expression); !tutti_status_.ok()) { \
      return tutti_status_;                                                  \
    }                                                                        \
  } while (false)

// TUTTI_ASSIGN(auto model, ReadModel(path)); returns the error from the enclosing function instead.
#define TUTTI_ASSIGN(declaration, expression) \
  TUTTI_ASSIGN_INNER(TUTTI_CONCAT(tutti_status_or_, __LINE__), declaration, expression)
#define TUTTI_ASSIGN_INNER(name, declaration, expression) \
  auto name = (expression);                               \
  if (!name.ok()) {                                       \
    return name.status();                                 \
  }                                                       \
  declaration = *std::move(name)

// States an invariant of our own; ends the process. Never on data from a peer, file, user or clock.
#define TUTTI_CHECK(condition)                                        \
  do {                                                                \
    if (!(condition)) {                                               \
      ::tutti::internal::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                                 \
  } while (false)

namespace tutti::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}
