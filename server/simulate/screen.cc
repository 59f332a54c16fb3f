#include "server/simulate/screen.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/terminal/numbers.h"

namespace tutti::simulate {
namespace {

constexpr double kSecondsBetween = 0.1;

}  // namespace

std::string Screen::Erase() {
  if (!drawn_) {
    return "";
  }
  drawn_ = false;
  return "\x1b[1A\x1b[2K\x1b[1A\x1b[2K";
}

std::string Screen::Line(const std::string& line) {
  next_ = 0;
  return Erase() + line;
}

std::string Screen::Bars(std::uint64_t published, std::size_t done, std::size_t expected,
                         double seconds) {
  if (!live_ || seconds < next_) {
    return "";
  }
  next_ = seconds + kSecondsBetween;
  const std::size_t width = std::clamp<std::size_t>(columns_ / 3, 10, 40);
  std::string left;
  if (published > 0 && published < rounds_) {
    const double each = seconds / static_cast<double>(published);
    left =
        Join(", about ", terminal::Clock(each * static_cast<double>(rounds_ - published)), " left");
  }
  const std::string rounds = Join("rounds    ", terminal::Bar(published, rounds_, width), " ",
                                  published, " of ", rounds_, "  ", terminal::Clock(seconds), left);
  const std::string training =
      Join("training  ", terminal::Bar(done, expected, width), " ", done, " of ", expected);
  const std::string text =
      Erase() + rounds.substr(0, columns_) + "\n" + training.substr(0, columns_) + "\n";
  drawn_ = true;
  return text;
}

}  // namespace tutti::simulate
