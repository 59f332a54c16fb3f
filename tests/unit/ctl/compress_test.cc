// `tutti model compress` on files; no coordinator is there.
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"
#include "common/model/warm_start.h"
#include "server/ctl/commands.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

struct Ran {
  int code = 0;
  std::string out;
  std::string error;
};

// A folder with a model in it.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/tutti_compress_XXXXXX";
    path_ = ::mkdtemp(name);
    spec_.set_architecture("mlp");
    spec_.add_input_shape(30);
    spec_.add_hidden(40);
    spec_.set_classes(4);
    layout_ = model::LayoutOf(spec_).value();
    Write("model.safetensors", std::string(AsText(model::WriteSafetensors(
                                   layout_, model::InitialWeights(layout_, 7), {}))));
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string At(const std::string& name) const { return path_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(At(name), std::ios::binary) << text;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(At(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::size_t Files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }
  bool IsModel(const std::string& name) const {
    return model::ReuseWeights(spec_, layout_, AsBytes(Read(name))).ok();
  }

  Ran Compress(std::vector<std::string> words) const {
    words.insert(words.begin(), {"model", "compress"});
    const Parsed parsed = Parse(words);
    if (!parsed.arguments) return {parsed.exit_code, parsed.out, parsed.error};
    std::ostringstream out;
    std::ostringstream error;
    Console console{
        .out = out, .error = error, .seconds = [] { return 0.0; }, .wait_seconds = [](double) {}};
    const int code = Execute(*parsed.arguments, At("no.sock"), console);
    return {code, out.str(), error.str()};
  }

 private:
  std::string path_;
  v1::ModelSpec spec_;
  model::Layout layout_;
};

bool Has(const std::string& text, const std::string& words) {
  INFO(text);
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a model file is compressed and the sizes are told", "[ctl]") {
  const Folder folder;
  const Ran ran = folder.Compress(
      {folder.At("model.safetensors"), "--int8", "--prune", "0.8", "-o", folder.At("small")});
  INFO(ran.error);
  REQUIRE(ran.code == 0);
  REQUIRE(folder.IsModel("small"));
  REQUIRE(Has(ran.out, "1360 of 1404 values"));
  REQUIRE(Has(ran.out, "times smaller"));
  REQUIRE(Has(ran.out, "deflated (gzip)"));
  REQUIRE_FALSE(Has(ran.out, "accuracy"));
  REQUIRE(folder.Files() == 2);
}

TEST_CASE("the same as JSON, with the sizes the files have", "[ctl]") {
  const Folder folder;
  const Ran ran = folder.Compress(
      {folder.At("model.safetensors"), "--prune", "0.5", "-o", folder.At("small"), "--json"});
  REQUIRE(ran.code == 0);
  const auto json = nlohmann::json::parse(ran.out);
  REQUIRE(json["before"]["bytes"] == folder.Read("model.safetensors").size());
  REQUIRE(json["after"]["bytes"] == folder.Read("small").size());
  REQUIRE(json["after"]["deflated_bytes"] < json["before"]["deflated_bytes"]);
  REQUIRE(json["after"]["score"].is_null());
  REQUIRE(json["zeros"] == 680);
  REQUIRE(json["weights"] == 1360);
  REQUIRE(json["largest_weight_error"] == 0);
}

TEST_CASE("mistakes of compressing say what to do and write nothing", "[ctl]") {
  const Folder folder;
  const std::string model = folder.At("model.safetensors");
  folder.Write("text", "not a model");
  folder.Write("taken", "kept");
  const std::size_t files = folder.Files();
  const auto error = [&](std::vector<std::string> words, int code) {
    const Ran ran = folder.Compress(std::move(words));
    INFO(ran.error);
    REQUIRE(ran.code == code);
    REQUIRE(ran.out.empty());
    return ran.error;
  };
  const std::string out = folder.At("out");
  REQUIRE(Has(error({model, "--int8", "-o", folder.At("taken")}, 64), "replace it with --force"));
  REQUIRE(folder.Read("taken") == "kept");
  REQUIRE(Has(error({model, "-o", out}, 64), "nothing is asked for"));
  REQUIRE(Has(error({model, "--prune", "1", "-o", out}, 64), "pruned is 1, expected 0 up to"));
  REQUIRE(Has(error({model, "--prune", "-0.5", "-o", out}, 64), "pruned is -0.5"));
  REQUIRE(Has(error({folder.At("text"), "--int8", "-o", out}, 64), "safetensors"));
  REQUIRE(Has(error({folder.At("none.safetensors"), "--int8", "-o", out}, 64), "there is no file"));
  REQUIRE(Has(error({"none.safetensors", "--int8", "-o", out}, 64), "there is no file"));
  REQUIRE(Has(error({model, "--int8", "--round", "3", "-o", out}, 64), "--round is of jobs"));
  REQUIRE(Has(error({"digits", "--int8", "-o", out}, 69), "no.sock"));
  REQUIRE(Has(error({model, "--int8", "-o", out, "--data", model}, 64), "--job"));
  REQUIRE(
      Has(error({model, "--int8", "-o", folder.At("no/such/folder")}, 77), "cannot be written"));
  // Beside the test's program there is none that measures.
  REQUIRE(Has(error({model, "--int8", "-o", out, "--job", model, "--data", model}, 1),
              "nothing was written"));
  REQUIRE(folder.Files() == files);
  REQUIRE(folder.Compress({model, "--int8", "-o", folder.At("taken"), "--force"}).code == 0);
  REQUIRE(folder.IsModel("taken"));
}

TEST_CASE("the help of compress teaches by examples", "[ctl]") {
  const Folder folder;
  const Ran ran = folder.Compress({"--help"});
  REQUIRE(ran.code == 0);
  for (const char* const words :
       {"--int8", "--prune", "--data", "tutti model compress fashion-mnist",
        "accuracy before and after"}) {
    REQUIRE(Has(ran.out, words));
  }
}

}  // namespace tutti::ctl
