// A real tutti-server of its own in a temporary folder, and what the kernel says about it.
// Thread safety: confined to one thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "common/base/status.h"
#include "tutti/v1/admin.grpc.pb.h"

namespace tutti::bench {

struct ProcessUse {
  double cpu_seconds = 0;
  double peak_rss_mib = 0;
  double rss_mib = 0;
};

// Of a running process, from /proc.
ProcessUse UseOf(pid_t process);

// A client of the bench: name and key pair, enrolled with a token.
struct Enrolment {
  std::string name;
  std::string certificate_pem;
  std::string key_pem;
  std::string ca_pem;
};

class ServerProcess {
 public:
  // `programs` is the folder of tutti-server; `extra_config` goes to the end of server.toml.
  static StatusOr<std::unique_ptr<ServerProcess>> Create(const std::string& programs,
                                                         const std::string& extra_config);
  ~ServerProcess();  // ends the process, removes the folder

  Status Start();  // returns once it answers
  void Stop();
  StatusOr<Enrolment> Enrol(const std::string& name);

  pid_t pid() const { return pid_; }
  const std::string& address() const { return address_; }
  const std::string& folder() const { return folder_; }
  v1::Admin::StubInterface& admin() { return *admin_; }

 private:
  ServerProcess() = default;

  std::string programs_;
  std::string folder_;
  std::string address_;
  std::string enrolment_address_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  pid_t pid_ = -1;
};

}  // namespace tutti::bench
