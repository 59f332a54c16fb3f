# tutti_library, tutti_program, tutti_test: one way to declare a target, and the layer rule.
#
#   tutti_library(tutti_dp LAYER 12 SOURCES accountant.cc DEPS tutti_base tutti_maths LINKS OpenSSL::Crypto)
#
# LAYER is the target's place in docs/architecture.md section 3. DEPS name Tutti libraries and must all lie on a lower
# layer: configuring stops on an upward or sideways edge. LINKS name third-party targets; they stay PRIVATE unless
# they are listed under PUBLIC_LINKS.

add_library(tutti_flags INTERFACE)
target_compile_options(tutti_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion
  -Wsign-conversion -fstack-protector-strong -fno-omit-frame-pointer
  -pthread)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports dangling and uninitialised values inside the standard library itself (GCC bugs 105562, 105329).
  target_compile_options(tutti_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-array-bounds)
endif()
if(TUTTI_WERROR)
  target_compile_options(tutti_flags INTERFACE -Werror)
endif()
target_compile_definitions(tutti_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:_GLIBCXX_ASSERTIONS>
  TUTTI_BUILD_TYPE="$<CONFIG>" TUTTI_VERSION="${PROJECT_VERSION}")
target_include_directories(tutti_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(TUTTI_SANITIZE)
  target_compile_options(tutti_flags INTERFACE -fsanitize=${TUTTI_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tutti_flags INTERFACE -fsanitize=${TUTTI_SANITIZE})
endif()
if(TUTTI_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TUTTI_FUZZ needs clang's libFuzzer, the compiler is ${CMAKE_CXX_COMPILER_ID}; "
      "use: cmake --preset fuzz")
  endif()
  # Libraries report the code they reach; the targets in tests/fuzz bring the fuzzer itself.
  target_compile_options(tutti_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# GCC fails where a file has another optimisation level than the precompiled headers: files with options of their own skip them.
# Parsing headers is more than half of the work of compiling. Those below are parsed once each for all libraries,
# programs and tests, whose flags differ; every file still includes what it uses. LibTorch's files parse them by themselves: on
# Debian 12 its headers have to come before Catch2's.
set(TUTTI_COMMON_HEADERS <absl/status/statusor.h> <algorithm> <chrono> <cmath> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <variant> <vector>)
set(TUTTI_PRECOMPILED OFF)
if(TUTTI_PRECOMPILE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_CROSSCOMPILING)
  set(TUTTI_PRECOMPILED ON)
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "int main() { return 0; }\n")
  if(NOT TUTTI_CORES_ONLY)
    list(APPEND TUTTI_COMMON_HEADERS <google/protobuf/message.h> <google/protobuf/repeated_field.h>)
  endif()
  add_library(tutti_library_headers STATIC ${CMAKE_BINARY_DIR}/precompiled.cc)
  add_executable(tutti_program_headers EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
  foreach(kind library program)
    target_link_libraries(tutti_${kind}_headers PRIVATE tutti_flags)
    target_precompile_headers(tutti_${kind}_headers PRIVATE ${TUTTI_COMMON_HEADERS})
  endforeach()
endif()
# KIND: library, program or test.
function(tutti_precompiled name kind)
  if(TUTTI_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM tutti_${kind}_headers)
  endif()
endfunction()
# Files whose time does not matter, such as those that read a command line: at -O3 they cost twice as much to compile.
function(tutti_compile_lightly)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1> SKIP_PRECOMPILE_HEADERS ON)
endfunction()

set_property(GLOBAL PROPERTY TUTTI_GRAPH "")

function(tutti_check_layers name layer)
  foreach(dep IN LISTS ARGN)
    if(NOT TARGET ${dep})
      message(FATAL_ERROR "${name} depends on ${dep}, which is not declared yet: add its folder before this one")
    endif()
    get_target_property(dep_layer ${dep} TUTTI_LAYER)
    if(dep_layer STREQUAL "dep_layer-NOTFOUND")
      message(FATAL_ERROR "${name}: ${dep} is not a Tutti library; list third-party targets under LINKS")
    endif()
    if(NOT dep_layer LESS layer)
      message(FATAL_ERROR "layer rule: ${name} (layer ${layer}) may not use ${dep} (layer ${dep_layer}); "
        "only lower layers may be used (docs/architecture.md section 3)")
    endif()
    set_property(GLOBAL APPEND PROPERTY TUTTI_GRAPH "${name} ${layer} ${dep} ${dep_layer}")
  endforeach()
endfunction()

# NO_PRECOMPILED: it includes LibTorch's headers.
function(tutti_library name)
  cmake_parse_arguments(A "NO_PRECOMPILED" "LAYER" "SOURCES;DEPS;LINKS;PUBLIC_LINKS" ${ARGN})
  tutti_check_layers(${name} ${A_LAYER} ${A_DEPS})
  add_library(${name} STATIC ${A_SOURCES})
  set_target_properties(${name} PROPERTIES TUTTI_LAYER ${A_LAYER})
  target_link_libraries(${name} PUBLIC ${A_DEPS} ${A_PUBLIC_LINKS} PRIVATE ${A_LINKS} tutti_flags)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  if(NOT A_NO_PRECOMPILED)
    tutti_precompiled(${name} library)
  endif()
endfunction()

function(tutti_program name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;LINKS" ${ARGN})
  tutti_check_layers(${name} 50 ${A_DEPS})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_DEPS} ${A_LINKS} tutti_flags)
  tutti_precompiled(${name} program)
endfunction()

function(tutti_test_flags name)
  target_link_libraries(${name} PRIVATE tutti_catch tutti_flags)
  # Tests are compiled fast rather than to be fast; what they test keeps its own flags. At -O3 GCC 12 also sees uses
  # after free in Catch2's macros that are none.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(${name} PRIVATE TUTTI_TEST_DATA="${PROJECT_SOURCE_DIR}/tests"
    TUTTI_SOURCE_DIR="${PROJECT_SOURCE_DIR}" TUTTI_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
endfunction()

# One Catch2 program of unit tests. Catch2 2.13 (Debian 12) and 3.x (Debian 13): tests/catch.h hides the difference.
function(tutti_test name)
  cmake_parse_arguments(A "NO_PRECOMPILED" "TIMEOUT" "SOURCES;DEPS;LINKS;LABELS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  if(CMAKE_CROSSCOMPILING)
    math(EXPR A_TIMEOUT "10 * ${A_TIMEOUT}") # under an emulator
  endif()
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_DEPS} ${A_LINKS})
  tutti_test_flags(${name})
  if(NOT A_NO_PRECOMPILED)
    tutti_precompiled(${name} test)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}")
  if(TUTTI_SANITIZE)
    # What Debian's libraries, which are not instrumented, would be blamed for; each file says why.
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp;TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
  endif()
