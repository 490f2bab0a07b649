# The tests that pytest runs: one of ctest's for each file, and a second one for what is marked slow
# in it, and a third for what is marked nightly.

# The Python that has all modules which the tests need: Debian's has those of Debian's packages,
# another one that comes first in PATH may have its own.
foreach(candidate /usr/bin/python3 python3)
    execute_process(COMMAND ${candidate} -c "import pytest, msgpack" RESULT_VARIABLE failed ERROR_QUIET)
    if(failed EQUAL 0)
        set(python ${candidate})
        break()
    endif()
endforeach()
if(NOT python)
    message(FATAL_ERROR "no python3 has both pytest and msgpack (./build.sh deps)")
endif()

set(pytest ${CMAKE_COMMAND} -E chdir ${CMAKE_SOURCE_DIR} ${python} -m pytest -q -rs
    -o cache_dir=${CMAKE_BINARY_DIR}/pytest_cache)

# Where several threads of the program meet: what ThreadSanitizer runs for every change.
set(concurrent
    test_clean_stops test_changed_only test_retries test_same_bytes test_signals test_state
    test_stopping test_webhook test_webhook_retries)

# Those that take long, most of it for servers that they start, kill or wait for, that are about texts, packages or
# how much memory is used, and not the program, or whose inputs a fuzz target has, too (job files): AddressSanitizer
# runs them only with all others (./build.sh nightly).
set(patient
    test_bad_days test_changed_only test_completions test_connection_limits test_database_limits test_dead_connections
    test_derived_names test_descriptors test_design_walk test_disk_full_state test_docs test_hooks test_http_ways
    test_id_lists test_install test_job_files test_kafka_state test_manpage test_memory test_messages test_mixed_protocols test_object_errors
    test_object_storage test_outages test_parquet_memory test_postgres test_postgres_faults test_postgres_locks
    test_postgres_plans test_postgres_same test_push_described test_recipes test_recipes_warehouses test_report test_rooms test_sqlite
    test_tables test_usage test_warehouse_nights test_warehouse_readers)

function(add_pytest_file kind file)
    get_filename_component(name ${file} NAME_WE)
    # librdkafka starts its threads by thrd_create(), and GCC 12's ThreadSanitizer crashes in a thread that it has not
    # seen begin.
    if(LEADPIPE_SANITIZE STREQUAL "thread" AND name MATCHES "^test_(kafka|check_sabotage)")
        return()
    endif()
    set(labels ${kind})
    if(kind STREQUAL "e2e")
        if(NOT name IN_LIST patient)
            list(APPEND labels asan)
        endif()
        if(name IN_LIST concurrent)
            list(APPEND labels tsan)
        endif()
    endif()
    leadpipe_test(${kind}/${name} LABELS ${labels} TIMEOUT 1200 COST 10
        COMMAND ${pytest} ${file} -m "not slow and not nightly")
    file(STRINGS ${file} slow REGEX "mark\\.slow")
    if(slow)
        leadpipe_test(slow/${name} LABELS ${kind} slow TIMEOUT 2400 COST 100
            COMMAND ${pytest} ${file} -m "slow and not nightly")
    endif()
    file(STRINGS ${file} nightly REGEX "mark\\.nightly")
    if(nightly)
        leadpipe_test(nightly/${name} LABELS ${kind} nightly TIMEOUT 7200
            COMMAND ${pytest} ${file} -m nightly)
    endif()
endfunction()

file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/e2e/test_*.py)
foreach(file IN LISTS files)
    add_pytest_file(e2e ${file})
endforeach()
foreach(file test_check_reports.py sandbox/test_crm.py sandbox/test_crm_client.py sandbox/test_sandbox.py
        reference/test_destinations.py reference/test_reference.py
        reference/test_typed.py prism/test_prism.py faults/test_books.py faults/test_faultfs.py)
    add_pytest_file(tools ${CMAKE_CURRENT_SOURCE_DIR}/${file})
endforeach()
