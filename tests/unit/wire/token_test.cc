#include "common/wire/token.h"

#include "tests/catch.h"

namespace tutti::wire {

TEST_CASE("a join token round-trips, also with a trailing new line", "[wire]") {
  JoinToken token{.enrolment_address = "coordinator.example:7444",
                  .address = "coordinator.example:7443"};
  token.ca_sha256.fill(3);
  token.secret.fill(4);
  const std::string text = EncodeToken(token);
  REQUIRE(DecodeToken(text).value() == token);
  REQUIRE(DecodeToken(text + "\n").value() == token);
}

TEST_CASE("a cut, mistyped or foreign token is recognised", "[wire]") {
  const std::string text = EncodeToken(JoinToken{.enrolment_address = "a:1", .address = "a:2"});
  for (std::size_t size = 0; size < text.size(); ++size) {
    REQUIRE_FALSE(DecodeToken(text.substr(0, size)).ok());
  }
  for (std::size_t i = 7; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    REQUIRE_FALSE(DecodeToken(changed).ok());
  }
  REQUIRE_FALSE(DecodeToken("tutti2." + text.substr(7)).ok());
  REQUIRE_FALSE(DecodeToken("hello").ok());
}

}  // namespace tutti::wire
