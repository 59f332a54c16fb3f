#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

Lines With(const std::string& adversary, const std::string& job = kJob) {
  return Problems<v1::JobConfig>(job + "\n[adversary]\n" + adversary);
}

void RequireOne(const Lines& lines, const std::string& key, const std::string& text) {
  INFO((lines.empty() ? "no problem" : lines.front()));
  REQUIRE(lines.size() == 1);
  REQUIRE(lines.front().find(": adversary." + key + ": " + text) != std::string::npos);
}

TEST_CASE("adversaries that fit the job are right", "[config]") {
  REQUIRE(With("kind = \"none\"\nradius = 0.0\nsteps = 7\nrange = []\nshare = 1.0").empty());
  REQUIRE(With("kind = \"fgsm\"\nradius = 0.1\nrange = [0.0, 1.0]\nshare = 0.5").empty());
  REQUIRE(With("kind = \"pgd\"\nradius = 0.1\nsteps = 20\nstep_size = 0.01").empty());
}

TEST_CASE("a key of an adversary that nothing reads is named", "[config]") {
  REQUIRE(With("radius = 0.1") ==
          Lines{"job.toml:21:1: adversary.radius: found with kind = \"none\", which does not read "
                "it; remove it, or set kind = \"fgsm\" or \"pgd\""});
  RequireOne(With("range = [0.0, 1.0]"), "range", "found with kind = \"none\"");
  RequireOne(With("share = 0.5"), "share", "found with kind = \"none\"");
  for (const std::string kind : {"none\"", "fgsm\"\nradius = 0.1"}) {
    for (const std::string key : {"steps = 8", "step_size = 0.1"}) {
      const Lines lines = With("kind = \"" + kind + "\n" + key);
      RequireOne(lines, key.substr(0, key.find(' ')), "found with kind = ");
      REQUIRE(lines.front().find("or set kind = \"pgd\"") != std::string::npos);
    }
  }
}

TEST_CASE("an adversary needs a radius, and a range two numbers in order", "[config]") {
  RequireOne(With("kind = \"fgsm\""), "radius", "found 0 with kind = \"fgsm\"");
  const std::string fgsm = "kind = \"fgsm\"\nradius = 0.1\n";
  RequireOne(With(fgsm + "range = [1.0]"), "range", "found one number, expected two");
  RequireOne(With(fgsm + "range = [1.0, 0.0]"), "range", "found [1, 0], expected two finite");
  RequireOne(With(fgsm + "range = [1.0, 1.0]"), "range", "found [1, 1]");
  REQUIRE(With(fgsm + "range = [0.0, 1.0, 2.0]").size() == 1);
  REQUIRE(With("kind = \"deepfool\"\nradius = 0.1").size() == 1);
}

TEST_CASE("an adversary needs a model whose features it can move", "[config]") {
  const std::string fgsm = "kind = \"fgsm\"\nradius = 0.1\n";
  RequireOne(With(fgsm, Replaced(kJob, "\"logistic\"", "\"text_bag\"\nvocabulary = 50")), "kind",
             "found \"fgsm\" with a model that reads tokens");
  RequireOne(With(fgsm, Replaced(kJob, "input_shape = [4]",
                                 "input_shape = [28, 28]\nfeatures = \"scattering\"")),
             "kind", "found \"fgsm\" with model.features = \"scattering\"");
}

}  // namespace
}  // namespace tutti::config
