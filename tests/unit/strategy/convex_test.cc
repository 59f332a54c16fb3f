// Strategies on a problem whose answer is known: each client has a quadratic
// f_i(x) = sum_j a_ij (x_j - b_ij)^2 / 2, so the sum of all is least at sum a_i b_i / sum a_i, and
// clients that take many steps alone drift to their own b_i.
#include <algorithm>
#include <cmath>
#include <functional>

#include "common/strategy/sum_vector.h"
#include "server/aggregate/adaptive.h"
#include "server/aggregate/server_optimiser.h"
#include "tests/catch.h"

namespace tutti::strategy {
namespace {

constexpr std::size_t kValues = 4;
using Point = std::vector<float>;

struct Client {
  Point curvature, centre;
  std::uint64_t steps = 10;
  Point own;  // scaffold
  double Loss(const Point& x) const {
    double loss = 0;
    for (std::size_t j = 0; j < kValues; ++j) {
      loss += curvature[j] * std::pow(static_cast<double>(x[j] - centre[j]), 2) / 2;
    }
    return loss;
  }
};

std::vector<Client> Clients() {
  return {{{1, 0.2F, 1, 0.5F}, {0.5F, -0.4F, 0, 0.2F}, 20, {}},
          {{0.1F, 1, 0.3F, 0.5F}, {-0.5F, 0.4F, 0.3F, -0.2F}, 20, {}},
          {{0.4F, 0.4F, 2, 0.1F}, {0.1F, 0, -0.4F, 0.6F}, 20, {}}};
}

Point Optimum(const std::vector<Client>& clients) {
  Point x(kValues);
  for (std::size_t j = 0; j < kValues; ++j) {
    float top = 0, bottom = 0;
    for (const Client& client : clients) {
      top += client.curvature[j] * client.centre[j];
      bottom += client.curvature[j];
    }
    x[j] = top / bottom;
  }
  return x;
}

double Distance(const Point& a, const Point& b) {
  double sum = 0;
  for (std::size_t j = 0; j < kValues; ++j) sum += std::pow(static_cast<double>(a[j] - b[j]), 2);
  return std::sqrt(sum);
}

v1::TaskSpec Task(const std::string& correction, double proximal = 0, double fairness = 0) {
  v1::TaskSpec task;
  task.set_values(kValues);
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_learning_rate(0.2);
  training.set_correction(correction);
  training.set_proximal(proximal);
  training.set_fairness_power(fairness);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(1);
  return task;
}

// Plain gradient descent as common/learn does it: control variates and pull in each step.
Point Descend(const v1::TaskSpec& task, const Client& client, const Point& start,
              const Point& control) {
  Point x = start;
  const auto rate = static_cast<float>(task.training().learning_rate());
  const auto pull = static_cast<float>(task.training().proximal());
  const bool drift = CorrectionOf(task.training()) == Correction::kScaffold;
  for (std::uint64_t k = 0; k < client.steps; ++k) {
    for (std::size_t j = 0; j < kValues; ++j) {
      float gradient = client.curvature[j] * (x[j] - client.centre[j]) + pull * (x[j] - start[j]);
      if (drift) gradient += control[j] - (client.own.empty() ? 0 : client.own[j]);
      x[j] -= rate * gradient;
    }
  }
  return x;
}

struct Server {
  Point model = Point(kValues);
  Point control = Point(kValues);
  aggregate::Moments moments;
};

using ServerStep = std::function<void(Server&, const Point& update)>;

void Average(Server& server, const Point& update) {
  Point next(kValues);
  REQUIRE(aggregate::ApplyFedAvg(server.model, update, 1, next).ok());
  server.model = next;
}

Point Run(const v1::TaskSpec& task, std::vector<Client> clients, int rounds,
          const ServerStep& step = Average) {
  REQUIRE(CheckStrategy(task).ok());
  Server server;
  for (int round = 0; round < rounds; ++round) {
    Point mean(SumShapeOf(task).total());
    for (Client& client : clients) {
      const Point trained = Descend(task, client, server.model, server.control);
      Point update(kValues);
      std::transform(trained.begin(), trained.end(), server.model.begin(), update.begin(),
                     std::minus<>());
      const LocalResult local{.update = update,
                              .steps = client.steps,
                              .initial_loss = client.Loss(server.model),
                              .control = server.control,
                              .client_control = client.own};
      const auto vector = MakeSumVector(task, local);
      REQUIRE(vector.ok());
      for (std::size_t i = 0; i < mean.size(); ++i) {
        mean[i] += (*vector)[i] / static_cast<float>(clients.size());
      }
      if (SumShapeOf(task).control > 0) client.own = NextControl(task, local);
    }
    const auto opened = OpenSumVector(task, mean);
    REQUIRE(opened.ok());
    step(server, opened->update);
    for (std::size_t j = 0; j < opened->control_change.size(); ++j) {
      server.control[j] += opened->control_change[j];
    }
  }
  return server.model;
}

TEST_CASE("scaffold reaches the optimum that averaging misses", "[strategy]") {
  const std::vector<Client> clients = Clients();
  const Point optimum = Optimum(clients);
  const double averaged = Distance(Run(Task("none"), clients, 200), optimum);
  REQUIRE(averaged > 0.05);  // the drift of 20 steps alone
  REQUIRE(Distance(Run(Task("scaffold"), clients, 200), optimum) < 1e-3);
}

TEST_CASE("a proximal term brings averaging nearer to the optimum", "[strategy]") {
  const std::vector<Client> clients = Clients();
  const Point optimum = Optimum(clients);
  const double averaged = Distance(Run(Task("none"), clients, 400), optimum);
  REQUIRE(Distance(Run(Task("none", 1.0), clients, 400), optimum) < averaged / 2);
}

TEST_CASE("nova keeps clients that take more steps from counting more", "[strategy]") {
  // One step size small enough that drift is nothing: what is left is the uneven number of steps.
  std::vector<Client> clients = Clients();
  for (Client& client : clients) client.curvature = {1, 1, 1, 1};
  clients[0].steps = 1;
  clients[1].steps = 2;
  clients[2].steps = 12;
  const Point optimum = Optimum(clients);
  v1::TaskSpec plain = Task("none"), nova = Task("nova");
  for (v1::TaskSpec* task : {&plain, &nova}) task->mutable_training()->set_learning_rate(0.005);
  REQUIRE(Distance(Run(plain, clients, 2000), optimum) > 0.2);
  REQUIRE(Distance(Run(nova, clients, 2000), optimum) < 0.02);
}

TEST_CASE("q-FFL lowers the loss of the client that is served worst", "[strategy]") {
  const std::vector<Client> clients = Clients();
  const auto worst = [&](const Point& x) {
    double loss = 0;
    for (const Client& client : clients) loss = std::max(loss, client.Loss(x));
    return loss;
  };
  const double plain = worst(Run(Task("none"), clients, 600));
  const double fair = worst(Run(Task("none", 0, 1), clients, 600));
  const double fairer = worst(Run(Task("none", 0, 4), clients, 6000));
  REQUIRE(fair < plain);
  REQUIRE(fairer < fair);
}

TEST_CASE("adaptive server optimisers reach the optimum of clients that do not drift",
          "[strategy]") {
  std::vector<Client> clients = Clients();
  for (Client& client : clients) client.steps = 1;
  const Point optimum = Optimum(clients);
  for (const aggregate::Adaptive kind :
       {aggregate::Adaptive::kAdagrad, aggregate::Adaptive::kAdam, aggregate::Adaptive::kYogi}) {
    aggregate::AdaptiveRule rule{.kind = kind, .beta1 = 0.9, .beta2 = 0.99, .tau = 1e-3};
    int round = 0;
    const Point reached =
        Run(Task("none"), clients, 3000, [&](Server& server, const Point& update) {
          rule.learning_rate = 0.05 / std::sqrt(1.0 + 0.1 * round++);
          if (kind == aggregate::Adaptive::kAdagrad) rule.learning_rate = 0.1;
          Point next(kValues);
          REQUIRE(aggregate::ApplyAdaptive(rule, server.model, update, server.moments, next).ok());
          server.model = next;
        });
    INFO(static_cast<int>(kind));
    REQUIRE(Distance(reached, optimum) < 0.01);
  }
}

}  // namespace
}  // namespace tutti::strategy
