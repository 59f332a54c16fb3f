# The daemon's loop and its program. Included by client/CMakeLists.txt after the parts below it.
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/http/CMakeLists.txt)
  add_subdirectory(http)
endif()
if(TARGET tutti_session AND TARGET tutti_policy AND TARGET tutti_client_store AND TARGET tutti_client_rpc
   AND TARGET tutti_trainer_supervisor AND TARGET tutti_config AND TARGET tutti_model)
  tutti_library(tutti_client LAYER 40
    SOURCES books.cc identity.cc join.cc learner.cc metrics.cc runtime.cc runtime_effects.cc
    DEPS tutti_base tutti_crypto tutti_proto tutti_protocol tutti_model tutti_secagg tutti_dp tutti_ledger
      tutti_wire tutti_policy tutti_session tutti_platform tutti_log tutti_config tutti_client_store
      tutti_trainer_supervisor tutti_client_rpc tutti_failpoint
    LINKS prometheus-cpp::core)
endif()
