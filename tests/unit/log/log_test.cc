#include "common/log/log.h"

#include "tests/catch.h"

namespace tutti::log {

TEST_CASE("a text line quotes what is not a plain word", "[log]") {
  REQUIRE(FormatText("round published",
                     {{"job", "mnist"}, {"round", 3}, {"reason", "too few clients"}}) ==
          "round published job=mnist round=3 reason=\"too few clients\"");
  REQUIRE(FormatText("x", {{"empty", ""}, {"assign", "a=b"}}) == "x empty=\"\" assign=\"a=b\"");
}

TEST_CASE("a JSON line keeps numbers as numbers and escapes text", "[log]") {
  REQUIRE(FormatJson("e", {{"n", 7}, {"d", 0.5}, {"b", true}, {"s", "say \"hi\" \\"}}) ==
          R"("event":"e","n":7,"d":0.5,"b":true,"s":"say \"hi\" \\")");
  REQUIRE(FormatJson("e", {{"d", 1.0 / 0.0}}) == R"("event":"e","d":"inf")");
}

TEST_CASE("text of a peer can neither start a new line nor colour the terminal", "[log]") {
  const std::string evil = "a\nerror forged\x1b[31m";
  const std::string text = FormatText("e", {{"name", evil}});
  REQUIRE(text.find('\n') == std::string::npos);
  REQUIRE(text.find('\x1b') == std::string::npos);
  const std::string json = FormatJson("e", {{"name", evil}});
  REQUIRE(json.find('\n') == std::string::npos);
  // Escaped() writes \x0a; in JSON the backslash itself must be escaped.
  REQUIRE(json.find("\\\\x0a") != std::string::npos);
}

TEST_CASE("an unknown log level is refused", "[log]") {
  v1::LogConfig config;
  config.set_level("loud");
  REQUIRE(Setup(config, "test").code() == StatusCode::kInvalidArgument);
  config.set_level("error");
  config.set_format("json");
  REQUIRE(Setup(config, "test").ok());
}

}  // namespace tutti::log
