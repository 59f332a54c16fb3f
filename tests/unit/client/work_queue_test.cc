#include "client/work_queue.h"

#include <thread>
#include <vector>

#include "tests/catch.h"

namespace tutti::client {

TEST_CASE("work is taken in order and nothing after the end", "[client]") {
  WorkQueue queue;
  std::vector<int> done;
  for (int i = 0; i < 3; ++i) REQUIRE(queue.Push([&done, i] { done.push_back(i); }));
  for (int i = 0; i < 3; ++i) (*queue.Take())();
  REQUIRE(done == std::vector<int>{0, 1, 2});
  const auto nothing = queue.Take(Milliseconds(0));
  REQUIRE(nothing.has_value());
  REQUIRE_FALSE(*nothing);
  queue.Push([] {});
  queue.Close();
  REQUIRE_FALSE(queue.Take().has_value());
  REQUIRE_FALSE(queue.Push([] {}));
}

TEST_CASE("a full queue makes its feeder wait until there is room or the end", "[client]") {
  WorkQueue queue;
  REQUIRE(queue.PushBounded([] {}, 1));
  std::thread feeder([&] {
    queue.PushBounded([] {}, 1);
    queue.PushBounded([] {}, 1);
  });
  REQUIRE(queue.Take().has_value());
  REQUIRE(queue.Take().has_value());
  queue.Close();
  feeder.join();
  REQUIRE_FALSE(queue.PushBounded([] {}, 1));
}

TEST_CASE("work that a peer asks for without end is dropped above the limit", "[client]") {
  WorkQueue queue;
  REQUIRE(queue.TryPush([] {}, 2));
  REQUIRE(queue.TryPush([] {}, 2));
  REQUIRE_FALSE(queue.TryPush([] {}, 2));
  REQUIRE(queue.Take().has_value());
  REQUIRE(queue.TryPush([] {}, 2));
}

}  // namespace tutti::client
