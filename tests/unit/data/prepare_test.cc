// What the keys of [data.csv] and [[data.csv.columns]] do to a table.
#include "client/data/columns.h"
#include "tests/unit/data/tables.h"

namespace tutti::data {
namespace {

using Floats = std::vector<float>;

std::vector<float> FeaturesOf(const std::string& text, const Change& change) {
  const auto data = Prepared(text, change);
  INFO(data.status());
  REQUIRE(data.ok());
  return data->features;
}

const std::string kHousing = "housing,y\nown,0\nrent,1\nfree,0\n";

}  // namespace

TEST_CASE("a one_hot column makes a feature for each category in the order declared", "[data]") {
  const auto data = Prepared(kHousing, [](auto& config) {
    AddColumn(config, "housing", "one_hot", {"rent", "own", "free"});
  });
  REQUIRE(data.ok());
  REQUIRE(data->width == 3);
  REQUIRE(data->features == Floats{0, 1, 0, 1, 0, 0, 0, 0, 1});
  REQUIRE(data->table.feature_names ==
          std::vector<std::string>{"housing=rent", "housing=own", "housing=free"});
}

TEST_CASE("an ordinal column is the place of its category", "[data]") {
  REQUIRE(FeaturesOf(kHousing, [](auto& config) {
            AddColumn(config, "housing", "ordinal", {"free", "rent", "own"});
          }) == Floats{2, 1, 0});
}

TEST_CASE("a cell that is no category is refused, dropped or ignored", "[data]") {
  const auto with = [](const std::string& kind, const std::string& unknown) {
    return [=](v1::DataConfig& config) {
      AddColumn(config, "housing", kind, {"own", "rent"}).set_unknown(unknown);
    };
  };
  REQUIRE(Says(WhyNot(kHousing, with("one_hot", "refuse")),
               "t.csv:4: column \"housing\" has \"free\", expected one of own, rent"));
  REQUIRE(FeaturesOf(kHousing, with("one_hot", "drop")) == Floats{1, 0, 0, 1});
  REQUIRE(FeaturesOf(kHousing, with("one_hot", "ignore")) == Floats{1, 0, 0, 1, 0, 0});
  REQUIRE(FeaturesOf(kHousing, with("ordinal", "drop")) == Floats{0, 1});
  REQUIRE(Prepared(kHousing, with("one_hot", "drop"))->table.left_out.unknown == 1);
  // As missing: what that means is for `missing` to say.
  REQUIRE(Says(WhyNot(kHousing, with("ordinal", "ignore")), "data.csv.missing"));
  REQUIRE(FeaturesOf(kHousing, [&](auto& config) {
            with("ordinal", "ignore")(config);
            config.mutable_csv()->set_missing("mean");
          }) == Floats{0, 1, 0.5});
}

TEST_CASE("missing cells become what the table or their column says", "[data]") {
  const std::string text = "a,y\n1,0\n,1\nNA,0\n2,1\n6,0\n";
  const auto with = [&](const std::string& word) {
    return FeaturesOf(text, [&](auto& config) { config.mutable_csv()->set_missing(word); });
  };
  REQUIRE(with("mean") == Floats{1, 3, 3, 2, 6});
  REQUIRE(with("median") == Floats{1, 2, 2, 2, 6});
  REQUIRE(with("zero") == Floats{1, 0, 0, 2, 6});
  REQUIRE(with("indicator") == Floats{1, 0, 3, 1, 3, 1, 2, 0, 6, 0});
  REQUIRE(with("drop") == Floats{1, 2, 6});
  REQUIRE(Says(WhyNot(text, [](auto&) {}),
               "t.csv:3: column \"a\" is blank, expected a value; "
               "data.csv.missing says what"));
  REQUIRE(FeaturesOf(text, [](auto& config) {
            config.mutable_csv()->set_missing("drop");
            AddColumn(config, "a").set_missing("zero");
          }) == Floats{1, 0, 0, 2, 6});
}

TEST_CASE("the median of an even number of values lies between the middle two", "[data]") {
  REQUIRE(FeaturesOf("a,y\n1,0\n9,0\n4,0\n2,0\n,1\n", [](auto& config) {
            config.mutable_csv()->set_missing("median");
          }).back() == 3.0F);
}

TEST_CASE("a missing category is all zeros, the shares, or the most frequent one", "[data]") {
  const std::string text = "c,y\na,0\nb,0\nb,1\nb,1\n,0\n";
  const auto last = [&](const std::string& word) {
    const auto all = FeaturesOf(text, [&](auto& config) {
      AddColumn(config, "c", "one_hot", {"a", "b"}).set_missing(word);
    });
    const std::size_t width = all.size() / 5;
    return Floats(all.end() - static_cast<std::ptrdiff_t>(width), all.end());
  };
  REQUIRE(last("zero") == Floats{0, 0});
  REQUIRE(last("mean") == Floats{0.25, 0.75});
  REQUIRE(last("median") == Floats{0, 1});
  REQUIRE(last("indicator") == Floats{0, 0, 1});
}

TEST_CASE("NA is a category where it is declared as one", "[data]") {
  REQUIRE(FeaturesOf("c,y\nNA,0\nb,1\n", [](auto& config) {
            AddColumn(config, "c", "one_hot", {"NA", "b"});
          }) == Floats{1, 0, 0, 1});
}

TEST_CASE("numbers outside their range are clipped, dropped or refused", "[data]") {
  const std::string text = "age,y\n30,0\n-1,1\n999,0\n";
  const auto with = [](const std::string& outliers) {
    return [=](v1::DataConfig& config) {
      v1::ColumnSpec& age = AddColumn(config, "age");
      age.add_range(0);
      age.add_range(120);
      age.set_outliers(outliers);
    };
  };
  REQUIRE(FeaturesOf(text, with("clip")) == Floats{30, 0, 120});
  REQUIRE(FeaturesOf(text, with("drop")) == Floats{30});
  REQUIRE(Prepared(text, with("drop"))->table.left_out.outliers == 2);
  REQUIRE(Says(WhyNot(text, with("refuse")),
               "t.csv:3: column \"age\" has -1, expected 0 to 120; correct the cell"));
}

TEST_CASE("a logarithm is of one more, and what is below zero is an outlier", "[data]") {
  const auto data = FeaturesOf("amount,y\n0,0\n-5,1\n99,0\n", [](auto& config) {
    AddColumn(config, "amount").set_transform("log");
  });
  REQUIRE(data[0] == 0.0F);
  REQUIRE(data[1] == 0.0F);
  REQUIRE(data[2] == Approx(4.60517));
}

TEST_CASE("rows that equal an earlier one in every column used are left out", "[data]") {
  const std::string text = "id,a,y\n1,5,0\n2,5,0\n3,5,1\n4, 5 ,0\n";
  const auto keep = [](auto& config) { config.mutable_csv()->add_features("a"); };
  REQUIRE(Prepared(text, keep)->examples == 4);
  const auto data = Prepared(text, [&](auto& config) {
    keep(config);
    config.mutable_csv()->set_duplicates("drop");
  });
  REQUIRE(data->labels == std::vector<std::uint32_t>{0, 1});
  REQUIRE(data->table.left_out.duplicates == 2);
  REQUIRE(data->table.rows == 4);
  REQUIRE(Prepared(text, [](auto& config) {
            config.mutable_csv()->set_duplicates("drop");
          })->examples == 4);
}

TEST_CASE("numbers are scaled by this client's own examples", "[data]") {
  const std::string text = "a,c,y\n1,x,0\n3,x,1\n";
  const auto with = [&](const std::string& scaling) {
    return FeaturesOf(text, [&](auto& config) {
      config.mutable_csv()->set_scaling(scaling);
      AddColumn(config, "c", "one_hot", {"x"});
    });
  };
  REQUIRE(with("standard") == Floats{-1, 1, 1, 1});
  REQUIRE(with("min_max") == Floats{0, 1, 1, 1});
  const auto constant = Prepared(
      "a,y\n7,0\n7,1\n", [](auto& config) { config.mutable_csv()->set_scaling("standard"); });
  REQUIRE(constant->features == Floats{0, 0});
  REQUIRE(Says(constant->warnings.at(0), "one value 7"));
}

TEST_CASE("means that are given fill missing cells and keep the client's own out", "[data]") {
  REQUIRE(FeaturesOf("a,y\n1,0\n,1\n5,0\n", [](auto& config) {
            config.mutable_csv()->set_missing("mean");
            config.mutable_csv()->set_scaling("standard");  // nothing is left to scale
            config.mutable_csv()->add_means(2);
            config.mutable_csv()->add_stddevs(2);
          }) == Floats{-0.5, 0, 1.5});
}

TEST_CASE("means and deviations leave categories alone", "[data]") {
  const auto with = [](double mean) {
    return [=](v1::DataConfig& config) {
      AddColumn(config, "housing", "one_hot", {"own", "rent", "free"});
      config.mutable_csv()->add_means(mean);
    };
  };
  REQUIRE(Prepared(kHousing, with(0)).ok());
  REQUIRE(Says(WhyNot(kHousing, with(1)), "write 0 among the means"));
}

TEST_CASE("statistics never see the rows kept for validation", "[data]") {
  // Found by the draw itself: which of the numbers 1 .. 40 are for training.
  std::string text = "a,y\n";
  for (int i = 1; i <= 40; ++i) text += std::to_string(i * i) + ",0\n";
  const auto split = [](v1::DataConfig& config) { config.set_validation_fraction(0.4); };
  const auto raw = Prepared(text, split);
  REQUIRE(raw->validation > 4);
  REQUIRE(raw->training() > 4);
  double sum = 0;
  for (std::size_t i = 0; i < raw->training(); ++i) sum += double{raw->features[i]};
  const double mean = sum / static_cast<double>(raw->training());
  const auto scaled = Prepared(text, [&](auto& config) {
    split(config);
    config.mutable_csv()->set_scaling("standard");
  });
  double scaled_sum = 0;
  for (std::size_t i = 0; i < scaled->training(); ++i) scaled_sum += double{scaled->features[i]};
  REQUIRE(scaled_sum == Approx(0).margin(1e-5));  // of floats near 1
  const double gap = double{raw->features[1]} - double{raw->features[0]};
  const double scaled_gap = double{scaled->features[1]} - double{scaled->features[0]};
  REQUIRE(double{scaled->features[0]} ==
          Approx((double{raw->features[0]} - mean) * scaled_gap / gap));
}

TEST_CASE("words of the label are classes in the order declared", "[data]") {
  const std::string text = "a,y\n1,bad\n2,good\n3, good\n";
  const auto data = Prepared(text, [](auto& config) {
    for (const char* word : {"good", "bad"}) config.mutable_csv()->add_classes(word);
  });
  REQUIRE(data->labels == std::vector<std::uint32_t>{1, 0, 0});
  REQUIRE(Says(WhyNot("a,y\n1,bad\n2,ugly\n",
                      [](auto& config) {
                        for (const char* word : {"good", "bad"})
                          config.mutable_csv()->add_classes(word);
                      }),
               "t.csv:3: label \"ugly\" is none of data.csv.classes"));
}

TEST_CASE("rows that are left out are counted in a warning", "[data]") {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", "a,y\n1,0\n,1\n1,0\n2,1\n"));
  config.mutable_csv()->set_missing("drop");
  config.mutable_csv()->set_duplicates("drop");
  const auto data = Load(config, Model({1}, 2));
  REQUIRE(Says(data->warnings.at(0),
               "2 of 4 rows of the file are left out: 1 for missing cells, 0 "
               "for unknown categories, 0 for outliers, 1 equal to another"));
}

TEST_CASE("a label cannot be made up: its row is left out or the table refused", "[data]") {
  const std::string text = "a,y\n1,0\n2,\n3,1\n";
  REQUIRE(Says(WhyNot(text, [](auto& config) { config.mutable_csv()->set_missing("mean"); }),
               "t.csv:3: column \"y\" is blank, expected a value; say missing = \"drop\""));
  REQUIRE(Prepared(text, [](auto& config) {
            AddColumn(config, "y").set_missing("drop");
          })->labels == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("a number to predict is a target and no label", "[data]") {
  const auto data = Prepared(
      "a,y\n1,2.5\n2,-1e3\n", [](auto& c) { c.set_target("number"); }, 1);
  REQUIRE(data->targets == Floats{2.5, -1000});
  REQUIRE(data->labels == std::vector<std::uint32_t>{0, 0});
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", "a,y\n1,2.5\n"));
  config.set_target("number");
  REQUIRE(Says(TextOf(Load(config, Model({1}, 3)).status()), "the job's model has 3 classes"));
  REQUIRE(Load(config, Model({1}, 1)).ok());
  config.set_target("class");
  REQUIRE(Says(TextOf(Load(config, Model({1}, 1)).status()), "needs data.target = \"number\""));
}

TEST_CASE("words in a column of numbers are answered with the categories to declare", "[data]") {
  REQUIRE(
      Says(WhyNot("housing,y\nown,0\nrent,1\n\"a \"\"b\"\"\",0\n", [](auto&) {}),
           "t.csv:2: column \"housing\" has \"own\", expected a number; correct the cell, or "
           "declare the column's "
           "categories; the column holds words: "
           "write [[data.csv.columns]] with name = \"housing\", kind = \"one_hot\", categories = "
           "[\"a \\\"b\\\"\", \"own\", \"rent\"]"));
  REQUIRE(Says(WhyNot("a,y\n1,no\n2,yes\n", [](auto&) {}),
               "the column holds words: write classes = [\"no\", \"yes\"] in [data.csv]"));
  // One slip among numbers is a slip.
  const std::string slip = WhyNot("a,y\n1,0\n2,1\nx,0\n", [](auto&) {});
  REQUIRE(Says(slip, "t.csv:4: column \"a\" has \"x\", expected a number"));
  REQUIRE_FALSE(Says(slip, "words"));
  std::string many = "a,y\n";
  for (int i = 0; i < 30; ++i) many += "w" + std::to_string(i) + ",0\n";
  REQUIRE_FALSE(Says(WhyNot(many, [](auto&) {}), "words"));
}

TEST_CASE("a width that does not fit lists the features of each column", "[data]") {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", "age,housing,y\n1,own,0\n"));
  AddColumn(config, "housing", "one_hot", {"own", "rent"});
  config.mutable_csv()->mutable_columns(0)->set_missing("indicator");
  REQUIRE(
      Says(TextOf(Load(config, Model({2}, 2)).status()),
           "t.csv:1: 2 feature columns make 4 features, the job's model takes 2: age, housing 2 "
           "(own, rent) + missing; change"));
}

TEST_CASE("columns that contradict their declaration are refused", "[data]") {
  const auto why = [](const Change& change) { return WhyNot("a,b,y\n1,2,0\n", change); };
  REQUIRE(Says(why([](auto& c) { AddColumn(c, "A b"); }), "there is no column \"A b\""));
  REQUIRE(Says(why([](auto& c) { AddColumn(c, "a", "one_hot"); }), "without categories"));
  REQUIRE(Says(why([](auto& c) { AddColumn(c, "a", "number", {"1"}); }), "set kind to"));
  REQUIRE(Says(why([](auto& c) { AddColumn(c, "a", "one_hot", {"1", " 1"}); }), "twice"));
  REQUIRE(Says(why([](auto& c) {
                 AddColumn(c, "y", "one_hot", {"0", "1"});
               }),
               "list its words in data.csv.classes"));
  REQUIRE(Says(why([](auto& c) {
                 c.mutable_csv()->add_features("b");
                 AddColumn(c, "a");
               }),
               "describes \"a\", which is not used"));
  REQUIRE(Says(why([](auto& c) { AddColumn(c, "a").add_range(1); }), "[low, high]"));
}

TEST_CASE("groups are known by name and are no features", "[data]") {
  const std::string text = "a,sex,y\n1,m,0\n2,f,1\n3,NA,0\n4,f,1\n";
  const auto groups = [](v1::DataConfig& config) {
    config.add_sensitive("sex");
    config.mutable_csv()->set_missing("zero");
  };
  const auto data = Prepared(text, groups);
  REQUIRE(data->width == 1);
  REQUIRE(data->groups.size() == 1);
  REQUIRE(data->groups[0].column == "sex");
  REQUIRE(data->groups[0].names == std::vector<std::string>{"(missing)", "f", "m"});
  REQUIRE(data->groups[0].codes == std::vector<std::uint32_t>{2, 1, 0, 1});
  REQUIRE(Says(WhyNot(text, [](auto& config) { config.add_sensitive("sex"); }),
               "t.csv:4: column \"sex\" has NA"));
  const auto both = Prepared(text, [&](auto& config) {
    groups(config);
    for (const char* name : {"a", "sex"}) config.mutable_csv()->add_features(name);
    AddColumn(config, "sex", "one_hot", {"m", "f"});
  });
  REQUIRE(both->width == 3);
  REQUIRE(both->groups[0].names == std::vector<std::string>{"m", "f", "(missing)"});
}

TEST_CASE("a column with too many different cells is no column of groups", "[data]") {
  std::string text = "a,age,y\n";
  for (int i = 0; i < 100; ++i) text += "1," + std::to_string(i) + ",0\n";
  REQUIRE(Says(WhyNot(text, [](auto& config) { config.add_sensitive("age"); }),
               "t.csv:66: column \"age\" of data.sensitive has more than 64 different cells"));
}

TEST_CASE("each cell of the slice's column is a client, or several together", "[data]") {
  const std::string text = "a,school,y\n1,C,0\n2,A,1\n3,B,0\n4,A,1\n5,E,0\n6,D,1\n";
  const auto part = [&](std::uint32_t index, std::uint32_t count) {
    return Prepared(text, [=](auto& config) {
      config.mutable_slice()->set_kind("column");
      config.mutable_slice()->set_column("school");
      config.mutable_slice()->set_index(index);
      config.mutable_slice()->set_count(count);
    });
  };
  REQUIRE(part(0, 5)->features == Floats{2, 4});
  REQUIRE(part(0, 5)->table.slice_cells == std::vector<std::string>{"A"});
  REQUIRE(part(4, 5)->features == Floats{5});
  REQUIRE(part(0, 2)->features == Floats{2, 3, 4});  // A B
  REQUIRE(part(1, 2)->features == Floats{1, 5, 6});  // C D E
  REQUIRE(part(0, 1)->examples == 6);
  REQUIRE(Says(TextOf(part(0, 6).status()), "data.slice.count is 6, column \"school\" has 5"));
}

TEST_CASE("the keys that compute something from a client's own examples are known", "[data]") {
  const auto keys = [](const Change& change) {
    v1::DataConfig config;
    config.set_format("csv");
    change(config);
    return LocalStatistics(config);
  };
  using Keys = std::vector<std::string>;
  REQUIRE(keys([](auto& c) { c.mutable_csv()->set_missing("zero"); }).empty());
  REQUIRE(keys([](auto& c) { c.mutable_csv()->set_missing("mean"); }) == Keys{"data.csv.missing"});
  REQUIRE(keys([](auto& c) { c.mutable_csv()->set_scaling("min_max"); }) ==
          Keys{"data.csv.scaling"});
  const auto with_means = [](const Change& change) {
    return [=](v1::DataConfig& config) {
      config.mutable_csv()->add_means(0);
      change(config);
    };
  };
  for (const char* word : {"mean", "indicator"}) {
    REQUIRE(keys(with_means([=](auto& c) {
              c.mutable_csv()->set_missing(word);
              c.mutable_csv()->set_scaling("standard");
            })).empty());
  }
  REQUIRE(keys(with_means([](auto& c) { c.mutable_csv()->set_missing("median"); })).size() == 1);
  REQUIRE(keys(with_means([](auto& c) {
            AddColumn(c, "c", "one_hot", {"x"}).set_missing("mean");
          })) == Keys{"data.csv.columns \"c\".missing"});
  REQUIRE(
      keys([](auto& c) { AddColumn(c, "c", "one_hot", {"x"}).set_missing("indicator"); }).empty());
}

namespace {

StatusOr<Dataset> ForClusters(
    const std::string& text, const Change& change = [](auto&) {}) {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", text));
  config.mutable_csv()->clear_label();
  change(config);
  v1::ModelSpec model;
  model.set_architecture("kmeans");
  model.add_input_shape(2);
  model.set_classes(3);
  return Load(config, model);
}

}  // namespace

TEST_CASE("a job that finds clusters reads tables without a label", "[data]") {
  const auto data = ForClusters("a,b\n1,2\n3,4\n");
  INFO(TextOf(data.status()));
  REQUIRE(data.ok());
  REQUIRE(data->features == Floats{1, 2, 3, 4});
  REQUIRE(data->labels == std::vector<std::uint32_t>{0, 0});
  REQUIRE(data->warnings.empty());
  REQUIRE(Says(WhyNot("a,b\n1,2\n", [](auto& config) { config.mutable_csv()->clear_label(); }),
               "data.csv.label is empty, and the job predicts something"));
}

TEST_CASE("a job that finds clusters leaves the label out and does not look at it", "[data]") {
  const std::string text = "a,y,b\n1,what,2\n3,,4\n";
  const auto label = [](v1::DataConfig& config) { config.mutable_csv()->set_label("y"); };
  REQUIRE(ForClusters(text, label)->features == Floats{1, 2, 3, 4});
  REQUIRE(ForClusters(text, [&](auto& config) {
            label(config);
            config.set_target("number");
          })->targets.empty());
  // Duplicates differ in what is used.
  REQUIRE(ForClusters("a,y,b\n1,u,2\n1,v,2\n", [&](auto& config) {
            label(config);
            config.mutable_csv()->set_duplicates("drop");
          })->examples == 1);
}

TEST_CASE("a slice by labels is dealt out by them where clusters are found, too", "[data]") {
  const std::string text = "a,y,b\n1,u,2\n3,v,4\n5,u,6\n7,v,8\n";
  const auto part = [&](std::uint32_t index, bool with_label) {
    return ForClusters(text, [&](v1::DataConfig& config) {
      if (with_label) {
        config.mutable_csv()->set_label("y");
        config.mutable_csv()->add_classes("u");
        config.mutable_csv()->add_classes("v");
      } else {
        config.mutable_csv()->add_features("a");
        config.mutable_csv()->add_features("b");
      }
      v1::SliceConfig& slice = *config.mutable_slice();
      slice.set_kind("dirichlet");
      slice.set_alpha(1);
      slice.set_count(2);
      slice.set_index(index);
      slice.set_seed(1);
    });
  };
  const auto first = part(0, true), second = part(1, true);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  REQUIRE(first->examples + second->examples == 4);
  for (const std::uint32_t label : first->labels) REQUIRE(label == 0);
  REQUIRE(Says(TextOf(part(0, false).status()), "data.slice.kind is \"dirichlet\""));
}

}  // namespace tutti::data
