// Two read-only pages over HTTP: /metrics and /healthz. For scrapers on this machine; no login, so
// keep it on loopback. Thread safety: `metrics` is called from the server's threads and must be
// safe; Start and the destructor from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"

namespace tutti::client_http {

class PageServer {
 public:
  // `metrics` gives the page in Prometheus' text format. Port 0: any free one. Unavailable when the
  // address cannot be bound.
  static StatusOr<PageServer> Start(const std::string& host, std::uint16_t port,
                                    std::function<std::string()> metrics);
  PageServer(PageServer&&) noexcept;
  ~PageServer();  // stops
  std::uint16_t port() const;

 private:
  struct State;
  explicit PageServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::client_http
