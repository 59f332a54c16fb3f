// /metrics of the client daemon. Thread safety: pure function.
#pragma once

#include <string>

#include "client/counters.h"
#include "client/rpc/grpc_link.h"

namespace tutti::client {

// Prometheus' text format; every name starts with tutti_client_.
std::string MetricsText(const Counters& counters, const client_rpc::LinkCounts& link);

}  // namespace tutti::client
