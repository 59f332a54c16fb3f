#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <deque>
#include <unordered_map>

#include "common/base/text.h"
#include "common/crypto/certificate.h"
#include "common/crypto/certificate_parts.h"
#include "common/crypto/hash.h"

namespace tutti::crypto {
namespace {

using StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using StoreContext = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;

// The pinned CA, parsed once.
struct Anchor {
  StoreHandle store;
  CertificateInfo ca;
};

StatusOr<Anchor> AnchorOf(std::string_view ca_pem) {
  TUTTI_ASSIGN(const X509Handle ca, ParseCertificatePem(ca_pem));
  Anchor anchor;
  TUTTI_ASSIGN(anchor.ca, InfoOf(ca.get()));
  if (!anchor.ca.is_ca) {
    return FailedPrecondition("the pinned certificate is not a CA's; join again");
  }
  anchor.store.reset(X509_STORE_new());
  TUTTI_CHECK(anchor.store != nullptr && X509_STORE_add_cert(anchor.store.get(), ca.get()) == 1);
  return anchor;
}

StatusOr<CertificateInfo> VerifyAgainst(const Anchor& anchor, BytesView der, WallSeconds now) {
  const StatusOr<X509Handle> parsed = ParseCertificateDer(der);
  if (!parsed.ok()) {
    return Unauthenticated(MessageOf(parsed.status()));
  }
  X509* const certificate = parsed->get();
  const StoreContext context(X509_STORE_CTX_new());
  TUTTI_CHECK(context != nullptr);
  TUTTI_CHECK(X509_STORE_CTX_init(context.get(), anchor.store.get(), certificate, nullptr) == 1);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, static_cast<std::time_t>(now));
  TUTTI_CHECK(X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT) == 1);
  if (X509_verify_cert(context.get()) != 1) {
    const int error = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    return Unauthenticated(
        Join("certificate is not accepted: ", X509_verify_cert_error_string(error),
             "; expected one signed by the pinned CA and valid now"));
  }
  StatusOr<CertificateInfo> info = InfoOf(certificate);
  if (!info.ok()) {
    return Unauthenticated(MessageOf(info.status()));
  }
  if (info->is_ca) {
    return Unauthenticated("certificate is a CA's, expected a client's");
  }
  return info;
}

}  // namespace

StatusOr<CertificateInfo> VerifyCertificate(std::string_view ca_pem, BytesView der,
                                            WallSeconds now) {
  TUTTI_ASSIGN(const Anchor anchor, AnchorOf(ca_pem));
  return VerifyAgainst(anchor, der, now);
}

struct CachingVerifier::State {
  State(std::string_view ca_pem, const Clock& clock_arg, std::size_t capacity_arg)
      : anchor(AnchorOf(ca_pem)), clock(clock_arg), capacity(capacity_arg) {}

  StatusOr<Anchor> anchor;  // an error is the answer to every Verify
  const Clock& clock;
  std::size_t capacity;
  std::unordered_map<std::string, CertificateInfo> good;  // by SHA-256 of the whole certificate
  std::deque<std::string> order;                          // oldest first
};

CachingVerifier::CachingVerifier(std::string ca_pem, const Clock& clock, std::size_t capacity)
    : state_(std::make_unique<State>(ca_pem, clock, capacity)) {}
CachingVerifier::~CachingVerifier() = default;

StatusOr<CertificateInfo> CachingVerifier::Verify(BytesView der) {
  TUTTI_TRY(state_->anchor.status());
  const Anchor& anchor = *state_->anchor;
  const WallSeconds now = state_->clock.Wall();
  const std::string hash = ToString(Sha256(der));
  if (const auto found = state_->good.find(hash); found != state_->good.end()) {
    const CertificateInfo& info = found->second;
    // A remembered signature stays good; the dates are read anew.
    if (now >= info.not_before && now < info.not_after && now >= anchor.ca.not_before &&
        now < anchor.ca.not_after) {
      return info;
    }
    return VerifyAgainst(anchor, der, now);
  }
  TUTTI_ASSIGN(const CertificateInfo info, VerifyAgainst(anchor, der, now));
  if (state_->capacity > 0) {
    if (state_->order.size() == state_->capacity) {
      state_->good.erase(state_->order.front());
      state_->order.pop_front();
    }
    state_->good.emplace(hash, info);
    state_->order.push_back(hash);
  }
  return info;
}

}  // namespace tutti::crypto
