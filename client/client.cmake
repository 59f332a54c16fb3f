# The daemon's loop and its program. Included by client/CMakeLists.txt after the parts below it.
add_subdirectory(http)

tutti_library(tutti_client LAYER 40
  SOURCES blas_check.cc books.cc daemon.cc identity.cc join.cc learner.cc ledger_report.cc metrics.cc runtime.cc
    runtime_effects.cc
  DEPS tutti_base tutti_crypto tutti_proto tutti_protocol tutti_model tutti_secagg tutti_dp tutti_ledger
    tutti_wire tutti_policy tutti_session tutti_platform tutti_log tutti_config tutti_client_store
    tutti_trainer_supervisor tutti_client_rpc tutti_client_http tutti_failpoint
  LINKS prometheus-cpp::core)

tutti_program(tutti-client
  SOURCES main.cc main_report.cc
  DEPS tutti_client tutti_failpoint_off
  LINKS CLI11::CLI11 nlohmann_json::nlohmann_json)

# The same program with failpoints, for tests that end it at a named place.
if(BUILD_TESTING)
  tutti_program(tutti-client-failpoints
    SOURCES main.cc main_report.cc
    DEPS tutti_client tutti_failpoint_on
    LINKS CLI11::CLI11 nlohmann_json::nlohmann_json)
  set_target_properties(tutti-client-failpoints PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
