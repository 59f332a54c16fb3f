#include "client/data/csv.h"

#include "tests/catch.h"
#include "tests/unit/data/files.h"

namespace tutti::data {
namespace {

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

StatusOr<std::vector<std::vector<std::string>>> Records(const std::string& text) {
  const TestFolder folder;
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(folder.Write("t.csv", text)));
  CsvReader reader(std::move(source), ',', 1 << 20);
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> fields;
  while (true) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) return records;
    records.push_back(fields);
  }
}

v1::DataConfig Config(const std::string& path) {
  v1::DataConfig config;
  config.set_format("csv");
  config.set_file(path);
  config.mutable_csv()->set_label("class");
  return config;
}

StatusOr<Dataset> LoadText(const std::string& text, void (*change)(v1::DataConfig&) = nullptr) {
  const TestFolder folder;
  v1::DataConfig config = Config(folder.Write("t.csv", text));
  if (change != nullptr) change(config);
  return Load(config, Model({2}, 3));
}

std::string ErrorOf(const std::string& text, void (*change)(v1::DataConfig&) = nullptr) {
  const auto result = LoadText(text, change);
  REQUIRE_FALSE(result.ok());
  return TextOf(result.status());
}

using Table = std::vector<std::vector<std::string>>;

}  // namespace

// RFC 4180 section 2, rules 1 to 7.
TEST_CASE("records are read as RFC 4180 says", "[data]") {
  REQUIRE(Records("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n").value() ==
          Table{{"aaa", "bbb", "ccc"}, {"zzz", "yyy", "xxx"}});
  REQUIRE(Records("aaa,bbb\nzzz,yyy").value() == Table{{"aaa", "bbb"}, {"zzz", "yyy"}});
  REQUIRE(Records("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx").value() ==
          Table{{"aaa", "b\r\nbb", "ccc"}, {"zzz", "yyy", "xxx"}});
  REQUIRE(Records("\"aaa\",\"b\"\"bb\",\"c,c\"").value() == Table{{"aaa", "b\"bb", "c,c"}});
  REQUIRE(Records("a,,\n,\n").value() == Table{{"a", "", ""}, {"", ""}});
  REQUIRE(Records("\n\na,b\n\n\r\nc,d\n\n").value() == Table{{"a", "b"}, {"c", "d"}});
  REQUIRE(Records("\xef\xbb\xbf"
                  "a,b\n")
              .value() == Table{{"a", "b"}});
  REQUIRE(Records("\"\",\"\"").value() == Table{{"", ""}});
}

