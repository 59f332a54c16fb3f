// /metrics and /healthz over plain HTTP, for the machine itself and its monitoring.
// Thread safety: Start and destruction from one thread; requests run on two threads of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tutti::http {

class PageServer {
 public:
  // `address` is host:port; port 0 takes a free one. `metrics` gives the page in Prometheus' text
  // format, `healthy` says whether the daemon works; both are called from the server's threads.
  // Unavailable when the port is taken.
  static StatusOr<std::unique_ptr<PageServer>> Start(std::string_view address,
                                                     std::function<std::string()> metrics,
                                                     std::function<bool()> healthy);
  ~PageServer();  // stops
  int port() const;

 private:
  struct State;
  explicit PageServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::http
