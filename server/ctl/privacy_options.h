// The options and the help of `tutti privacy`, for arguments.cc.
// Thread safety: confined to one thread.
#pragma once

#include <CLI/CLI.hpp>

#include "server/ctl/arguments.h"

namespace tutti::ctl {

extern const char* const kPrivacyAbout;
extern const char* const kPrivacyFirstSteps;
extern const char* const kEpsilonAbout;
extern const char* const kEpsilonExamples;
extern const char* const kCalibrateAbout;
extern const char* const kCalibrateExamples;
extern const char* const kComposeAbout;
extern const char* const kComposeExamples;

// Adds each command's options, which fill `arguments`; values out of range are refused with the
// range.
void AddPrivacyOptions(CLI::App& epsilon, CLI::App& calibrate, CLI::App& compose,
                       PrivacyArguments& arguments);

}  // namespace tutti::ctl
