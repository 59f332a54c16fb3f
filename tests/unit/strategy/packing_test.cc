#include "common/strategy/packing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "common/secagg/encoding.h"
#include "common/secagg/value_sample.h"
#include "common/strategy/sum_vector.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task(std::uint64_t values, double fraction, bool rotate,
                  const std::string& correction = "none") {
  v1::TaskSpec task;
  task.set_job("packed");
  task.set_kind("train");
  task.set_rounds(5);
  task.set_values(values);
  task.mutable_training()->set_optimiser("sgd");
  task.mutable_training()->set_learning_rate(0.5);
  task.mutable_training()->set_correction(correction);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(1);
  task.mutable_secure_aggregation()->set_sampled_fraction(fraction);
  task.mutable_secure_aggregation()->set_rotate(rotate);
  return task;
}

secagg::RoundConfig Round(const v1::TaskSpec& task, std::uint64_t number = 1) {
  secagg::RoundConfig round;
  round.job = task.job();
  round.round = number;
  round.attempt = 1;
  round.values = PackedValues(task);
  round.value_bits = task.secure_aggregation().value_bits();
  round.value_clip = task.secure_aggregation().value_clip();
  round.max_cohort = 10;
  return round;
}

std::vector<float> Ramp(std::uint64_t values) {
  std::vector<float> vector(values);
  for (std::size_t i = 0; i < values; ++i) {
    vector[i] = (static_cast<float>(i % 97) - 40.25F) / 64;
  }
  return vector;
}

double Norm(const std::vector<float>& vector) {
  return std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
}

TEST_CASE("without the two keys a packed vector is the vector", "[packing]") {
  for (const double off : {1.0, 0.0}) {
    const v1::TaskSpec task = Task(300, off, false, "nova");
    REQUIRE(PackedValues(task) == 301);
    REQUIRE_FALSE(SamplesValues(task));
    REQUIRE(*Pack(task, Round(task), Ramp(301)) == Ramp(301));
    REQUIRE(*Unpack(task, Round(task), Ramp(301)) == Ramp(301));
  }
}

TEST_CASE("the values drawn keep their place and the others are zero", "[packing]") {
  const v1::TaskSpec task = Task(300, 0.25, false);
  REQUIRE(PackedValues(task) == 75);
  const secagg::RoundConfig round = Round(task);
  const std::vector<float> vector = Ramp(300);
  const auto packed = Pack(task, round, vector);
  REQUIRE(packed->size() == 75);
  const auto opened = Unpack(task, round, *packed);
  const std::vector<std::uint32_t> places = secagg::SamplePlaces(300, 75, SampleSeed(round));
  for (std::uint32_t i = 0; i < 300; ++i) {
    const bool drawn = std::binary_search(places.begin(), places.end(), i);
    REQUIRE((*opened)[i] == (drawn ? vector[i] : 0.0F));
  }
  // The next round and the next attempt draw other places, groups of one attempt the same.
  secagg::RoundConfig other = round;
  other.group = 3;
  other.server_nonce[0] = 9;
  REQUIRE(SampleSeed(other) == SampleSeed(round));
  other.attempt = 2;
  REQUIRE(SampleSeed(other) != SampleSeed(round));
  REQUIRE(SampleSeed(Round(task, 2)) != SampleSeed(round));
}

// 40 of 400 values: a place is missed by 200 rounds with probability 0.9^200 = 7e-10.
TEST_CASE("over the rounds every value is sent, the same share of each", "[packing]") {
  const v1::TaskSpec task = Task(400, 0.1, false);
  std::vector<double> sum(400);
  for (std::uint64_t number = 1; number <= 200; ++number) {
    const secagg::RoundConfig round = Round(task, number);
    const auto opened = Unpack(task, round, *Pack(task, round, std::vector<float>(400, 1)));
    for (std::size_t i = 0; i < 400; ++i) sum[i] += (*opened)[i];
  }
  REQUIRE(*std::min_element(sum.begin(), sum.end()) >= 1);
  REQUIRE(std::accumulate(sum.begin(), sum.end(), 0.0) / 400 == Approx(0.1 * 200));
}

