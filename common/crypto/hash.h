// SHA-256, HMAC-SHA256, HKDF-SHA256. EVP objects are fetched once.
// Thread safety: functions are safe; Sha256 is confined to one thread.
// Sources: FIPS 180-4, RFC 2104, RFC 5869 (tests use its vectors).
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace tutti::crypto {

Digest Sha256(BytesView bytes);

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  void Update(BytesView bytes);
  Digest Finish();  // once; the stream is empty again afterwards

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest HmacSha256(BytesView key, BytesView message);
// RFC 5869 section 2.2 and 2.3; `length` at most 255 * 32.
Secret32 HkdfExtract(BytesView salt, BytesView input_key);
Secret32 HkdfExpand32(const Secret32& pseudorandom_key, BytesView info);  // 32 bytes of output
Bytes HkdfExpand(const Secret32& pseudorandom_key, BytesView info, std::size_t length);

}  // namespace tutti::crypto
