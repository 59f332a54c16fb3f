// Catch2 2.13 (Debian 12) and 3.x (Debian 13) under one include. Include it AFTER any torch header:
// Debian 12's LibTorch brings glog, whose CHECK would otherwise replace Catch2's. Use REQUIRE only.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
