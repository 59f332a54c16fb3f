# Third-party libraries: the same lines on Debian 12, Debian 13 and Ubuntu 26.04 (deploy/setup.sh installs them).
find_program(TUTTI_CCACHE ccache)
if(TUTTI_CCACHE)
  # Sloppiness: or ccache would not keep what was compiled with a precompiled header. Depend: it reads what the compiler
  # says of the headers and need not run the preprocessor first.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1 ${TUTTI_CCACHE})
endif()
find_program(TUTTI_MOLD mold)
if(TUTTI_MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_path(TUTTI_SODIUM_INCLUDE sodium.h REQUIRED)
find_library(TUTTI_SODIUM_LIBRARY sodium REQUIRED)
add_library(tutti_sodium INTERFACE)
target_include_directories(tutti_sodium SYSTEM INTERFACE ${TUTTI_SODIUM_INCLUDE})
target_link_libraries(tutti_sodium INTERFACE ${TUTTI_SODIUM_LIBRARY})
# The package's library is single precision; its C++ header transforms doubles and needs no library.
find_path(TUTTI_KISSFFT_INCLUDE kissfft/kissfft.hh REQUIRED)
if(TUTTI_CORES_ONLY)
  find_package(absl CONFIG REQUIRED)
  return()
endif()
find_package(Protobuf 3.21 REQUIRED MODULE) # Debian ships no CONFIG file for it; must precede gRPC
find_package(gRPC 1.51 CONFIG REQUIRED)
find_package(spdlog 1.10 CONFIG REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(tomlplusplus 3.3 CONFIG REQUIRED)
find_package(CLI11 2.1 CONFIG REQUIRED)
find_package(nlohmann_json 3.11 CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)

if(TUTTI_WITH_LEARN)
  find_package(Torch 1.13 CONFIG REQUIRED)
  # SYSTEM, so that our warnings stay readable. No find_package consumer below gets Torch's global flags.
  add_library(tutti_torch_sdk INTERFACE)
  target_link_libraries(tutti_torch_sdk INTERFACE ${TORCH_LIBRARIES})
  target_include_directories(tutti_torch_sdk SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  if(TUTTI_REQUIRE_OPENBLAS)
    file(GLOB TUTTI_OPENBLAS /usr/lib/*/openblas-*/libblas.so.3)
    if(NOT TUTTI_OPENBLAS)
      message(FATAL_ERROR "no OpenBLAS found: LibTorch would multiply matrices 20 to 80 times slower with the "
        "reference BLAS. Fix: apt-get install libopenblas0-pthread (or run deploy/setup.sh); "
        "-DTUTTI_REQUIRE_OPENBLAS=OFF builds anyway.")
    endif()
  endif()
endif()
