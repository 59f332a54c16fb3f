#include "server/simulate/event_queue.h"

#include <utility>

namespace tutti::simulate {

void EventQueue::After(Milliseconds delay, std::function<void()> what) {
  future_.emplace(Key{now_ + delay, ++sequence_}, std::move(what));
}

bool EventQueue::Step() {
  if (future_.empty()) {
    return false;
  }
  auto next = future_.extract(future_.begin());
  now_ = next.key().time;
  next.mapped()();
  return true;
}

}  // namespace tutti::simulate
