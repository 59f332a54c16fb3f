#include "client/http/page_server.h"

#include <httplib.h>

#include <thread>

#include "common/base/text.h"

namespace tutti::client_http {

struct PageServer::State {
  httplib::Server server;
  std::thread thread;
  std::uint16_t port = 0;
};

PageServer::PageServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
PageServer::PageServer(PageServer&&) noexcept = default;

PageServer::~PageServer() {
  if (!state_) return;
  state_->server.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

std::uint16_t PageServer::port() const { return state_->port; }

StatusOr<PageServer> PageServer::Start(const std::string& host, std::uint16_t port,
                                       std::function<std::string()> metrics) {
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  server.set_payload_max_length(4096);
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(5);
  server.set_write_timeout(5);
  server.Get("/metrics",
             [metrics = std::move(metrics)](const httplib::Request&, httplib::Response& response) {
               response.set_content(metrics(), "text/plain; version=0.0.4; charset=utf-8");
             });
  server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  const int bound =
      port == 0 ? server.bind_to_any_port(host) : (server.bind_to_port(host, port) ? port : -1);
  if (bound <= 0) {
    return Unavailable(Join("metrics_address ", host, ":", port,
                            " cannot be listened on; is the port in use? set another, or \"off\""));
  }
  state->port = static_cast<std::uint16_t>(bound);
  state->thread = std::thread([&server] { server.listen_after_bind(); });
  // Stopping a server that does not run yet would be forgotten (cpp-httplib 0.11 has no wait for
  // this).
  while (!server.is_running()) std::this_thread::yield();
  return PageServer(std::move(state));
}

}  // namespace tutti::client_http