TEST_CASE("a rotated vector is as long as before and comes back", "[packing]") {
  for (const std::uint64_t values : {1U, 2U, 3U, 10U, 301U, 50890U, 65536U, 70000U}) {
    for (const double fraction : {1.0, 0.3}) {
      INFO(values << " " << fraction);
      const v1::TaskSpec task = Task(values, fraction, true);
      const secagg::RoundConfig round = Round(task);
      const std::uint64_t sent = secagg::SampledCount(values, fraction);
      REQUIRE(round.values >= sent);
      REQUIRE(round.values <= sent + sent / 32);
      const std::vector<float> vector = Ramp(values);
      const auto packed = Pack(task, round, vector);
      REQUIRE(packed->size() == round.values);
      const auto opened = Unpack(task, round, *packed);
      const v1::TaskSpec plain = Task(values, fraction, false);
      const auto expected = Unpack(plain, round, *Pack(plain, round, vector));
      REQUIRE(Norm(*packed) == Approx(Norm(*expected)).epsilon(1e-5));
      for (std::size_t i = 0; i < values; ++i) {
        // 18 * 2^-24 of the vector's length.
        REQUIRE(std::abs((*opened)[i] - (*expected)[i]) < 2.2e-6 * Norm(vector) + 1e-9);
      }
    }
  }
}

TEST_CASE("the scalar of nova and q-FFL is neither drawn nor rotated", "[packing]") {
  for (const bool rotate : {false, true}) {
    for (const std::string correction : {"nova", "fair"}) {
      v1::TaskSpec task = Task(500, 0.2, rotate, correction == "nova" ? correction : "none");
      if (correction == "fair") task.mutable_training()->set_fairness_power(1);
      REQUIRE(CheckPacking(task).ok());
      const secagg::RoundConfig round = Round(task);
      std::vector<float> vector = Ramp(501);
      vector.back() = 0.625F;
      const auto packed = Pack(task, round, vector);
      REQUIRE(packed->back() == 0.625F);
      REQUIRE(Unpack(task, round, *packed)->back() == 0.625F);
      // What the step comes to: the whole strategy through the packing, one client.
      std::vector<float> update = Ramp(500);
      for (float& value : update) value /= 8;
      const LocalResult local{.update = update, .steps = 4, .initial_loss = 1};
      const auto whole = OpenSumVector(task, *MakeSumVector(task, local));
      const auto opened = OpenSumVector(
          task, *Unpack(task, round, *Pack(task, round, *MakeSumVector(task, local))));
      std::size_t drawn = 0;
      for (std::size_t i = 0; i < 500; ++i) {
        const bool zero = std::abs(opened->update[i]) < 1e-4;
        drawn += zero ? 0 : 1;
        REQUIRE((zero || std::abs(opened->update[i] - whole->update[i]) < 1e-4));
      }
      REQUIRE(drawn >= 95);
      REQUIRE(drawn <= 100);
    }
  }
}

TEST_CASE("scaffold's control change is rotated with the update", "[packing]") {
  const v1::TaskSpec task = Task(1000, 1, true, "scaffold");
  REQUIRE(CheckPacking(task).ok());
  const secagg::RoundConfig round = Round(task);
  const std::vector<float> vector = Ramp(2000);
  const auto opened = Unpack(task, round, *Pack(task, round, vector));
  for (std::size_t i = 0; i < 2000; ++i) REQUIRE(std::abs((*opened)[i] - vector[i]) < 5e-5);
}

