// /metrics and /healthz over plain HTTP, for the machine itself and its monitoring.
// Thread safety: Start and destruction from one thread; requests run on two threads of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "server/http/metrics.h"

namespace tutti::http {

class HttpServer {
 public:
  // `address` is host:port; port 0 takes a free one. `healthy` says whether the coordinator works;
  // both are borrowed. Unavailable when the port is taken.
  static StatusOr<std::unique_ptr<HttpServer>> Start(std::string_view address, Metrics& metrics,
                                                     std::function<bool()> healthy);
  ~HttpServer();
  int port() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::http
