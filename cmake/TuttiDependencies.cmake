# Third-party libraries: the same lines on Debian 12, Debian 13 and Ubuntu 26.04 (deploy/setup.sh installs them).
find_program(TUTTI_CCACHE ccache)
if(TUTTI_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TUTTI_CCACHE})
endif()
find_program(TUTTI_MOLD mold)
if(TUTTI_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
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
