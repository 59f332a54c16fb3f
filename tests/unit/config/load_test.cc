#include "common/config/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

Lines JobProblems(const std::string& from, const std::string& to) {
  return Problems<v1::JobConfig>(Replaced(kJob, from, to));
}

TEST_CASE("a small job is complete with every default, also of absent sections", "[config]") {
  v1::JobConfig job;
  const LoadResult result = LoadText(kJob, "job.toml", job);
  REQUIRE(result.problems.empty());
  REQUIRE(job.name() == "digits");
  REQUIRE(job.model().input_shape_size() == 1);
  REQUIRE(job.model().activation() == "relu");
  REQUIRE(job.training().optimiser() == "sgd");
  REQUIRE(job.privacy().clip_norm() == Approx(1.0));
  REQUIRE(job.privacy().delta() == Approx(1e-5));
  REQUIRE(job.secure_aggregation().level() == "malicious");
  REQUIRE(job.secure_aggregation().value_bits() == 20);
  REQUIRE(job.deadlines().train_seconds() == Approx(600));
  REQUIRE(job.has_evaluation());
  REQUIRE(job.evaluation().every() == 1);
}

TEST_CASE("a value equal to zero in the file is kept over the default", "[config]") {
  v1::JobConfig job;
  REQUIRE(LoadText(kJob + "[evaluation]\nevery = 0\n", "job.toml", job).problems.empty());
  REQUIRE(job.evaluation().every() == 0);
}

TEST_CASE("an unknown key is named with its place and the nearest key", "[config]") {
  REQUIRE(JobProblems("batch_size", "batch_sise") ==
          Lines{"job.toml:9:2: training.batch_size: missing, expected a whole number from 1 to "
                "1048576; set it in [training]",
                "job.toml:11:1: training.batch_sise: unknown key in [training]; did you mean "
                "'batch_size'?"});
}

TEST_CASE("a key of another section is sent there", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kJob + "local_epochs = 1\n") ==
          Lines{"job.toml:19:1: cohort.local_epochs: unknown key in [cohort]; 'local_epochs' "
                "belongs in [training]"});
  REQUIRE(Problems<v1::JobConfig>(kJob + "warm_start = \"x\"\n") ==
          Lines{"job.toml:19:1: cohort.warm_start: unknown key in [cohort]; 'warm_start' stands "
                "above the first [section], move it there"});
}

TEST_CASE("a key like no other lists the keys of its section", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kJob + "zzzzzzzzzz = 1\n") ==
          Lines{"job.toml:19:1: cohort.zzzzzzzzzz: unknown key in [cohort]; expected one of "
                "min_clients, size, over_selection"});
}

TEST_CASE("a number in quotes is not a number", "[config]") {
  REQUIRE(JobProblems("batch_size = 16", "batch_size = \"16\"") ==
          Lines{"job.toml:11:14: training.batch_size: found the text \"16\", expected a whole "
                "number from 1 to 1048576; remove the quotes"});
}

TEST_CASE("every wrong type is refused with what was found", "[config]") {
  const std::string whole = ", expected a whole number from 1 to 1048576";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"true", "found true" + whole},
      {"16.0", "found the number 16.0" + whole + "; write it without a fraction"},
      {"[16]", "found a list" + whole},
      {"{a = 1}", "found a section" + whole},
      {"2020-01-01", "found a date or time" + whole},
      {"0", "found 0" + whole},
      {"-3", "found -3" + whole},
      {"1048577", "found 1048577" + whole},
      {"9223372036854775807", "found 9223372036854775807" + whole},
  };
  for (const auto& [value, text] : cases) {
    REQUIRE(JobProblems("batch_size = 16", "batch_size = " + value) ==
            Lines{"job.toml:11:14: training.batch_size: " + text});
  }
}

TEST_CASE("numbers out of range, infinite or not a number are refused", "[config]") {
  const std::string expected = ", expected a number above 0 and at most 1000";
  for (const auto& [value, found] :
       std::vector<std::pair<std::string, std::string>>{{"nan", "found nan"},
                                                        {"inf", "found inf"},
                                                        {"-inf", "found -inf"},
                                                        {"0", "found 0.0"},
                                                        {"1000.5", "found 1000.5"},
                                                        {"-1", "found -1.0"}}) {
    REQUIRE(JobProblems("learning_rate = 0.5", "learning_rate = " + value) ==
            Lines{"job.toml:10:17: training.learning_rate: " + found + expected});
  }
}

