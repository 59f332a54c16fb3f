#include "tests/bench/round/server_process.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "client/rpc/enrol.h"
#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/crypto/random.h"
#include "common/wire/token.h"

namespace tutti::bench {
namespace {

StatusOr<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool ok = fd >= 0 && bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  if (fd >= 0) {
    close(fd);
  }
  if (!ok) {
    return Unavailable("no free port on the loopback address");
  }
  return ntohs(address.sin_port);
}

// Starts a program with its output in `log`; -1 on failure.
pid_t Spawn(const std::vector<std::string>& command, const std::string& log) {
  const pid_t child = fork();
  if (child != 0) {
    return child;
  }
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, 1);
  dup2(out, 2);
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

std::string TextOfFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

double KibibytesOf(const std::string& status, const std::string& key) {
  const std::size_t at = status.find(key);
  return at == std::string::npos ? 0
                                 : std::strtod(status.c_str() + at + key.size(), nullptr) / 1024;
}

}  // namespace

ProcessUse UseOf(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  ProcessUse use;
  const std::string status = TextOfFile(folder + "/status");
  use.peak_rss_mib = KibibytesOf(status, "VmHWM:");
  use.rss_mib = KibibytesOf(status, "VmRSS:");
  std::istringstream fields(TextOfFile(folder + "/stat").substr(0));
  std::string skipped;
  for (int i = 0; i < 13; ++i) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  use.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return use;
}

StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Create(const std::string& programs,
                                                               const std::string& extra_config) {
  std::unique_ptr<ServerProcess> server(new ServerProcess());
  server->programs_ = programs;
  std::string pattern = (std::filesystem::temp_directory_path() / "tutti-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return Unavailable("cannot make a temporary folder");
  }
  server->folder_ = pattern;
  TUTTI_ASSIGN(const int port, FreePort());
  TUTTI_ASSIGN(const int enrolment_port, FreePort());
  server->address_ = Join("127.0.0.1:", port);
  server->enrolment_address_ = Join("127.0.0.1:", enrolment_port);
  std::ofstream(pattern + "/server.toml")
      << "state_directory = \"state\"\naddress = \"" << server->address_
      << "\"\nenrolment_address = \"" << server->enrolment_address_
      << "\"\npublic_names = [\"localhost\", \"127.0.0.1\"]\n"
      << "metrics_address = \"off\"\n"
      << extra_config;
  const pid_t init = Spawn({programs + "/tutti-server", "init", "--state", pattern + "/state",
                            "--name", "localhost", "--name", "127.0.0.1"},
                           pattern + "/init.log");
  int status = 1;
  waitpid(init, &status, 0);
  if (status != 0) {
    return Unavailable("tutti-server init failed: " + TextOfFile(pattern + "/init.log"));
  }
  return server;
}

ServerProcess::~ServerProcess() {
  Stop();
  if (!folder_.empty() && std::getenv("TUTTI_BENCH_KEEP") == nullptr) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
}

Status ServerProcess::Start() {
  pid_ = Spawn({programs_ + "/tutti-server", "run", "--config", folder_ + "/server.toml"},
               folder_ + "/server.log");
  for (int i = 0; i < 2000; ++i) {
    // A fresh channel each time: a channel that failed once waits longer than the server needs to
    // start.
    auto channel = grpc::CreateChannel("unix:" + folder_ + "/state/admin.sock",
                                       grpc::InsecureChannelCredentials());
    admin_ = v1::Admin::NewStub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
    v1::StatusReply reply;
    if (admin_->GetStatus(&context, v1::StatusRequest(), &reply).ok()) {
      return OkStatus();
    }
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Unavailable("tutti-server does not answer: " + TextOfFile(folder_ + "/server.log"));
}

void ServerProcess::Stop() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

StatusOr<Enrolment> ServerProcess::Enrol(const std::string& name) {
  grpc::ClientContext context;
  v1::CreateTokenRequest request;
  request.set_name(name);
  request.set_role("trainer");
  v1::CreateTokenReply reply;
  const grpc::Status status = admin_->CreateToken(&context, request, &reply);
  if (!status.ok()) {
    return Unavailable("no token: " + status.error_message());
  }
  TUTTI_ASSIGN(const wire::JoinToken token, wire::DecodeToken(reply.token()));
  TUTTI_ASSIGN(const std::string ca,
               crypto::FetchPinnedCa(token.enrolment_address, token.ca_sha256, 5000));
  crypto::SystemRng rng;
  const crypto::KeyPair keys = crypto::NewKeyPair(rng);
  TUTTI_ASSIGN(const std::string csr, crypto::NewRequestPem(keys, name));
  TUTTI_ASSIGN(const client_rpc::Enrolled enrolled,
               client_rpc::Enrol(token.enrolment_address, ca, token.secret, csr, name));
  return Enrolment{name, enrolled.certificate_pem, crypto::PrivateKeyPem(keys.key), ca};
}

}  // namespace tutti::bench
