// Many Ed25519 signatures verified at once, in a third of the time one by one
// (docs/performance.md): Debian has no library that does this. Takes time that depends on its
// inputs, all of which are public. Thread safety: pure function, safe to call from any thread.
//
// Method. With h = SHA-512(R, A, M) a signature (R, S) by key A of message M leaves the difference
// D = S B - h A - R, and is good when D is zero. Instead of each D, the sum of z D over the batch
// is computed as one sum of multiples, z being 128 random bits for each signature, and is
// multiplied by
// 8. Zero for a batch in which some 8 D is not: probability 2^-128. Otherwise each signature is
// given to Verify, so the bad ones are found, and in any doubt Verify decides. Source: Bernstein,
// Duif, Lange, Schwabe, Yang 2012, "High-speed high-security signatures", section 5.
//
// The z come from a stream keyed with a hash of the whole batch, as BIP 340 does ("Batch
// Verification"), not from the system: nobody can choose a signature after seeing them, as any
// change to the batch changes all of them, and looking for a batch that passes takes 2^128 hashes,
// more than a discrete logarithm on this curve costs. It keeps the answer the same every time and
// does not rest on a good generator.
//
// Against Verify. What Verify accepts this accepts: then D is zero. What Verify refuses this
// refuses except when D is not zero and 8 D is. Refused before the sum is made, as Verify does: S
// not below the group order, A or R not in canonical form or of small order; so what remains is an
// A or R which is the sum of a good point and one of small order. Only the owner of a key can make
// such a signature (to make it for another's key is to forge), by choosing such a key or such an R,
// and who can sign needs no second way to. The harm would be that two parties disagree whether it
// signed: this function may accept in one batch, and name in another that has a bad signature
// besides, what Verify refuses. At level malicious a coordinator follows Verify
// (common/secagg/server_*.cc), so no client gets such a signature past it to those who would refuse
// it; a coordinator that passes it on can make one client go on and another stop, as it can by
// answering one and not the other. The statements that are signed are the same either way. Without
// the factor 8 there would be the same signatures, accepted with probability 1/8 or more depending
// on z: the worst of both. Source: Chalkias, Garillot, Nikolaenko 2020, "Taming the many EdDSAs",
// section 4 (batches agree reliably only with the equation that has the cofactor).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/keys.h"

namespace tutti::crypto {

struct SignedMessage {
  Ed25519Public key;
  BytesView message;  // borrowed
  Signature signature;
};

// The indices of the signatures that are not good, ascending; empty when all are.
std::vector<std::size_t> BadSignatures(std::span<const SignedMessage> batch);

}  // namespace tutti::crypto
