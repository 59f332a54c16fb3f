#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

Lines Server(const std::string& text) {
  return Problems<v1::ServerConfig>("state_directory = \"/s\"\n" + text);
}
Lines Client(const std::string& text, const std::string& top = "") {
  return Problems<v1::ClientConfig>("state_directory = \"/s\"\npolicy_file = \"/p\"\n" + top +
                                    "[data]\n" + text);
}
const std::string kIdx = "format = \"idx\"\nimages = \"i\"\nlabels = \"l\"\n";
const std::string kCsv = "format = \"csv\"\nfile = \"f\"\n";
const std::string kCsvLabel = "[data.csv]\nlabel = \"y\"\n";

TEST_CASE("addresses are host and port", "[config]") {
  for (const char* good : {"0.0.0.0:1", "example.org:65535", "[::1]:7443", "a-b.c:0"}) {
    INFO(good);
    REQUIRE(ParseHostPort(good).ok());
  }
  for (const char* bad : {"", ":1", "host", "host:", "host:65536", "host:-1", "host:1x", "::1:7443",
                          "[]:1", "[host]:1", "a b:1", "a:b:1", "host:00000000001", "\n:1"}) {
    INFO(bad);
    REQUIRE(ParseHostPort(bad).status().code() == StatusCode::kInvalidArgument);
  }
  REQUIRE(ParseHostPort("[::1]:7443")->host == "::1");
  REQUIRE(ParseHostPort("[::1]:7443")->port == 7443);
}

TEST_CASE("only loopback addresses are loopback", "[config]") {
  REQUIRE(IsLoopback("127.0.0.1"));
  REQUIRE(IsLoopback("127.9.9.9"));
  REQUIRE(IsLoopback("::1"));
  REQUIRE(IsLoopback("localhost"));
  REQUIRE_FALSE(IsLoopback("0.0.0.0"));
  REQUIRE_FALSE(IsLoopback("127.example.org"));
  REQUIRE_FALSE(IsLoopback("localhost.example.org"));
}

TEST_CASE("a server needs nothing but its folder", "[config]") { REQUIRE(Server("").empty()); }

TEST_CASE("a wrong address stands at its key", "[config]") {
  REQUIRE(Server("address = \"7443\"\n") ==
          Lines{"job.toml:2:1: address: found \"7443\", expected host:port with a port from 0 to "
                "65535, for instance 0.0.0.0:7443 or [::1]:7443"});
  REQUIRE(Server("metrics_address = \"on\"\n").size() == 1);
  REQUIRE(Server("metrics_address = \"off\"\n").empty());
}

TEST_CASE("two listeners do not share a port", "[config]") {
  REQUIRE(Server("enrolment_address = \"127.0.0.1:7443\"\n") ==
          Lines{"job.toml:2:1: enrolment_address: found port 7443, which address has too; choose "
                "another port"});
  REQUIRE(Server("address = \"127.0.0.1:1\"\nenrolment_address = \"127.0.0.2:1\"\n").empty());
  REQUIRE(Server("address = \"0.0.0.0:0\"\nenrolment_address = \"0.0.0.0:0\"\n").empty());
}

TEST_CASE("plain text stays on loopback", "[config]") {
  REQUIRE(Server("insecure_loopback = true\n").size() == 2);
  REQUIRE(Server("insecure_loopback = true\naddress = \"127.0.0.1:7443\"\nenrolment_address = "
                 "\"localhost:7444\"\n")
              .empty());
  const std::string insecure = "insecure_loopback = true\n";
  REQUIRE(Client(kIdx, insecure).size() == 1);
  REQUIRE(Client(kIdx, insecure + "server = \"example.org:7443\"\n").size() == 1);
  REQUIRE(Client(kIdx, insecure + "server = \"127.0.0.1:7443\"\n").empty());
}

TEST_CASE("public names are names", "[config]") {
  REQUIRE(Server("public_names = [\"a.example\", \"10.0.0.1\"]\n").empty());
  REQUIRE(Server("public_names = [\"https://a.example\"]\n").size() == 1);
}