TEST_CASE("a whole number stands for a number", "[config]") {
  v1::JobConfig job;
  const LoadResult result =
      LoadText(Replaced(kJob, "learning_rate = 0.5", "learning_rate = 1"), "job.toml", job);
  REQUIRE(result.problems.empty());
  REQUIRE(job.training().learning_rate() == Approx(1.0));
}

TEST_CASE("a 32-bit key without a stated maximum still ends at 32 bits", "[config]") {
  REQUIRE(Problems<v1::ClientConfig>("state_directory = \"s\"\npolicy_file = \"p\"\n"
                                     "[data]\nformat = \"csv\"\nfile = \"f\"\nmin_examples = "
                                     "4294967296\n[data.csv]\nlabel = \"y\"\n")
              .size() == 1);
}

TEST_CASE("a word that is not one of the allowed gets the nearest", "[config]") {
  REQUIRE(
      JobProblems("\"logistic\"", "\"logistik\"") ==
      Lines{"job.toml:5:16: model.architecture: found \"logistik\", expected one of "
            "\"logistic\", \"linear\", \"mlp\", \"lenet5\", \"resnet\", \"cnn1d\", \"gru\", "
            "\"text_bag\", \"transformer\", \"kmeans\", \"layers\", \"torchscript\"; did you mean "
            "'logistic'?"});
}

TEST_CASE("sections and lists in the wrong shape say how to write them", "[config]") {
  REQUIRE(Problems<v1::JobConfig>("evaluation = 3\n" + kJob).front() ==
          "job.toml:1:14: evaluation: found the whole number 3, expected a section; write "
          "[evaluation]");
  REQUIRE(JobProblems("input_shape = [4]", "input_shape = 4") ==
          Lines{"job.toml:6:15: model.input_shape: found the whole number 4, expected a list; "
                "write the value in [ ]"});
  REQUIRE(Problems<v1::JobConfig>(kJob + "[model.layers]\ntype = \"relu\"\n").front() ==
          "job.toml:19:1: model.layers: found a section, expected a list of sections; write "
          "[[model.layers]]");
}

TEST_CASE("items of lists are checked one by one, and lists have a longest length", "[config]") {
  REQUIRE(JobProblems("[4]", "[4, 0, \"5\"]") ==
          Lines{"job.toml:6:19: model.input_shape[1]: found 0, expected a whole number from 1 to "
                "65536",
                "job.toml:6:22: model.input_shape[2]: found the text \"5\", expected a whole "
                "number from 1 to 65536; remove the quotes"});
  REQUIRE(JobProblems("[4]", "[1, 1, 1, 1, 1]") ==
          Lines{"job.toml:6:15: model.input_shape: found a list of 5 items, expected at most 4"});
  std::string layers;
  for (int i = 0; i < 65; ++i) {
    layers += "[[model.layers]]\ntype = \"relu\"\n";
  }
  REQUIRE(Problems<v1::JobConfig>(kJob + layers)
              .front()
              .find("found 65 sections, expected at most 64") != std::string::npos);
}

TEST_CASE("an empty file names every required key at its top", "[config]") {
  const Lines lines = Problems<v1::PolicyConfig>("");
  REQUIRE(lines == Lines{"job.toml:1:1: max_epsilon_total: missing, expected a number above 0 and "
                         "at most 1000; set it above the first section"});
  // Eight required keys, and neither steps nor epochs, and neither noise nor a target.
  REQUIRE(Problems<v1::JobConfig>("").size() == 10);
}

TEST_CASE("a key written twice is refused by the parser with its place", "[config]") {
  const Lines lines = Problems<v1::PolicyConfig>(kPolicy + "max_epsilon_total = 1.0\n");
  REQUIRE(lines.size() == 1);
  REQUIRE(lines.front().find("job.toml:2:") == 0);
  REQUIRE(lines.front().find("not valid TOML") != std::string::npos);
}

TEST_CASE("all problems come at once, in the order of the file", "[config]") {
  const Lines lines = Problems<v1::PolicyConfig>(
      "min_cohort = 1\ndelta = 2\nmax_epsilon_total = \"x\"\nnope = 1\n");
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    REQUIRE(lines[i].find("job.toml:" + std::to_string(i + 1) + ":") == 0);
  }
}

TEST_CASE("a byte order mark and Windows line ends are accepted", "[config]") {
  REQUIRE(Problems<v1::PolicyConfig>("\xEF\xBB\xBFmax_epsilon_total = 8.0\r\nmin_cohort = 5\r\n")
              .empty());
}

