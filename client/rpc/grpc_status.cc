#include "client/rpc/grpc_status.h"

#include <charconv>
#include <cstdlib>

#include "client/rpc/backoff.h"
#include "client/rpc/grpc_link.h"
#include "common/base/text.h"

namespace tutti::client_rpc {
namespace {

constexpr char kRetryMetadata[] = "tutti-retry-ms";
constexpr int kMaxMessageBytes = 16 * 1024 * 1024;  // a commit certificate of a large cohort

bool IsLoopbackAddress(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address.rfind("localhost:", 0) == 0 ||
         address.rfind("[::1]:", 0) == 0;
}

}  // namespace

void DemandTls13() { ::setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", 1); }

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return OkStatus();
  return Status(static_cast<StatusCode>(status.error_code()), Escaped(status.error_message(), 512));
}

Try EndOf(const grpc::Status& status, const grpc::ClientContext& context) {
  Try result{.status = FromGrpc(status), .asked = std::nullopt};
  if (status.ok()) return result;
  const auto& metadata = context.GetServerTrailingMetadata();
  if (const auto found = metadata.find(kRetryMetadata); found != metadata.end()) {
    std::uint32_t milliseconds = 0;
    const char* const end = found->second.data() + found->second.size();
    const auto [at, error] = std::from_chars(found->second.data(), end, milliseconds);
    if (error == std::errc() && at == end) result.asked = Milliseconds(milliseconds);
  }
  return result;
}

bool MayWorkLater(StatusCode code) {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled:  // by a server that shuts down
    case StatusCode::kUnknown:    // "stream removed"
      return true;
    default:
      return false;
  }
}

grpc::ChannelArguments ChannelOptions(const std::string& address) {
  grpc::ChannelArguments options;
  options.SetMaxReceiveMessageSize(kMaxMessageBytes);
  options.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // we retry ourselves
  // Connecting is gRPC's business, with its own jitter; calling again once connected is Backoff's.
  options.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(Backoff::kFirst.count()));
  options.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(Backoff::kLongest.count()));
  options.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  options.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  options.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (IsLoopbackAddress(address)) options.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return options;
}

}  // namespace tutti::client_rpc