TEST_CASE("broken quoting is an error with its line", "[data]") {
  REQUIRE(
      Says(TextOf(Records("a\nb,\"open\nc").status()), "t.csv:2: a quoted field is not closed"));
  REQUIRE(Says(TextOf(Records("a\nb,\"x\"y\n").status()), "t.csv:2: text after a closing quote"));
  REQUIRE(Says(TextOf(Records("a,\"" + std::string(70'000, 'x') + "\"").status()),
               "longer than 65536 bytes"));
  REQUIRE(Says(TextOf(Records(std::string(2 << 20, '\n')).status()), "larger than data.max_bytes"));
}

TEST_CASE("all other columns are features in their order", "[data]") {
  const auto data = LoadText("x,class,y\n1,0,2\n 3.5 ,2,-4e1\n+1,1.0,.5\n");
  REQUIRE(data.ok());
  REQUIRE(data->examples == 3);
  REQUIRE(data->features == std::vector<float>{1, 2, 3.5, -40, 1, 0.5});
  REQUIRE(data->labels == std::vector<std::uint32_t>{0, 2, 1});
}

TEST_CASE("declared features come in the declared order with their own mean and stddev", "[data]") {
  const auto data = LoadText("x;class;note;y\n1;0;7;2\n3;1;7;4\n", [](v1::DataConfig& config) {
    config.mutable_csv()->set_delimiter(";");
    config.mutable_csv()->add_features("y");
    config.mutable_csv()->add_features("x");
    for (const double mean : {1.0, 3.0}) config.mutable_csv()->add_means(mean);
    for (const double stddev : {2.0, 4.0}) config.mutable_csv()->add_stddevs(stddev);
  });
  REQUIRE(data.ok());
  REQUIRE(data->features == std::vector<float>{0.5, -0.5, 1.5, 0});
}

TEST_CASE("a compressed table is read the same way", "[data]") {
  REQUIRE(LoadText(Gzip("x,class,y\n1,0,2\n1,1,2\n"))->features == std::vector<float>{1, 2, 1, 2});
}

TEST_CASE("each bad cell is named with line and column", "[data]") {
  const std::string head = "x,class,y\n1,0,2\n";
  REQUIRE(Says(ErrorOf(head + "1,0\n"), "t.csv:3: 2 cells, the header has 3"));
  REQUIRE(Says(ErrorOf(head + "1,0,2,3\n"), "t.csv:3: 4 cells"));
  REQUIRE(Says(ErrorOf(head + ",0,2\n"), "t.csv:3: column \"x\" is blank"));
  REQUIRE(Says(ErrorOf(head + "1,0,  \n"), "t.csv:3: column \"y\" is blank"));
  REQUIRE(Says(ErrorOf(head + "nan,0,2\n"), "t.csv:3: column \"x\" has nan, expected a finite"));
  REQUIRE(Says(ErrorOf(head + "1,0,-inf\n"), "expected a finite"));
  REQUIRE(Says(ErrorOf(head + "1,0,1e999\n"), "out of range"));
  REQUIRE(Says(ErrorOf(head + "1,0,1e300\n"), "does not fit a 32-bit number"));
  REQUIRE(Says(ErrorOf(head + "1,0,2x\n"), "has \"2x\", expected a number"));
  REQUIRE(Says(ErrorOf(head + "1,0,\x1b[31m\n"), "\\x1b[31m"));
  REQUIRE(Says(ErrorOf(head + "1,3,2\n"), "t.csv:3: label 3, the model has classes 0 .. 2"));
  REQUIRE(Says(ErrorOf(head + "1,-1,2\n"), "label -1"));
  REQUIRE(Says(ErrorOf(head + "1,0.5,2\n"), "label 0.5"));
  REQUIRE(Says(ErrorOf(head + "\"1\n\",0,2\n1,0,oops\n"), "t.csv:3: column \"x\""));
}

TEST_CASE("a table with no examples or wrong columns is refused", "[data]") {
  REQUIRE(Says(ErrorOf(""), "is empty"));
  REQUIRE(Says(ErrorOf("\n\n"), "is empty"));
  REQUIRE(Says(ErrorOf("x,class,y\n"), "has a header but no examples"));
  REQUIRE(Says(ErrorOf("x,clas,y\n1,0,2\n"), "no column \"class\"; did you mean \"clas\"?"));
  REQUIRE(Says(ErrorOf("x,class,y,z\n1,0,2,3\n"),
               "3 feature columns make 3 features, the job's model takes 2"));
  REQUIRE(Says(ErrorOf("x,class,x\n1,0,2\n"), "columns 1 and 3 are both called \"x\""));
  REQUIRE(Says(ErrorOf("x,class,y\n1,0,2\n",
                       [](v1::DataConfig& config) {
                         config.mutable_csv()->add_features("x");
                         config.mutable_csv()->add_features("class");
                       }),
               "contains the label column"));
  REQUIRE(Says(ErrorOf("x,class,y\n1,0,2\n",
                       [](v1::DataConfig& config) { config.mutable_csv()->add_means(1); }),
               "data.csv.means has 1 numbers"));
  REQUIRE(Says(ErrorOf("x,class,y\n1,0,2\n",
                       [](v1::DataConfig& config) { config.mutable_csv()->set_delimiter("::"); }),
               "expected one character"));
}

TEST_CASE("a table above max_bytes is refused while it is read", "[data]") {
  std::string text = "x,class,y\n";
  for (int i = 0; i < 1000; ++i) text += "1,0,2\n";
  REQUIRE(Says(ErrorOf(text, [](v1::DataConfig& config) { config.set_max_bytes(2000); }),
               "larger than data.max_bytes"));
  REQUIRE(Says(ErrorOf(Gzip(text), [](v1::DataConfig& config) { config.set_max_bytes(2000); }),
               "larger than data.max_bytes"));
  REQUIRE(Says(ErrorOf(text, [](v1::DataConfig& config) { config.set_max_bytes(7000); }),
               "more memory than"));
}

TEST_CASE("the slices of a table are disjoint and complete", "[data]") {
  const TestFolder folder;
  std::string text = "x,class,y\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + "," + std::to_string(i % 3) + ",0\n";
  v1::DataConfig config = Config(folder.Write("t.csv", text));
  for (const std::string kind : {"iid", "dirichlet"}) {
    std::vector<int> seen(100);
    for (std::uint32_t part = 0; part < 7; ++part) {
      config.mutable_slice()->set_kind(kind);
      config.mutable_slice()->set_index(part);
      config.mutable_slice()->set_count(7);
      config.mutable_slice()->set_alpha(0.5);
      const auto data = Load(config, Model({2}, 3));
      REQUIRE(data.ok());
      for (std::size_t row = 0; row < data->examples; ++row) {
        const auto i = static_cast<std::size_t>(data->features[2 * row]);
        REQUIRE(data->labels[row] == i % 3);
        ++seen[i];
      }
    }
    REQUIRE(seen == std::vector<int>(100, 1));
  }
}

TEST_CASE("one class only and an empty slice are warnings", "[data]") {
  REQUIRE(Says(LoadText("x,class,y\n1,2,2\n1,2,2\n")->warnings.at(0), "the one label 2"));
  const auto data = LoadText("x,class,y\n1,2,2\n", [](v1::DataConfig& config) {
    config.mutable_slice()->set_kind("iid");
    config.mutable_slice()->set_count(2);
  });
  REQUIRE(data.ok());
  REQUIRE(data->examples == 0);
  REQUIRE(Says(data->warnings.at(0), "has no examples"));
}

}  // namespace tutti::data
