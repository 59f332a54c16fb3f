#include "server/simulate/identities.h"

#include "server/simulate/chance.h"
#include "server/simulate/population.h"

namespace tutti::simulate {
namespace {

constexpr int kDays = 3650;

}  // namespace

StatusOr<std::unique_ptr<Identities>> Identities::Create(std::uint64_t seed) {
  std::unique_ptr<Identities> identities(new Identities(seed));
  auto rng = StreamOf(seed, "ca");
  identities->ca_ = crypto::NewKeyPair(rng);
  TUTTI_ASSIGN(identities->ca_pem_, crypto::NewCaCertificatePem(identities->ca_, "simulation",
                                                                identities->clock_.Wall(), kDays));
  identities->verifier_ =
      std::make_unique<crypto::CachingVerifier>(identities->ca_pem_, identities->clock_, 65536);
  return identities;
}

StatusOr<secagg::ClientIdentity> Identities::Of(std::size_t client) {
  const auto known = known_.find(client);
  if (known != known_.end()) {
    return known->second;
  }
  auto rng = StreamOf(seed_, "identity", client);
  const crypto::KeyPair keys = crypto::NewKeyPair(rng);
  TUTTI_ASSIGN(const std::string pem, crypto::IssueForKey(ca_.key, ca_pem_, keys.public_key,
                                                          {.name = NameOf(client).value(),
                                                           .role = "trainer",
                                                           .server_names = {},
                                                           .now = clock_.Wall(),
                                                           .days = kDays}));
  TUTTI_ASSIGN(Bytes certificate, crypto::CertificateDer(pem));
  return known_.emplace(client, secagg::ClientIdentity{keys.key, std::move(certificate)})
      .first->second;
}

}  // namespace tutti::simulate
