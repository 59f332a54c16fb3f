// How new clients get certificates: a single-use token for a certificate over the caller's own key.
// Thread safety: safe; the work runs on the disk's thread.
#pragma once

#include <mutex>

#include "common/crypto/certificate.h"
#include "common/platform/executor.h"
#include "server/store/directory.h"
#include "server/store/store.h"
#include "tutti/v1/enrolment.grpc.pb.h"

namespace tutti::rpc {

// Bounds guesses: at most `limit` failures in a second over all callers.
class FailureLimit {
 public:
  explicit FailureLimit(std::size_t limit) : limit_(limit) {}
  bool Exceeded(Instant now);
  void Count(Instant now);

 private:
  void Roll(Instant now);
  const std::size_t limit_;
  std::mutex mutex_;
  std::int64_t second_ = 0;   // guarded by mutex_
  std::size_t failures_ = 0;  // guarded by mutex_
};

struct Authority {
  std::string ca_pem;
  crypto::Ed25519Private ca_key;
};

// References are borrowed and must outlive the service.
struct EnrolmentSettings {
  store::Store& store;
  store::Directory& directory;
  platform::Executor& disk;
  const Authority& authority;
  const Clock& clock;
  int certificate_days = 365;
  std::size_t max_clients = 10000;
};

class EnrolmentService final : public v1::Enrolment::CallbackService {
 public:
  explicit EnrolmentService(const EnrolmentSettings& settings) : settings_(settings), limit_(20) {}
  grpc::ServerUnaryReactor* Enrol(grpc::CallbackServerContext* context,
                                  const v1::EnrolRequest* request, v1::EnrolReply* reply) override;
  // What Enrol does, on the caller's thread.
  Status Answer(const v1::EnrolRequest& request, v1::EnrolReply* reply);

 private:
  Status Issue(const v1::EnrolRequest& request, v1::EnrolReply* reply);

  const EnrolmentSettings settings_;
  FailureLimit limit_;
};

}  // namespace tutti::rpc
