// What a stream of notices said once it does not say again: the session's name and the task travel
// when they change. Each end of a stream has one memory and passes every notice through it, in the
// stream's order. Thread safety: confined to one thread.
#pragma once

#include <string>

#include "tutti/v1/coordinator.pb.h"

namespace tutti::wire {

class NoticeMemory {
 public:
  // The sender's end: takes out of `notice` what the stream carried last.
  void Shorten(v1::Notice& notice);
  // The receiver's end: puts it back. What no notice has carried yet stays empty, which FromProto
  // refuses.
  void Complete(v1::Notice& notice);

 private:
  std::string session_;
  std::string task_;
};

}  // namespace tutti::wire
