#include "server/simulate/results.h"

#include <nlohmann/json.hpp>

#include "server/simulate/plot.h"
#include "server/simulate/screen.h"
#include "tests/catch.h"

namespace tutti::simulate {
namespace {

Report TwoRounds() {
  Report report;
  report.rounds.push_back({.round = 1,
                           .clock_seconds = 12.5,
                           .round_seconds = 12.5,
                           .invited = 10,
                           .survivors = 8,
                           .groups = 1,
                           .train_loss = 0.75,
                           .update_norm = 2,
                           .clients_loss = 0.625,
                           .clients_accuracy = 0.7,
                           .worst_client = 0.375,
                           .test_loss = 0.5,
                           .test_accuracy = 0.8,
                           .robust_accuracy = 0.4,
                           .backdoor_success = 0.125,
                           .test_outcomes = {4, 0, 1, 3},
                           .test_gap = 0.125});
  report.rounds.push_back({.round = 2,
                           .failures = 1,
                           .clock_seconds = 40,
                           .round_seconds = 20,
                           .invited = 10,
                           .survivors = 9,
                           .groups = 1,
                           .train_loss = 0.25,
                           .update_norm = 1,
                           .back_to = 1});
  report.failures.push_back({2, 20, "only 2 masked vectors arrived"});
  report.client_rounds = 17;
  report.epsilon_coordinator = 1.23456;
  report.epsilon_models = 1;
  report.most_rounds = 2;
  return report;
}

About Private() {
  return {
      .job = "digits", .rounds = 3, .clients = 100, .seed = 7, .with_privacy = true, .delta = 1e-5};
}

}  // namespace

TEST_CASE("a table has a line a round, and nothing where nothing was measured", "[simulate]") {
  REQUIRE(ToCsv(TwoRounds()) ==
          "round,failures,clock_seconds,round_seconds,invited,survivors,malicious,late,groups,"
          "groups_left_out,train_loss,clipped_fraction,update_norm,clients_loss,"
          "clients_accuracy,worst_client,test_loss,test_accuracy,robust_accuracy,backdoor_success,"
          "test_gap,back_"
          "to,training_seconds,seconds\n"
          "1,0,12.5,12.5,10,8,0,0,1,0,0.75,0,2,0.625,0.7,0.375,0.5,0.8,0.4,0.125,0.125,0,0,0\n"
          "2,1,40,20,10,9,0,0,1,0,0.25,0,1,,,,,,,,,1,0,0\n");
}

TEST_CASE("a document says what was simulated and that its noise protects nobody", "[simulate]") {
  const auto document = nlohmann::json::parse(ToJson(Private(), TwoRounds()));
  REQUIRE(document["job"] == "digits");
  REQUIRE(document["insecure_noise"] == true);
  REQUIRE(document["rounds"].size() == 2);
  REQUIRE(document["rounds"][0]["test_accuracy"] == 0.8);
  REQUIRE(document["rounds"][0]["robust_accuracy"] == 0.4);
  REQUIRE(document["rounds"][0]["backdoor_success"] == 0.125);
  REQUIRE(document["rounds"][1]["test_accuracy"].is_null());
  REQUIRE(document["rounds"][1]["robust_accuracy"].is_null());
  REQUIRE(document["rounds"][1]["backdoor_success"].is_null());
  REQUIRE(document["rounds"][1]["back_to"] == 1);
  REQUIRE(document["rounds"][0]["test_gap"] == 0.125);
  REQUIRE(document["rounds"][0]["test_outcomes"] == std::vector<int>{4, 0, 1, 3});
  REQUIRE(document["rounds"][1]["test_gap"].is_null());
  REQUIRE(document["failures"][0]["reason"] == "only 2 masked vectors arrived");
  REQUIRE(document["epsilon_coordinator"] == 1.23456);
  About plain = Private();
  plain.with_privacy = false;
  REQUIRE(nlohmann::json::parse(ToJson(plain, {}))["epsilon_coordinator"].is_null());
}

TEST_CASE("the summary names the last measured model, the epsilon rounded up, and a warning",
          "[simulate]") {
  Report report = TwoRounds();
  report.ended = "stopped";
  const std::string text = Summary(Private(), report);
  INFO(text);
  REQUIRE(text.find("2 of 3, 1 attempts failed") != std::string::npos);
  REQUIRE(
      text.find("80.00 %, loss 0.5000, robust accuracy 40.00 %, backdoor 12.50 % after round 1") !=
      std::string::npos);
  REQUIRE(text.find("at most 1.235 against the coordinator") != std::string::npos);
  REQUIRE(text.find("ended early: stopped") != std::string::npos);
  REQUIRE(text.find("a simulation protects nobody's data") != std::string::npos);
}

TEST_CASE("a round has one line", "[simulate]") {
  RoundReport round = TwoRounds().rounds[0];
  REQUIRE(RoundLine(round, 3) ==
          "round 1 of 3: 8 of 10 in, test accuracy 80.00 %, loss 0.5000, robust accuracy 40.00 %, "
          "backdoor 12.50 %, gap 12.50 %, 12.5 s, clock 0:12\n");
  REQUIRE(RoundLine(TwoRounds().rounds[1], 3) ==
          "round 2 of 3: 9 of 10 in, dropped for the model of round 1, 20.0 s, clock 0:40\n");
  round.malicious = 2;
  round.groups = 4;
  round.groups_left_out = 1;
  for (auto* rate :
       {&round.test_accuracy, &round.robust_accuracy, &round.backdoor_success, &round.test_gap}) {
    rate->reset();
  }
  REQUIRE(RoundLine(round, 3) ==
          "round 1 of 3: 8 of 10 in (2 malicious), 3 of 4 groups, test loss 0.5000, 12.5 s, clock "
          "0:12\n");
  round.test_loss.reset();
  REQUIRE(RoundLine(round, 3) ==
          "round 1 of 3: 8 of 10 in (2 malicious), 3 of 4 groups, 12.5 s, clock 0:12\n");
}

TEST_CASE("models that predict numbers are shown by their loss alone", "[simulate]") {
  Report report = TwoRounds();
  for (RoundReport& round : report.rounds) {
    round.test_accuracy.reset();
    round.robust_accuracy.reset();
    round.backdoor_success.reset();
  }
  REQUIRE(Summary(Private(), report).find("loss 0.5000 after round 1") != std::string::npos);
  REQUIRE(Summary(Private(), report).find("accuracy") == std::string::npos);
  REQUIRE(ToSvg("concrete", report).find("accuracy") == std::string::npos);
  REQUIRE(ToSvg("classes", TwoRounds()).find("Test accuracy") != std::string::npos);
  REQUIRE(nlohmann::json::parse(ToJson(Private(), report))["rounds"][0]["test_accuracy"].is_null());
}

TEST_CASE("a picture is well-formed whatever was measured", "[simulate]") {
  Report steady = TwoRounds();
  for (RoundReport& round : steady.rounds) round.test_accuracy = round.test_loss = 1.0;
  for (const Report& report : {TwoRounds(), Report{}, steady}) {
    const std::string svg = ToSvg("a < b & c", report);
    REQUIRE(svg.starts_with("<svg "));
    REQUIRE(svg.ends_with("</svg>\n"));
    REQUIRE(svg.find("a &lt; b &amp; c") != std::string::npos);
    REQUIRE(svg.find("nan") == std::string::npos);
    REQUIRE(svg.find("inf") == std::string::npos);
    REQUIRE(svg.size() < 20'000);
  }
}

TEST_CASE("a picture has a curve for each kind of accuracy that was measured", "[simulate]") {
  const std::string svg = ToSvg("attacked", TwoRounds());
  REQUIRE(svg.find(">robust</text>") != std::string::npos);
  REQUIRE(svg.find(">backdoor</text>") != std::string::npos);
  Report plain = TwoRounds();
  plain.rounds[0].robust_accuracy.reset();
  plain.rounds[0].backdoor_success.reset();
  REQUIRE(ToSvg("plain", plain).find(">robust</text>") == std::string::npos);
  REQUIRE(ToSvg("plain", plain).find(">backdoor</text>") == std::string::npos);
}

TEST_CASE("bars are drawn on a terminal only, ten times a second at most", "[simulate]") {
  Screen pipe(false, 80, 10);
  REQUIRE(pipe.Bars(3, 1, 2, 1.0).empty());
  REQUIRE(pipe.Line("a\n") == "a\n");
  Screen terminal(true, 80, 10);
  const std::string first = terminal.Bars(5, 10, 20, 60.0);
  REQUIRE(first.find("] 5 of 10  1:00, about 1:00 left") != std::string::npos);
  REQUIRE(first.find("[#############.............] 10 of 20") != std::string::npos);
  REQUIRE(terminal.Bars(5, 11, 20, 60.05).empty());
  REQUIRE(terminal.Bars(5, 12, 20, 60.2).starts_with("\x1b[1A\x1b[2K\x1b[1A\x1b[2K"));
  REQUIRE(terminal.Line("done\n") ==
          "\x1b[1A\x1b[2K\x1b[1A\x1b[2K"
          "done\n");
  REQUIRE(terminal.Finish().empty());
}

}  // namespace tutti::simulate
