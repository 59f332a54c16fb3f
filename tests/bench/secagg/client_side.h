// The clients' process: all sessions of a cohort, one vector at a time, each call timed.
// Thread safety: confined to one thread.
#pragma once

#include <memory>
#include <vector>

#include "common/base/clock.h"
#include "common/crypto/certificate.h"
#include "common/crypto/random.h"
#include "common/secagg/client_session.h"
#include "tests/bench/secagg/calls.h"
#include "tests/bench/secagg/secagg_bench.h"

namespace tutti::bench {

struct CertificateAuthority {
  crypto::KeyPair key;
  std::string pem;
};

class Cohort {
 public:
  // All borrowed.
  Cohort(Line& line, const SecaggSettings& settings, const secagg::RoundConfig& config,
         const CertificateAuthority& authority, const Clock& clock);

  Status Join();
  Status Share();
  Status UploadMasked();
  Status Commit();
  Status Unmask();

  ClientCosts Costs() const;
  Digest PlainSumSha256() const;

 private:
  struct Client {
    std::unique_ptr<crypto::CachingVerifier> own_verifier;  // with new certificates only
    std::unique_ptr<secagg::ClientSession> session;
    bool drops = false;
  };

  Status JoinOne(std::uint32_t index);
  Status ShareOne(std::uint32_t index);
  Status UploadOne(std::uint32_t index);
  StatusOr<Bytes> MaskedVector(std::uint32_t index, secagg::MaskedHeader& header);
  Status CommitOne(std::uint32_t index);
  Status UnmaskOne(std::uint32_t index);
  StatusOr<secagg::ClientIdentity> Enrol(std::uint32_t index);
  // Sends `body` and counts what travels.
  StatusOr<std::string> Ask(Call call, std::uint32_t index, const std::string& body = {});
  // `step` for every client, or for those that stay to the end.
  Status ForEach(bool survivors_only, Status (Cohort::*step)(std::uint32_t));

  Line& line_;
  const SecaggSettings& settings_;
  const secagg::RoundConfig& config_;
  const CertificateAuthority& authority_;
  const Clock& clock_;
  crypto::SystemRng rng_;
  crypto::CachingVerifier shared_verifier_;  // has seen every certificate
  std::vector<Client> clients_;
  std::uint32_t survivors_ = 0;
  std::string survivor_set_;   // the message
  std::vector<float> update_;  // one client's at a time
  secagg::RingVector plain_sum_;
  ClientCosts totals_;
};

}  // namespace tutti::bench
