#include "server/ctl/arguments.h"

#include <fstream>
#include <sstream>

#include "tests/catch.h"

namespace tutti::ctl {
namespace {

Arguments Good(const std::vector<std::string>& words) {
  const Parsed parsed = Parse(words);
  INFO(parsed.error);
  REQUIRE(parsed.arguments.has_value());
  return *parsed.arguments;
}

std::string Wrong(const std::vector<std::string>& words) {
  const Parsed parsed = Parse(words);
  REQUIRE_FALSE(parsed.arguments.has_value());
  REQUIRE(parsed.exit_code == 64);
  REQUIRE(parsed.out.empty());
  return parsed.error;
}

TEST_CASE("every command is recognised", "[ctl]") {
  REQUIRE(Good({"status"}).command == Command::kStatus);
  REQUIRE(Good({"token", "create"}).command == Command::kTokenCreate);
  REQUIRE(Good({"run", "a.toml"}).command == Command::kRun);
  REQUIRE(Good({"job", "list"}).command == Command::kJobList);
  REQUIRE(Good({"job", "show", "a"}).command == Command::kJobShow);
  REQUIRE(Good({"job", "stop", "a"}).command == Command::kJobStop);
  REQUIRE(Good({"job", "report", "a"}).command == Command::kJobReport);
  REQUIRE(Good({"job", "report", "a", "--round", "3", "--json"}).round == "3");
  REQUIRE(Good({"job", "report", "a", "--toml", "--label", "y"}).label == "y");
  REQUIRE(Good({"job", "resume", "a"}).command == Command::kJobResume);
  REQUIRE(Good({"job", "watch", "a"}).command == Command::kJobWatch);
  REQUIRE(Good({"clients"}).command == Command::kClientsList);
  REQUIRE(Good({"clients", "list"}).command == Command::kClientsList);
  REQUIRE(Good({"clients", "revoke", "a"}).command == Command::kClientsRevoke);
  REQUIRE(Good({"clients", "readmit", "a"}).command == Command::kClientsReadmit);
  REQUIRE(Good({"model", "list"}).command == Command::kModelList);
  REQUIRE(Good({"model", "export", "a", "-o", "b"}).command == Command::kModelExport);
  REQUIRE(Good({"model", "compress", "a", "-o", "b"}).command == Command::kModelCompress);
}

TEST_CASE("options reach their command", "[ctl]") {
  const Arguments token =
      Good({"token", "create", "--name", "a", "--role", "evaluator", "--lifetime", "60"});
  REQUIRE(token.name == "a");
  REQUIRE(token.role == "evaluator");
  REQUIRE(token.lifetime == 60);
  const Arguments run = Good({"run", "--set", "rounds=5", "a.toml", "--set", "name=b", "--watch"});
  REQUIRE(run.job_file == "a.toml");
  REQUIRE(run.sets == std::vector<std::string>{"rounds=5", "name=b"});
  REQUIRE(run.watch);
  const Arguments fetch = Good({"model", "export", "a", "--round", "3", "-o", "b", "--force"});
  REQUIRE(fetch.name == "a");
  REQUIRE(fetch.round == "3");
  REQUIRE(Good({"model", "export", "a", "--round", "best", "-o", "b"}).round == "best");
  REQUIRE(fetch.output == "b");
  REQUIRE(fetch.force);
  REQUIRE(Good({"model", "list"}).name.empty());
  REQUIRE(Good({"model", "list", "a"}).name == "a");
}

TEST_CASE("every listing has --json", "[ctl]") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"token", "create"},
                                             {"job", "list"},
                                             {"job", "show", "a"},
                                             {"clients"},
                                             {"clients", "list"},
                                             {"model", "list"},
                                             {"model", "export", "a", "-o", "b"}}) {
    std::vector<std::string> with = words;
    with.push_back("--json");
    REQUIRE(Good(with).json);
    REQUIRE_FALSE(Good(words).json);
  }
}

