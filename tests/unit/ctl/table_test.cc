#include "server/ctl/format.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

TEST_CASE("columns are as wide as their widest cell, without spaces at line ends", "[ctl]") {
  Table table({{"name"}, {"rounds", Align::kRight}, {"note"}});
  table.AddRow({"a", "5", ""});
  table.AddRow({"longer", "1000000", "x"});
  table.AddRule();
  table.AddRow({"total"});
  REQUIRE(table.Text() ==
          "name     rounds  note\n"
          "------  -------  ----\n"
          "a             5\n"
          "longer  1000000  x\n"
          "------  -------  ----\n"
          "total\n");
}

TEST_CASE("a peer's text cannot break a table or colour the terminal", "[ctl]") {
  Table table({{"name"}});
  table.AddRow({"\x1b[31mred\nline", "surplus"});
  REQUIRE(table.Text() == "name\n-------------------\n\\x1b[31mred\\x0aline\n");
  REQUIRE(Pairs({{"reason", "a\rb"}}) == "reason:  a\\x0db\n");
}

TEST_CASE("pairs are aligned", "[ctl]") {
  REQUIRE(Pairs({{"a", "1"}, {"long", "2"}, {"b", ""}}) == "a:     1\nlong:  2\nb:\n");
}

TEST_CASE("numbers are readable", "[ctl]") {
  REQUIRE(Percent(0.8125) == "81.25 %");
  REQUIRE(Percent(0) == "0.00 %");
  REQUIRE(Percent(-1) == "-");
  REQUIRE(Megabytes(12345678) == "12.3");
  REQUIRE(Size(37432) == "37.4 kB");
  REQUIRE(Size(12345678) == "12.3 MB");
  REQUIRE(Clock(0) == "0:00");
  REQUIRE(Clock(65.9) == "1:05");
  REQUIRE(Clock(3723) == "1:02:03");
  REQUIRE(Clock(-5) == "0:00");
  REQUIRE(Clock(1e300) == "277777:46:40");
  REQUIRE(Date(0) == "never");
  REQUIRE(Date(1700000000) == "2023-11-14 22:13:20Z");
  REQUIRE_FALSE(Date(INT64_MAX).empty());
}

TEST_CASE("an epsilon is never shown smaller than it is", "[ctl]") {
  REQUIRE(EpsilonText(1.2341) == "1.235");
  REQUIRE(EpsilonText(0) == "0.000");
  REQUIRE(EpsilonText(3, false) == "-");
}

v1::RoundInfo Round(std::uint64_t number, double accuracy) {
  v1::RoundInfo round;
  round.set_round(number);
  round.set_invited(8);
  round.set_survivors(7);
  round.set_dropped(1);
  round.set_groups(5);
  round.set_seconds(10.25);
  round.set_bytes_up(1500000);
  round.set_bytes_down(2000000);
  round.set_accuracy(accuracy);
  round.set_max_epsilon(1.5);
  round.set_max_epsilon_models(number == 1 ? 1e9 : 1.5);
  round.set_privacy_unit("example");
  return round;
}

TEST_CASE("models that predict numbers are shown by their loss", "[ctl]") {
  v1::JobReply reply;
  *reply.add_rounds() = Round(1, -1);
  *reply.add_rounds() = Round(2, -1);
  reply.mutable_rounds(0)->set_loss(61.25);
  reply.mutable_rounds(1)->set_loss(-1);
  REQUIRE(ScoreText(reply.rounds(0)) == "test loss 61.2500");
  REQUIRE(ScoreText(reply.rounds(1)) == "test accuracy -");
  REQUIRE(NewestEvaluated(reply.rounds()).round() == 1);
  const std::string table = RoundTable(reply.rounds());
  REQUIRE(table.find("test loss") != std::string::npos);
  REQUIRE(table.find("61.2500") != std::string::npos);
  REQUIRE(table.find("accuracy") == std::string::npos);
}

TEST_CASE("the table of rounds shows clients, accuracy, epsilon, traffic and totals", "[ctl]") {
  v1::JobReply reply;
  REQUIRE(RoundTable(reply.rounds()).empty());
  *reply.add_rounds() = Round(1, -1);
  *reply.add_rounds() = Round(2, 0.815);
  reply.mutable_rounds(1)->set_groups_left_out(1);
  REQUIRE(RoundTable(reply.rounds()) ==
          "round  in  dropped  groups  test accuracy  epsilon: coordinator      models  MB up  MB "
          "down  seconds\n"
          "-----  --  -------  ------  -------------  --------------------  ----------  -----  "
          "-------  -------\n"
          "    1   7        1       5              -                 1.500  no promise    1.5      "
          "2.0     10.2\n"
          "    2   7        1  4 of 5        81.50 %                 1.500       1.500    1.5      "
          "2.0     10.2\n"
          "-----  --  -------  ------  -------------  --------------------  ----------  -----  "
          "-------  -------\n"
          "total            2                                                             3.0      "
          "4.0     20.5\n");
  reply.mutable_rounds(0)->set_privacy_unit("none");
  REQUIRE(RoundTable(reply.rounds())
              .find("1   7        1       5              -                     -       -    1.5") !=
          std::string::npos);
}

}  // namespace
}  // namespace tutti::ctl
