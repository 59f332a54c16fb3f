// Client to coordinator: any bytes as any request. The first byte chooses which.
#include "common/wire/conversation.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

template <typename Message, typename Parse>
void Try(BytesView bytes, Parse parse) {
  Message received;
  if (!received.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return;
  }
  const auto request = parse(received);
  if (!request.ok()) {
    return;
  }
  Message sent;
  wire::ToProto(*request, &sent);
  const auto again = parse(sent);
  Expect(again.ok(), "a request we accepted is one we could have sent");
  Expect(*again == *request, "a request survives the wire");
}

template <typename Message>
void Try(BytesView bytes) {
  Try<Message>(bytes, [](const Message& message) { return wire::FromProto(message); });
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  switch (choice % 8) {
    case 0:
      fuzz::Try<v1::JoinRequest>(bytes);
      break;
    case 1:
      fuzz::Try<v1::ShareRequest>(bytes);
      break;
    case 2:
      fuzz::Try<v1::CommitRequest>(bytes);
      break;
    case 3:
      fuzz::Try<v1::UnmaskRequest>(bytes);
      break;
    case 4:
      fuzz::Try<v1::DeclineRequest>(bytes);
      break;
    case 5:
      fuzz::Try<v1::EvaluationRequest>(bytes);
      break;
    case 6:
      fuzz::Try<v1::UploadChunk>(bytes, [](const auto& m) { return wire::HeaderFromProto(m); });
      break;
    default:
      fuzz::Try<v1::AttachRequest>(bytes, [](const auto& m) { return wire::BudgetFromProto(m); });
  }
  return 0;
}
