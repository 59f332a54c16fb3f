# The coordinator's loop and the program tutti-server. Included by server/CMakeLists.txt after the libraries.
if(TARGET tutti_server_rpc AND TARGET tutti_aggregate)
  tutti_library(tutti_coordinator LAYER 40
    SOURCES coordinator.cc coordinator_effects.cc coordinator_jobs.cc daemon.cc job_settings.cc pki.cc publisher.cc
      watchers.cc
    DEPS tutti_base tutti_crypto tutti_proto tutti_model tutti_secagg tutti_protocol tutti_aggregate tutti_round
      tutti_platform tutti_log tutti_config tutti_server_store tutti_server_http tutti_server_rpc
      tutti_failpoint)
  tutti_program(tutti-server
    SOURCES main.cc
    DEPS tutti_base tutti_platform tutti_log tutti_config tutti_server_rpc tutti_coordinator tutti_failpoint_off
    LINKS CLI11::CLI11)
  # The same program with failpoints, for tests that end it at a named place.
  if(BUILD_TESTING)
    tutti_program(tutti-server-failpoints
      SOURCES main.cc
      DEPS tutti_base tutti_platform tutti_log tutti_config tutti_server_rpc tutti_coordinator tutti_failpoint_on
      LINKS CLI11::CLI11)
    set_target_properties(tutti-server-failpoints PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endif()
