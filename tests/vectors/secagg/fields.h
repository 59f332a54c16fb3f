// What stands in a vector for each value of the protocol: its decoded fields, and its bytes as they
// travel. Thread safety: pure functions.
#pragma once

#include "common/protocol/messages.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"
#include "common/wire/notice_memory.h"
#include "tests/vectors/secagg/json.h"

namespace tutti::vectors {

Json FieldsOf(const secagg::RoundConfig& config);

// {"from", "to", "type", "bytes", "fields"} of a request. Joins of other clients inside a message
// are named by their places in the roster: their bytes stand at the client.
Json MessageOf(std::string_view from, const protocol::Request& request);
// The two chunks of an upload: the header alone, then the vector.
Json UploadHeaderMessage(std::string_view from, const protocol::UploadHeader& header);
Json UploadDataMessage(std::string_view from, BytesView vector);
// As the stream behind `memory` carries it: what it said last is left out of the bytes.
Json MessageOf(std::string_view to, const protocol::Notice& notice, wire::NoticeMemory& memory);

Bytes WireJoin(const secagg::Join& join);  // a JoinMessage

// Payload values as unsigned numbers below 2^bits, or signed.
Json UnsignedLanes(const secagg::RingVector& vector);
Json SignedLanes(const secagg::RingVector& vector);

}  // namespace tutti::vectors
