#include "common/platform/executor.h"

#include <atomic>
#include <numeric>

#include "tests/catch.h"

namespace tutti::platform {

TEST_CASE("one thread runs tasks in order and finishes them before it stops", "[platform]") {
  std::vector<int> order;
  Executor executor("test", 1);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(executor.TryPost([&order, i] { order.push_back(i); }));
  }
  executor.Stop();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  REQUIRE(order == expected);
  REQUIRE(!executor.TryPost([] {}));
}

TEST_CASE("a full executor takes no more tasks", "[platform]") {
  std::mutex gate;
  std::unique_lock closed(gate);
  std::atomic<bool> started{false};
  Executor executor("test", 1, 2);
  REQUIRE(executor.TryPost([&] {
    started = true;
    const std::lock_guard wait(gate);
  }));
  while (!started) {
    std::this_thread::yield();
  }
  REQUIRE(executor.TryPost([] {}));
  REQUIRE(executor.TryPost([] {}));
  REQUIRE(!executor.TryPost([] {}));
  closed.unlock();
}

TEST_CASE("parallel parts all run once, whatever the number of threads", "[platform]") {
  Executor executor("test", 3);
  for (const std::size_t parts : {0U, 1U, 2U, 7U, 64U}) {
    std::vector<std::atomic<int>> ran(parts);
    RunInParallel(executor, parts, [&](std::size_t part) { ++ran[part]; });
    for (const auto& count : ran) {
      REQUIRE(count == 1);
    }
  }
}

}  // namespace tutti::platform
