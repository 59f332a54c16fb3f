// Offers and models an owner's device must not take.
#include <cmath>
#include <limits>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"
#include "tests/e2e/evil/scene.h"

namespace tutti::evil {
namespace {

v1::SecureAggregationSpec& Secagg(Draft& draft) { return *draft.task.mutable_secure_aggregation(); }

// A task that looks at groups, with a round that has lanes for them.
void CountGroups(Draft& draft) {
  v1::FairnessSpec& fairness = *draft.task.mutable_fairness();
  fairness.set_attribute("sex");
  fairness.add_groups("female");
  fairness.add_groups("male");
  draft.task.mutable_privacy()->set_counts_noise_multiplier(4);
  draft.config.extra_lanes = 9;
}

// The checkpoint of the task's own model with these weights; not through WriteSafetensors' callers,
// which would refuse some of them.
Bytes CheckpointOf(const Draft& draft, const std::vector<float>& weights) {
  return model::WriteSafetensors(model::LayoutOf(draft.task.model()).value(), weights, {});
}

void SetWeights(Draft& draft, float value) {
  std::vector<float> weights = model::InitialWeights(draft.task.model()).value();
  weights[weights.size() / 2] = value;
  draft.checkpoint = CheckpointOf(draft, weights);
  draft.model_bytes = draft.checkpoint.size();
}

constexpr Attack kAttacks[] = {
    // Nobody lies: the round that shows that the others fail because of their lie.
    {"none", Step::kAfter},
    // Nor here, but the victim has to refuse the offer all the same.
    {"another-round", Step::kOffer},
    // ---- what the owner's policy rules out
    {"small-cohort", Step::kOffer,
     [](Draft& d) { d.config.min_cohort = d.config.min_survivors = 2; }},
    {"small-sum", Step::kOffer, [](Draft& d) { d.config.min_survivors = 2; }},
    {"curious", Step::kOffer,
     [](Draft& d) {
       d.config.level = secagg::ThreatLevel::kCurious;
       Secagg(d).set_level("curious");
     }},
    {"little-noise", Step::kOffer,
     [](Draft& d) { d.task.mutable_privacy()->set_noise_multiplier(0.01); }},
    {"no-noise", Step::kOffer, [](Draft& d) { d.task.mutable_privacy()->set_noise_multiplier(0); }},
    {"nan-noise", Step::kOffer,
     [](Draft& d) { d.task.mutable_privacy()->set_noise_multiplier(std::nan("")); }},
    {"infinite-noise", Step::kOffer,
     [](Draft& d) {
       d.task.mutable_privacy()->set_noise_multiplier(std::numeric_limits<double>::infinity());
     }},
    {"wide-clip", Step::kOffer, [](Draft& d) { d.task.mutable_privacy()->set_clip_norm(1e6); }},
    {"no-clip", Step::kOffer, [](Draft& d) { d.task.mutable_privacy()->set_clip_norm(0); }},
    {"no-privacy", Step::kOffer, [](Draft& d) { d.task.mutable_privacy()->set_unit("none"); }},
    {"unknown-privacy", Step::kOffer, [](Draft& d) { d.task.mutable_privacy()->clear_unit(); }},
    {"costly-round", Step::kOffer,
     [](Draft& d) {
       d.task.mutable_training()->set_local_steps(40);
       d.task.mutable_privacy()->set_noise_multiplier(0.5);
     }},
    {"billion-steps", Step::kOffer,
     [](Draft& d) { d.task.mutable_training()->set_local_steps(1'000'000'000); }},
    {"billion-epochs", Step::kOffer,
     [](Draft& d) {
       d.task.mutable_training()->set_local_steps(0);
       d.task.mutable_training()->set_local_epochs(1'000'000'000);
     }},
    {"many-steps", Step::kOffer, [](Draft& d) { d.task.mutable_training()->set_local_steps(60); }},
    {"other-job", Step::kOffer,
     [](Draft& d) {
       d.config.job = "spy";
       d.task.set_job("spy");
     }},
    {"other-architecture", Step::kOffer,
     [](Draft& d) {
       d.task.mutable_model()->set_architecture("mlp");
       d.task.mutable_model()->add_hidden(8);
       d.task.set_values(model::LayoutOf(d.task.model()).value().values);
       d.config.values = d.task.values();
     }},
    {"script-of-nobody", Step::kOffer,
     [](Draft& d) {
       v1::ModelSpec& model = *d.task.mutable_model();
       model.set_architecture("torchscript");
       model.set_torchscript_sha256(std::string(64, 'a'));
       model.add_parameters()->set_name("weight");
       model.mutable_parameters(0)->add_shape(static_cast<std::uint32_t>(d.task.values()));
     }},
    {"unknown-architecture", Step::kOffer,
     [](Draft& d) { d.task.mutable_model()->set_architecture("imprint"); }},
    {"extra-layer", Step::kOffer,
     [](Draft& d) { d.task.mutable_model()->add_layers()->set_type("relu"); }},
    {"large-model", Step::kOffer,
     [](Draft& d) {
       d.task.mutable_model()->set_classes(20'000);
       d.task.set_values(100'000);
       d.config.values = d.task.values();
     }},
    {"hidden-model", Step::kOffer, [](Draft& d) { d.task.mutable_model()->set_classes(20'000); }},
    // ---- a round that is not its task's
    {"weaker-threshold", Step::kOffer, [](Draft& d) { d.config.corrupt_fraction = 0; }},
    {"more-dropouts", Step::kOffer, [](Draft& d) { d.config.dropout_fraction = 0.3; }},
    {"less-privacy-bits", Step::kOffer, [](Draft& d) { d.config.privacy_bits = 20; }},
    {"less-liveness-bits", Step::kOffer, [](Draft& d) { d.config.liveness_bits = 5; }},
    {"level-of-round", Step::kOffer,
     [](Draft& d) { d.config.level = secagg::ThreatLevel::kCurious; }},
    {"job-of-round", Step::kOffer, [](Draft& d) { d.config.job = "spy"; }},
    {"values-of-round", Step::kOffer, [](Draft& d) { ++d.config.values; }},
    {"all-values-of-a-sample", Step::kOffer, [](Draft& d) { Secagg(d).set_sampled_fraction(0.5); }},
    {"sampled-control", Step::kOffer,
     [](Draft& d) {
       Secagg(d).set_sampled_fraction(0.5);
       d.task.mutable_training()->set_correction("scaffold");
     }},
    {"bits-of-round", Step::kOffer, [](Draft& d) { --d.config.value_bits; }},
    {"clip-of-round", Step::kOffer, [](Draft& d) { d.config.value_clip *= 2; }},
    {"weights-of-round", Step::kOffer, [](Draft& d) { d.config.weight_bits = 10; }},
    {"unknown-weighting", Step::kOffer, [](Draft& d) { Secagg(d).set_weighting("mine"); }},
    {"weights-with-privacy", Step::kOffer,
     [](Draft& d) {
       d.config.weight_bits = 10;
       Secagg(d).set_weighting("examples");
     }},
    {"per-example-losses", Step::kOffer, [](Draft& d) { d.config.extra_lanes = 64; }},
    {"counts-without-noise", Step::kOffer,
     [](Draft& d) {
       CountGroups(d);
       d.task.mutable_privacy()->set_counts_noise_multiplier(0);
     }},
    {"group-of-one", Step::kOffer,
     [](Draft& d) {
       CountGroups(d);
       d.task.mutable_fairness()->mutable_groups()->RemoveLast();
     }},
    {"round-beyond-the-job", Step::kOffer, [](Draft& d) { d.config.round = d.task.rounds() + 1; }},
    {"groups-of-round", Step::kOffer, [](Draft& d) { d.config.groups = 3; }},
    {"split-round", Step::kOffer,
     [](Draft& d) {
       d.config.groups = 3;
       d.task.mutable_robust()->set_groups(3);
     }},
    {"path-as-job-of-task", Step::kOffer, [](Draft& d) { d.task.set_job("../../etc"); }},
    {"endless-job", Step::kOffer,
     [](Draft& d) {
       d.task.set_rounds(std::uint64_t{1} << 60);
       d.task.mutable_privacy()->set_noise_multiplier(0);
       d.task.mutable_privacy()->set_target_epsilon(1);
     }},
    {"senseless-task", Step::kOffer, [](Draft& d) { d.task_bytes = "\xff\xff\xff"; }},
    // ---- configurations nobody may take
    {"plain-update", Step::kOffer,
     [](Draft& d) { d.config.level = static_cast<secagg::ThreatLevel>(7); }},
    {"other-version", Step::kOffer, [](Draft& d) { d.config.version = 2; }},
    {"path-as-job", Step::kOffer, [](Draft& d) { d.config.job = "../../etc"; }},
    {"round-zero", Step::kOffer, [](Draft& d) { d.config.round = 0; }},
    {"nan-clip", Step::kOffer, [](Draft& d) { d.config.value_clip = std::nan(""); }},
    {"negative-zero", Step::kOffer, [](Draft& d) { d.config.corrupt_fraction = -0.0; }},
    {"lone-survivor", Step::kOffer, [](Draft& d) { d.config.min_survivors = 1; }},
    {"overflow-of-weights", Step::kOffer, [](Draft& d) { d.config.weight_bits = 30; }},
    {"too-few-commits", Step::kOffer, [](Draft& d) { d.config.dropout_fraction = 0.8; }},
    {"cohort-without-certificate", Step::kOffer,
     [](Draft& d) {
       d.config.max_cohort = 10'000;
       d.config.value_bits = 10;
     }},
    {"no-safe-graph", Step::kOffer,
     [](Draft& d) {
       d.config.level = secagg::ThreatLevel::kCurious;
       d.config.corrupt_fraction = 0.49;
       d.config.dropout_fraction = 0.6;
     }},
    {"task-of-another", Step::kOffer, [](Draft& d) { d.names_task = false; }},
    {"cut-off", Step::kOffer, nullptr,
     [](Scene&, v1::Notice& n) { n.mutable_offer()->mutable_config()->pop_back(); }},
    {"trailing-bytes", Step::kOffer, nullptr,
     [](Scene&, v1::Notice& n) { n.mutable_offer()->mutable_config()->push_back('x'); }},
    {"answered-round", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       Rewrite<protocol::Offer>(n, [&](protocol::Offer& offer) {
         secagg::RoundConfig config = s.draft().config;
         config.round = s.earlier()->round;
         offer.config = secagg::Encode(config);
       });
     }},
    {"earlier-round", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       Rewrite<protocol::Offer>(n, [&](protocol::Offer& offer) {
         secagg::RoundConfig config = s.draft().config;
         config.round = s.earlier()->round - 1;
         config.attempt = 9;
         offer.config = secagg::Encode(config);
       });
     }},
    // ---- models
    {"terabyte-model", Step::kOffer, [](Draft& d) { d.model_bytes = 1'000'000'000'000; }},
    {"short-model", Step::kOffer, [](Draft& d) { d.model_bytes = 8; }},
    {"other-model-bytes", Step::kOffer, [](Draft& d) { d.names_model = false; }},
    {"longer-model", Step::kOffer,
     [](Draft& d) { d.checkpoint.insert(d.checkpoint.end(), 100, std::uint8_t{0}); }},
    {"model-cut-off", Step::kOffer, [](Draft& d) { d.checkpoint.pop_back(); }},
    {"model-of-other-layers", Step::kOffer,
     [](Draft& d) {
       v1::ModelSpec other = d.task.model();
       other.set_architecture("mlp");
       other.add_hidden(1);
       d.checkpoint = model::WriteSafetensors(model::LayoutOf(other).value(),
                                              model::InitialWeights(other).value(), {});
       d.model_bytes = d.checkpoint.size();
     }},
    {"nan-weight", Step::kOffer,
     [](Draft& d) { SetWeights(d, std::numeric_limits<float>::quiet_NaN()); }},
    {"infinite-weight", Step::kOffer,
     [](Draft& d) { SetWeights(d, std::numeric_limits<float>::infinity()); }},
    {"overflowing-weight", Step::kOffer,
     [](Draft& d) {
       // With privacy every gradient is clipped and noise is added: only without it this shows.
       d.task.mutable_privacy()->set_unit("none");
       SetWeights(d, std::numeric_limits<float>::max());
     }},
};

}  // namespace

std::span<const Attack> OfferAttacks() { return kAttacks; }

}  // namespace tutti::evil
