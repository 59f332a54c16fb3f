#include "common/wire/notice_memory.h"

#include "common/secagg/config.h"

namespace tutti::wire {
namespace {

// The field of a notice that names its session; null for those without one.
std::string* SessionIn(v1::Notice& notice) {
  switch (notice.what_case()) {
    case v1::Notice::kRoster:
      return notice.mutable_roster()->mutable_session();
    case v1::Notice::kBoxes:
      return notice.mutable_boxes()->mutable_session();
    case v1::Notice::kSurvivors:
      return notice.mutable_survivors()->mutable_session();
    case v1::Notice::kCertificate:
      return notice.mutable_certificate()->mutable_session();
    case v1::Notice::kClosed:
      return notice.mutable_closed()->mutable_session();
    case v1::Notice::kWelcome:
    case v1::Notice::kOffer:
    case v1::Notice::kEvaluation:
    case v1::Notice::WHAT_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

std::string* TaskIn(v1::Notice& notice) {
  if (notice.has_offer()) {
    return notice.mutable_offer()->mutable_task();
  }
  return notice.has_evaluation() ? notice.mutable_evaluation()->mutable_task() : nullptr;
}

void ShortenField(std::string* field, std::string& last) {
  if (field == nullptr) {
    return;
  }
  if (*field == last) {
    field->clear();
  } else {
    last = *field;
  }
}

void CompleteField(std::string* field, std::string& last) {
  if (field == nullptr) {
    return;
  }
  if (field->empty()) {
    *field = last;
  } else {
    last = *field;
  }
}

std::string OfferedSession(const v1::Notice& notice) {
  return ToString(secagg::EncodedConfigHash(AsBytes(notice.offer().config())));
}

}  // namespace

void NoticeMemory::Shorten(v1::Notice& notice) {
  ShortenField(SessionIn(notice), session_);
  ShortenField(TaskIn(notice), task_);
  if (notice.has_offer()) {
    session_ = OfferedSession(notice);
  }
}

void NoticeMemory::Complete(v1::Notice& notice) {
  CompleteField(SessionIn(notice), session_);
  CompleteField(TaskIn(notice), task_);
  if (notice.has_offer()) {
    session_ = OfferedSession(notice);
  }
}

}  // namespace tutti::wire
