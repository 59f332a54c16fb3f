#include "common/http/page_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <thread>

#include "common/base/text.h"
#include "common/config/validate.h"

namespace tutti::http {

struct PageServer::State {
  httplib::Server server;
  std::thread thread;
  int port = 0;
};

PageServer::PageServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
int PageServer::port() const { return state_->port; }

StatusOr<std::unique_ptr<PageServer>> PageServer::Start(std::string_view address,
                                                        std::function<std::string()> metrics,
                                                        std::function<bool()> healthy) {
  TUTTI_ASSIGN(const config::HostPort place, config::ParseHostPort(address));
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  // The library's default, SO_REUSEPORT, would let two servers share one port without an error.
  server.set_socket_options([](socket_t fd) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  server.set_payload_max_length(1024);
  server.set_read_timeout(5, 0);
  server.set_write_timeout(5, 0);
  server.set_keep_alive_max_count(100);
  server.Get("/metrics",
             [metrics = std::move(metrics)](const httplib::Request&, httplib::Response& response) {
               response.set_content(metrics(), "text/plain; version=0.0.4; charset=utf-8");
             });
  server.Get("/healthz",
             [healthy = std::move(healthy)](const httplib::Request&, httplib::Response& response) {
               const bool well = healthy();
               response.status = well ? 200 : 503;
               response.set_content(well ? "ok\n" : "not working\n", "text/plain");
             });
  if (place.port == 0) {
    state->port = server.bind_to_any_port(place.host);
  } else {
    state->port = server.bind_to_port(place.host, place.port) ? place.port : -1;
  }
  if (state->port <= 0) {
    return Unavailable(Join("cannot listen on metrics_address ", Escaped(address),
                            ": the port is taken or the address is not this machine's; choose "
                            "another one or \"off\""));
  }
  state->thread = std::thread([&server] { server.listen_after_bind(); });
  // stop() before the loop runs would be lost.
  while (!server.is_running()) {
    std::this_thread::yield();
  }
  return std::unique_ptr<PageServer>(new PageServer(std::move(state)));
}

PageServer::~PageServer() {
  state_->server.stop();
  state_->thread.join();
}

}  // namespace tutti::http