TEST_CASE("bytes that are not UTF-8 are refused and shown escaped", "[config]") {
  const Lines lines = Problems<v1::PolicyConfig>("jobs = [\"\xff\xfe\"]\nmax_epsilon_total = 1\n");
  REQUIRE(lines.size() == 1);
  REQUIRE(lines.front().find('\xff') == std::string::npos);
}

TEST_CASE("control characters in text are refused", "[config]") {
  REQUIRE(JobProblems("\"digits\"", "\"dig\\u001bits\"") ==
          Lines{"job.toml:1:8: name: found the control character \\x1b, expected text in quotes"});
}

TEST_CASE("text cannot grow without limit", "[config]") {
  REQUIRE(Problems<v1::ServerConfig>("state_directory = \"" + std::string(5000, 'a') + "\"\n")
              .front()
              .find("found text of 5000 bytes, at most 4096 are allowed") != std::string::npos);
}

TEST_CASE("nesting cannot exhaust the stack", "[config]") {
  std::string dotted = "a";
  for (int i = 0; i < 400000; ++i) {
    dotted += ".a";
  }
  for (const std::string& text :
       {dotted + " = 1\n", "[" + dotted + "]\n", "x = " + std::string(500000, '['),
        "\n\nx = {" + dotted + " = 1}\n"}) {
    const Lines lines = Problems<v1::PolicyConfig>(text);
    REQUIRE(lines.size() == 1);
    REQUIRE(lines.front().find("found more than 32 nested") != std::string::npos);
  }
}

TEST_CASE("dots in strings, comments and numbers are not nesting", "[config]") {
  const std::string dots(200, '.');
  std::string numbers;
  for (int i = 0; i < 100; ++i) {
    numbers += "1.5, ";
  }
  REQUIRE(Problems<v1::PolicyConfig>("# " + dots + "\n" + kPolicy + "jobs = [\"a" +
                                     std::string(60, '.') + "\"] # it's \"" + dots + "\n")
              .empty());
  v1::ClientConfig client;
  const LoadResult result =
      LoadText("[data.csv]\nmeans = [" + numbers + "]\n", "client.toml", client);
  REQUIRE(client.data().csv().means_size() == 100);
  REQUIRE(result.readable);
}

TEST_CASE("paths are taken from the file's folder", "[config]") {
  v1::ServerConfig server;
  const LoadResult result =
      LoadText("state_directory = \"state/../data\"\nadmin_socket = \"/run/a.sock\"\n",
               "/etc/tutti/server.toml", server);
  REQUIRE(result.problems.empty());
  REQUIRE(server.state_directory() == "/etc/tutti/data");
  REQUIRE(server.admin_socket() == "/run/a.sock");
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/tutti_config_XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name, std::ios::binary) << text;
    return path + "/" + name;
  }
};

TEST_CASE("files that are missing, too long, folders or pipes are refused", "[config]") {
  const Folder folder;
  v1::PolicyConfig policy;
  const auto problem = [&](const std::string& path) {
    const LoadResult result = LoadFile(path, policy);
    REQUIRE(result.problems.size() == 1);
    REQUIRE_FALSE(result.readable);
    REQUIRE(ExitCode(result.problems) == 78);
    return ToText(result.problems.front());
  };
  REQUIRE(problem(folder.path + "/none.toml").find("no such file") != std::string::npos);
  REQUIRE(problem(folder.path).find("is a directory, expected a TOML file") != std::string::npos);
  const std::string pipe = folder.path + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  REQUIRE(problem(pipe).find("is not a regular file") != std::string::npos);
  const std::string full = folder.Write("full.toml", std::string(kMaxFileBytes + 1, '#'));
  REQUIRE(problem(full).find("is longer than 1048576 bytes") != std::string::npos);
  const std::string most =
      folder.Write("most.toml", kPolicy + std::string(kMaxFileBytes - kPolicy.size(), '#'));
  REQUIRE(LoadFile(most, policy).problems.empty());
}

TEST_CASE("a file this user may not read ends with the permission code", "[config]") {
  if (::geteuid() == 0) {
    // The superuser reads everything; the mapping itself is what is left to test.
    const Problem problem{.file = "f", .permission = true};
    REQUIRE(ExitCode({&problem, 1}) == 77);
    return;
  }
  const Folder folder;
  const std::string path = folder.Write("policy.toml", kPolicy);
  REQUIRE(::chmod(path.c_str(), 0) == 0);
  v1::PolicyConfig policy;
  REQUIRE(ExitCode(LoadFile(path, policy).problems) == 77);
}

}  // namespace
}  // namespace tutti::config
