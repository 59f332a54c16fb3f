// Certificates, requests and keys as a peer or a file gives them. The first byte chooses which.
#include "common/crypto/certificate.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

void CheckInfo(const StatusOr<crypto::CertificateInfo>& info) {
  if (info.ok()) {
    Expect(info->role.size() <= 64, "a role is a short word");
  }
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  const std::string_view text = AsText(bytes);
  switch (choice % 4) {
    case 0:
      fuzz::CheckInfo(crypto::ReadCertificateDer(bytes));
      break;
    case 1:
      fuzz::CheckInfo(crypto::ReadCertificatePem(text));
      break;
    case 2:
      (void)crypto::RequestPublicKey(text).ok();
      break;
    default:
      (void)crypto::PrivateKeyFromPem(text).ok();
  }
  return 0;
}
