// Numbers as the operator reads them. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "common/terminal/numbers.h"
#include "common/terminal/table.h"
#include "tutti/v1/admin.pb.h"

namespace tutti::ctl {

// As the commands' own.
using terminal::Align;
using terminal::Bar;
using terminal::Clock;
using terminal::Column;
using terminal::Date;
using terminal::Megabytes;
using terminal::Pairs;
using terminal::Percent;
using terminal::Seconds;
using terminal::Size;
using terminal::Table;

// Never smaller than it is, three decimals; "-" for a round without privacy.
std::string EpsilonText(double epsilon, bool privacy = true);
// "2.988 (coordinator and models)" or "8.199 (coordinator), 5.012 (models)": whom each is against.
std::string EpsilonsText(double coordinator, double models);
// "5", or "4 of 5" when the round went on without some of its groups.
std::string GroupsText(const v1::RoundInfo& round);

// Whether a model was measured on held-out data.
bool IsEvaluated(const v1::RoundInfo& round);
// "test accuracy 81.25 %"; of models that predict numbers "test loss 61.2345"; "test accuracy -"
// when it was not evaluated.
std::string ScoreText(const v1::RoundInfo& round);
// The newest round that was evaluated; without one an empty RoundInfo that was not.
v1::RoundInfo NewestEvaluated(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds);

// One line a round: clients in the sum and dropped, accuracy (of models that predict numbers the
// loss), largest epsilon, traffic, time; totals below. Empty text without rounds.
std::string RoundTable(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds);

bool HasEnded(const v1::JobInfo& job);  // stopped, done or failed

}  // namespace tutti::ctl