TEST_CASE("the endpoint may stand before or after the command", "[ctl]") {
  REQUIRE(Good({"--socket", "/s", "status"}).endpoint.socket == "/s");
  REQUIRE(Good({"job", "list", "--socket", "/s"}).endpoint.socket == "/s");
  const Arguments tls =
      Good({"status", "--server", "h:1", "--ca", "a", "--cert", "b", "--key", "c"});
  REQUIRE(tls.endpoint.server == "h:1");
  REQUIRE(tls.endpoint.ca == "a");
  REQUIRE(tls.endpoint.certificate == "b");
  REQUIRE(tls.endpoint.key == "c");
}

TEST_CASE("mistakes end with the usage code and say what to do", "[ctl]") {
  REQUIRE(Wrong({"stats"}).find("unknown command 'stats'; did you mean 'tutti status'?") !=
          std::string::npos);
  REQUIRE(
      Wrong({"job"}).find("'tutti job' needs a command: list, show, report, stop, resume, watch") !=
      std::string::npos);
  REQUIRE(Wrong({"job", "shwo", "a"}).find("did you mean 'tutti job show'?") != std::string::npos);
  REQUIRE_FALSE(Wrong({"job", "report"}).empty());
  REQUIRE_FALSE(Wrong({"job", "report", "a", "--round", "best"}).empty());
  REQUIRE_FALSE(Wrong({"job", "report", "a", "--toml", "--json"}).empty());
  REQUIRE_FALSE(Wrong({"job", "report", "a", "--label", "y"}).empty());
  REQUIRE_FALSE(Wrong({"run"}).empty());
  REQUIRE_FALSE(Wrong({"model", "export", "a"}).empty());
  REQUIRE_FALSE(Wrong({"model", "export", "a", "-o", "b", "--round", "0"}).empty());
  REQUIRE_FALSE(Wrong({"model", "export", "a", "-o", "b", "--round", "worst"}).empty());
  REQUIRE_FALSE(Wrong({"token", "create", "--role", "king"}).empty());
  REQUIRE_FALSE(Wrong({"token", "create", "--lifetime", "1"}).empty());
  REQUIRE_FALSE(Wrong({"status", "--server", "h:1"}).empty());
  REQUIRE_FALSE(Wrong({"status", "--socket", "s", "--server", "h:1"}).empty());
  REQUIRE_FALSE(Wrong({"run", "a.toml", "--watch", "--json"}).empty());
}

TEST_CASE("help is there for every command and shows an example", "[ctl]") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"--help"},
                                             {"run", "--help"},
                                             {"token", "create", "--help"},
                                             {"job", "watch", "--help"},
                                             {"clients", "--help"},
                                             {"model", "export", "--help"}}) {
    const Parsed parsed = Parse(words);
    REQUIRE_FALSE(parsed.arguments.has_value());
    REQUIRE(parsed.exit_code == 0);
    REQUIRE(parsed.out.find("  tutti ") != std::string::npos);
  }
  REQUIRE(Parse({"--version"}).out.rfind("tutti ", 0) == 0);
}

TEST_CASE("the help of --set says that text stands without quotes", "[ctl]") {
  std::istringstream help(Parse({"run", "--help"}).out);
  std::string words;  // however the lines are broken
  for (std::string word; help >> word;) words += word + " ";
  REQUIRE(words.find("text stands without quotes") != std::string::npos);
}

TEST_CASE("docs/cli.md has every command of tutti", "[ctl]") {
  std::ifstream file(std::string(TUTTI_SOURCE_DIR) + "/docs/cli.md");
  std::ostringstream text;
  text << file.rdbuf();
  for (const char* command :
       {"tutti status", "tutti token create", "tutti run", "tutti job list", "tutti job show",
        "tutti job report", "tutti job stop", "tutti job resume", "tutti job watch",
        "tutti clients", "tutti clients revoke", "tutti clients readmit", "tutti model list",
        "tutti model export"}) {
    INFO(command);
    REQUIRE(text.str().find(command) != std::string::npos);
  }
}

TEST_CASE("every word after simulate goes to the simulator as it stands", "[ctl]") {
  const std::vector<std::string> words{"job.toml", "--data", "client.toml", "--help",
                                       "--json",   "--set",  "a.b=1"};
  std::vector<std::string> all = words;
  all.insert(all.begin(), "simulate");
  const Arguments arguments = Good(all);
  REQUIRE(arguments.command == Command::kSimulate);
  REQUIRE(arguments.rest == words);
}

}  // namespace
}  // namespace tutti::ctl