TEST_CASE("vectors of another length are refused", "[packing]") {
  const v1::TaskSpec task = Task(300, 0.25, true);
  REQUIRE(Pack(task, Round(task), Ramp(299)).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(Unpack(task, Round(task), Ramp(300)).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(SpreadSample(task, Round(task), Ramp(300)).status().code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("what does not fit the two keys is refused by name", "[packing]") {
  const auto refused = [](double fraction, bool rotate, const std::string& words,
                          const std::function<void(v1::TaskSpec&)>& change) {
    v1::TaskSpec task = Task(300, fraction, rotate);
    change(task);
    const Status status = CheckPacking(task);
    INFO(status);
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(status).find(words) != std::string::npos);
  };
  const auto with = [](const std::string& unit, const std::string& noise) {
    return [=](v1::TaskSpec& task) {
      task.mutable_privacy()->set_unit(unit);
      task.mutable_privacy()->set_noise(noise);
    };
  };
  refused(0.5, false, "sampled_fraction is below 1 with correction = \"scaffold\"",
          [](v1::TaskSpec& task) { task.mutable_training()->set_correction("scaffold"); });
  refused(0.5, false, "sampled_fraction is below 1 with noise = \"tree\"", with("client", "tree"));
  refused(1, true, "rotate is true where clipped updates are rotated anyway",
          with("client", "local"));
  refused(1, true, "rotate is true", with("example", "distributed"));
  refused(1, true, "rotate found with kind = \"evaluate\"",
          [](v1::TaskSpec& task) { task.set_kind("evaluate"); });
  for (const bool rotate : {false, true}) {
    refused(rotate ? 1 : 0.5, rotate, "found with clusters",
            [](v1::TaskSpec& task) { task.mutable_model()->set_architecture("kmeans"); });
  }
  refused(0.5, false, "sampled_fraction found with kind = \"analyse\"",
          [](v1::TaskSpec& task) { task.set_kind("analyse"); });
  for (const auto& [unit, noise] :
       std::vector<std::pair<std::string, std::string>>{{"none", "local"},
                                                        {"example", "local"},
                                                        {"client", "local"},
                                                        {"client", "distributed"},
                                                        {"example", "distributed"},
                                                        {"client", "central"}}) {
    v1::TaskSpec task = Task(300, 0.5, false);
    with(unit, noise)(task);
    REQUIRE(CheckPacking(task).ok());
  }
}

// One value in a thousand is far larger than the others: without rotation the range has to hold it
// and a step of 8 bits is coarse; rotated, all values are alike. Each range is the smallest that
// cuts nothing off (rotated: found by trying, as docs/compression.md advises).
TEST_CASE("at few bits a rotation makes the error of the mean of uneven updates smaller",
          "[packing]") {
  constexpr std::uint64_t kValues = 20000;
  TestRng draw(11);
  std::vector<float> update(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    const double uniform = static_cast<double>(draw.Below(2001)) / 1000 - 1;
    update[i] = static_cast<float>(i % 1000 == 0 ? 0.8 * uniform : 0.004 * uniform);
  }
  const auto error = [&](bool rotate, double clip) {
    v1::TaskSpec task = Task(kValues, 1, rotate);
    task.mutable_secure_aggregation()->set_value_bits(8);
    task.mutable_secure_aggregation()->set_value_clip(clip);
    const secagg::RoundConfig round = Round(task);
    SeededSecureRng rng(3);
    secagg::RingVector sum(round.layout());
    const auto packed = Pack(task, round, update);
    std::uint64_t clipped = 0;
    for (int client = 0; client < 10; ++client) {
      const auto encoded = secagg::EncodeUpdate(round, *packed, 1, {}, rng);
      REQUIRE(encoded.ok());
      clipped += encoded->clipped_values;
      secagg::AddTo(sum, encoded->vector);
    }
    REQUIRE(clipped == 0);
    const auto opened = Unpack(task, round, secagg::DecodeSum(round, sum, 10)->mean);
    double squares = 0;
    for (std::size_t i = 0; i < kValues; ++i) {
      squares += std::pow(static_cast<double>((*opened)[i]) - update[i], 2);
    }
    return std::sqrt(squares);
  };
  const double rotated = error(true, 0.08);
  const double plain = error(false, 0.8);
  INFO(rotated << " against " << plain);
  REQUIRE(rotated < plain / 5);
}

}  // namespace
}  // namespace tutti::strategy