TEST_CASE("each data format has the files it reads, and no others", "[config]") {
  REQUIRE(Client(kIdx).empty());
  REQUIRE(Client("format = \"idx\"\n") ==
          Lines{"job.toml:4:1: data.images: missing: format = \"idx\" needs the images file",
                "job.toml:4:1: data.labels: missing: format = \"idx\" needs the labels file"});
  REQUIRE(Client(kIdx + "file = \"f\"\n").size() == 1);
  REQUIRE(Client(kCsv + kCsvLabel).empty());
  // A table without a label is for jobs that find clusters or analyse.
  REQUIRE(Client(kCsv).empty());
  REQUIRE(Client(kCsv + "target = \"number\"\n").size() == 1);
  REQUIRE(Client(kCsv + "[data.csv]\nclasses = [\"a\", \"b\"]\n").size() == 1);
  REQUIRE(Client("format = \"csv\"\n").size() == 1);
  REQUIRE(Client(kCsv + "images = \"i\"\nlabels = \"l\"\n" + kCsvLabel).size() == 2);
}

TEST_CASE("a table's columns fit together", "[config]") {
  const auto csv = [](const std::string& text) { return Client(kCsv + kCsvLabel + text); };
  REQUIRE(csv("features = [\"a\", \"b\"]\nmeans = [1, 2]\nstddevs = [1.0, 0.5]\n").empty());
  REQUIRE(csv("features = [\"a\", \"y\"]\n").size() == 1);
  REQUIRE(csv("features = [\"a\", \"b\"]\nmeans = [1]\n").size() == 1);
  REQUIRE(csv("features = [\"a\"]\nstddevs = [0]\n").size() == 1);
  REQUIRE(csv("delimiter = \"\"\n").size() == 1);
  REQUIRE(csv("delimiter = \"||\"\n").size() == 1);
  REQUIRE(csv("delimiter = \"\\t\"\n").empty());
}

TEST_CASE("columns of a table are described without contradictions", "[config]") {
  const auto column = [](const std::string& text, const std::string& csv = "") {
    return Client(kCsv + kCsvLabel + csv + "[[data.csv.columns]]\nname = \"a\"\n" + text);
  };
  REQUIRE(
      column("kind = \"one_hot\"\ncategories = [\"x\", \"y\"]\nunknown = \"ignore\"\n").empty());
  REQUIRE(column("range = [0, 9.5]\noutliers = \"drop\"\ntransform = \"log\"\n").empty());
  REQUIRE(column("kind = \"one_hot\"\n") ==
          Lines{"job.toml:10:1: data.csv.columns[0].categories: missing: kind = \"one_hot\" needs "
                "the categories, the same on all clients; tutti-client data inspect lists what is "
                "found"});
  REQUIRE(column("categories = [\"x\"]\n").size() == 1);
  REQUIRE(column("unknown = \"drop\"\n").size() == 1);
  REQUIRE(column("kind = \"ordinal\"\ncategories = [\"x\", \"x\"]\n").size() == 1);
  REQUIRE(column("kind = \"ordinal\"\ncategories = [\"x\"]\nrange = [0, 1]\n").size() == 1);
  REQUIRE(column("range = [1]\n").size() == 1);
  REQUIRE(column("range = [1, 1]\n").size() == 1);
  REQUIRE(column("range = [-2, -1]\ntransform = \"log\"\n").size() == 1);
  REQUIRE(column("outliers = \"drop\"\n").size() == 1);
  REQUIRE(column("[[data.csv.columns]]\nname = \"a\"\n").size() == 1);
  REQUIRE(column("", "features = [\"b\"]\n").size() == 1);
  REQUIRE(column("[[data.csv.columns]]\nname = \"y\"\nmissing = \"drop\"\n").empty());
  REQUIRE(column("[[data.csv.columns]]\nname = \"y\"\nmissing = \"mean\"\n").size() == 1);
  REQUIRE(column("[[data.csv.columns]]\nname = \"y\"\nkind = \"ordinal\"\ncategories = [\"n\"]\n")
              .size() == 1);
}

