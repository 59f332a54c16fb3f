#include "server/simulate/client_round.h"

#include <cmath>
#include <utility>

#include "client/update/strategy_state.h"
#include "client/update/update.h"
#include "common/model/update_norm.h"
#include "common/strategy/schedule.h"
#include "common/strategy/staleness.h"
#include "server/simulate/chance.h"
#include "server/simulate/trigger.h"

namespace tutti::simulate {
namespace {

void Attack(const v1::MaliciousProfile& profile, SecureRng& rng, std::vector<float>& update) {
  const std::string& kind = profile.kind();
  if (kind == "sign_flip" || kind == "scale" || kind == "backdoor") {
    const auto factor =
        static_cast<float>(kind == "sign_flip" ? -profile.strength() : profile.strength());
    for (float& value : update) {
      value *= factor;
    }
  } else if (kind == "noise") {
    const double stddev =
        profile.strength() * model::L2Norm(update) / std::sqrt(static_cast<double>(update.size()));
    for (float& value : update) {
      value = static_cast<float>(stddev * Normal(rng));
    }
  }
}

}  // namespace

StatusOr<Contribution> Contribute(const Scene& scene, const Course& course,
                                  const policy::Plan& plan, const secagg::RoundConfig& config,
                                  std::size_t client, const Held* held, std::vector<float> kept,
                                  Learner& learner) {
  const bool malicious = scene.population.device(client).malicious;
  const v1::MaliciousProfile& profile = scene.world.malicious();
  const std::uint64_t trained_for = held != nullptr ? held->received->round : config.round;
  const std::uint64_t late = config.round - trained_for;
  auto rng = StreamOf(scene.world.seed(), "client", client, trained_for,
                      held != nullptr ? held->attempt : config.attempt);
  v1::TaskSpec task =
      strategy::TaskOfRound(scene.job.task, trained_for, course.terms().rate_factor);
  const double clip_norm = held != nullptr ? held->received->clip_norm : course.terms().clip_norm;
  const update::LocalTask local = update::LocalTaskOf(task, plan, clip_norm);
  const std::span<const float> values =
      held != nullptr ? std::span<const float>(held->received->values) : course.values();
  const update::StrategyState strategy(task, scene.job.layout, {values.begin(), values.end()},
                                       std::move(kept), {config.round, course.growth()});
  const Assignment assignment{
      scene.population.rows(client),
      malicious && profile.kind() == "label_flip",
      local.training,
      local.privacy,
      strategy.extra(),
      plan.counts ? &task : nullptr,
      course.tilts(),
      task.adversary(),
      malicious && profile.kind() == "backdoor"
          ? PoisonedOf(profile, scene.world.seed(), client, scene.population.rows(client).size())
          : std::vector<std::uint32_t>()};
  TUTTI_ASSIGN(Learnt learnt, learner.Train(assignment, strategy.weights(), rng));
  if (malicious) {
    Attack(profile, rng, learnt.update);
    task.mutable_robust()->set_max_update_norm(0);
  }
  std::vector<float> common = strategy.Common(learnt.update);
  const strategy::LocalResult result = strategy.Local(common, learnt.steps, learnt.initial_loss);
  TUTTI_ASSIGN(update::Encoded encoded,
               update::Encode(config, task, plan, clip_norm,
                              {common, result, assignment.rows.size(), learnt.norms_counted,
                               learnt.norms_below, learnt.counts,
                               strategy::StalenessFactor(task.training(), late)},
                              rng));
  return Contribution{std::move(encoded.vector),
                      strategy.Keep(task, result, learnt.update, std::move(learnt.extra)),
                      learnt.loss,
                      learnt.seconds,
                      encoded.clipped_values,
                      late};
}

bool SitsOut(const Status& status) {
  return status.code() == StatusCode::kFailedPrecondition ||
         status.code() == StatusCode::kOutOfRange;
}

}  // namespace tutti::simulate
