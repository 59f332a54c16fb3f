// `tutti privacy`: the accountants of common/dp as a calculator. Needs no coordinator.
// Thread safety: confined to one thread.
#pragma once

#include "server/ctl/commands.h"

namespace tutti::ctl {

int PrivacyEpsilon(const Arguments& arguments, Console& console);
int PrivacyCalibrate(const Arguments& arguments, Console& console);
int PrivacyCompose(const Arguments& arguments, Console& console);

}  // namespace tutti::ctl
