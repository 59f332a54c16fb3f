// What a running simulation shows: lines, and under them two live bars on a terminal. Pure: gives
// the text to write. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <string>

namespace tutti::simulate {

class Screen {
 public:
  // `live`: the text goes to a terminal that understands cursor movements, of so many columns.
  Screen(bool live, std::size_t columns, std::uint64_t rounds)
      : live_(live), columns_(columns), rounds_(rounds) {}

  // A line for good (it ends with a line end), above the bars.
  std::string Line(const std::string& line);
  // So many rounds are published, so many trainings of the next one are done; `seconds` since the
  // start. At most ten times a second something is written.
  std::string Bars(std::uint64_t published, std::size_t done, std::size_t expected, double seconds);
  // Removes the bars.
  std::string Finish() { return Erase(); }

 private:
  std::string Erase();

  bool live_;
  std::size_t columns_;
  std::uint64_t rounds_;
  bool drawn_ = false;
  double next_ = 0;
};

}  // namespace tutti::simulate