endfunction()

# The Tutti libraries' edges, one "from layer to layer" line each: tests/arch compares them with the document.
function(tutti_write_graph file)
  get_property(graph GLOBAL PROPERTY TUTTI_GRAPH)
  list(JOIN graph "\n" text)
  file(WRITE ${file} "${text}\n")
endfunction()

if(BUILD_TESTING)
  find_package(Catch2 CONFIG REQUIRED)
  add_library(tutti_catch INTERFACE)
  # Debian's compiled main is for the building machine.
  if(TARGET Catch2::Catch2WithMain AND NOT CMAKE_CROSSCOMPILING)
    target_link_libraries(tutti_catch INTERFACE Catch2::Catch2WithMain)
  else()
    # Compiling Catch2's main costs half a minute, so it is compiled once.
    add_library(tutti_catch_main STATIC ${PROJECT_SOURCE_DIR}/tests/catch_main.cc)
    target_link_libraries(tutti_catch_main PUBLIC Catch2::Catch2)
    target_link_libraries(tutti_catch INTERFACE tutti_catch_main)
  endif()
  if(TUTTI_PRECOMPILED)
    add_executable(tutti_test_headers EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
    tutti_test_flags(tutti_test_headers)
    target_precompile_headers(tutti_test_headers PRIVATE ${TUTTI_COMMON_HEADERS} ${PROJECT_SOURCE_DIR}/tests/catch.h)
  endif()
endif()