TEST_CASE("what is predicted and prepared fits the format", "[config]") {
  REQUIRE(Client(kCsv + "target = \"number\"\n" + kCsvLabel).empty());
  REQUIRE(
      Client(kCsv + "target = \"number\"\n" + kCsvLabel + "classes = [\"a\", \"b\"]\n").size() ==
      1);
  REQUIRE(Client(kCsv + kCsvLabel + "classes = [\"a\"]\n").size() == 1);
  REQUIRE(Client(kCsv + kCsvLabel + "classes = [\"a\", \"a\"]\n").size() == 1);
  REQUIRE(Client(kCsv + kCsvLabel +
                 "features = [\"a\"]\nmeans = [0]\nstddevs = [1]\nscaling = \"standard\"\n")
              .size() == 1);
  REQUIRE(Client(kCsv + kCsvLabel + "features = [\"a\", \"a\"]\n").size() == 1);
  REQUIRE(Client(kCsv + "sensitive = [\"y\"]\n" + kCsvLabel).size() == 1);
  REQUIRE(Client(kCsv + "augment = [\"flip\"]\n" + kCsvLabel).size() == 1);
  REQUIRE(Client(kIdx + "augment = [\"flip\", \"noise\"]\nvalidation_fraction = 0.2\n").empty());
  REQUIRE(Client(kIdx + "target = \"number\"\n").size() == 1);
  REQUIRE(Client(kIdx + "sensitive = [\"sex\"]\n").size() == 1);
}

TEST_CASE("a slice by a column names it, and only then", "[config]") {
  const std::string table = kCsv + kCsvLabel + "[data.slice]\n";
  REQUIRE(Client(table + "kind = \"column\"\ncolumn = \"school\"\ncount = 160\n").empty());
  REQUIRE(Client(table + "kind = \"column\"\n").size() == 1);
  REQUIRE(Client(table + "kind = \"iid\"\ncolumn = \"school\"\n").size() == 1);
  REQUIRE(Client(kIdx + "[data.slice]\nkind = \"column\"\ncolumn = \"school\"\n").size() == 1);
}

TEST_CASE("a slice lies within its count", "[config]") {
  const auto slice = [](const std::string& text) { return Client(kIdx + "[data.slice]\n" + text); };
  REQUIRE(slice("kind = \"iid\"\nindex = 7\ncount = 8\n").empty());
  REQUIRE(slice("kind = \"iid\"\nindex = 8\ncount = 8\n") ==
          Lines{"job.toml:9:1: data.slice.index: found 8, expected 0 to 7: count is 8"});
  REQUIRE(slice("count = 8\n").size() == 1);
}

TEST_CASE("the ledger's name of a data set is a safe name", "[config]") {
  REQUIRE(Client(kIdx + "identity = \"a/b\"\n").size() == 1);
}

TEST_CASE("a hang is noticed before the time limit", "[config]") {
  REQUIRE(Client(kIdx + "[trainer]\ntime_limit_seconds = 60\n").empty());
  REQUIRE(Client(kIdx + "[trainer]\ntime_limit_seconds = 60\nhang_seconds = 61\n").size() == 1);
}

TEST_CASE("a policy is consistent", "[config]") {
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy).empty());
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "max_epsilon_round = 9\n") ==
          Lines{"job.toml:2:1: max_epsilon_round: found 9, more than max_epsilon_total = 8; one "
                "round cannot spend more than all, lower it"});
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "jobs = [\"fashion-*\", \"*\", \"a\"]\n").empty());
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "jobs = [\"*x\"]\n").size() == 1);
  const std::string hash(64, 'a');
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "torchscript = [\"" + hash + "\"]\n").empty());
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "torchscript = [\"model.pt\"]\n")
              .front()
              .find("torchscript: found \"model.pt\", expected the 64 hexadecimal digits") !=
          std::string::npos);
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "architectures = [\"lenet5\"]\n").empty());
  REQUIRE(Problems<v1::PolicyConfig>(kPolicy + "architectures = [\"lenet\"]\n")
              .front()
              .find("did you mean 'lenet5'?") != std::string::npos);
}

}  // namespace
}  // namespace tutti::config
