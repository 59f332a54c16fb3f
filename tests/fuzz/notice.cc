// Coordinator to client: any bytes as a notice.
#include "common/wire/conversation.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  v1::Notice received;
  if (!received.ParseFromArray(data, static_cast<int>(size))) {
    return 0;
  }
  const StatusOr<protocol::Notice> notice = wire::FromProto(received);
  if (!notice.ok()) {
    return 0;
  }
  v1::Notice sent;
  wire::ToProto(*notice, &sent);
  const StatusOr<protocol::Notice> again = wire::FromProto(sent);
  fuzz::Expect(again.ok(), "a notice we accepted is one we could have sent");
  fuzz::Expect(*again == *notice, "a notice survives the wire");
  return 0;
}
