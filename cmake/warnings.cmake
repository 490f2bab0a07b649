# How leadpipe's own C is compiled: standard, warnings, hardening, sanitizers.
# To be included after project(); every target then calls leadpipe_target().

option(LEADPIPE_WERROR "Warnings are errors (continuous integration)" OFF)
option(LEADPIPE_COVERAGE "Count executed lines, for gcovr" OFF)
option(LEADPIPE_FUZZ "Build fuzz targets for libFuzzer; needs clang" OFF)
set(LEADPIPE_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")
set_property(CACHE LEADPIPE_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# Instrumentation is all or nothing: an object file without it blinds the
# sanitizer or the counter, so it goes to every target below this directory.

if(LEADPIPE_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "LEADPIPE_FUZZ needs clang (cmake --preset fuzz)")
    endif()
    if(LEADPIPE_SANITIZE)
        message(FATAL_ERROR "LEADPIPE_FUZZ brings its own sanitizers; leave LEADPIPE_SANITIZE empty")
    endif()
    set(_sanitizers "fuzzer-no-link,address,undefined")
else()
    set(_sanitizers "${LEADPIPE_SANITIZE}")
endif()

if(_sanitizers)
    add_compile_options(-fsanitize=${_sanitizers} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer -g -O1)
    # fuzzer-no-link is a compile-time word; leadpipe_fuzzer() links the real one
    string(REPLACE "fuzzer-no-link," "" _sanitizers_link "${_sanitizers}")
    add_link_options(-fsanitize=${_sanitizers_link})
    # as two shared libraries they disagree about log_path, and parts of reports get lost
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND _sanitizers STREQUAL "address,undefined")
        add_link_options(-static-libasan -static-libubsan)
    endif()
endif()

if(LEADPIPE_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic -O0 -g)
    add_link_options(--coverage)
endif()

set(_warnings
    -Wall -Wextra -Wpedantic
    # names and declarations
    -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wmissing-declarations -Wredundant-decls -Wnested-externs -Wundef
    # silent changes of a value or of a type
    -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align -Wwrite-strings -Wpointer-arith
    # control flow; -Wswitch (in -Wall) asks for every enumerator where there is
    # no default, -Wswitch-enum would ask even where the default is meant
    -Wimplicit-fallthrough
    # memory
    -Wvla -Walloca
    # printf and friends, also through our own wrappers
    -Wformat=2)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND _warnings -Wlogical-op -Wduplicated-cond -Wtrampolines -Wdate-time)
    # needs the optimiser to see paths, and with sanitizers sees their checks
    if(NOT _sanitizers)
        list(APPEND _warnings $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-Wnull-dereference>)
    endif()
endif()
if(LEADPIPE_WERROR)
    list(APPEND _warnings -Werror)
endif()
set(LEADPIPE_WARNINGS ${_warnings} CACHE INTERNAL "")

# glibc's checks and the sanitizers' intercept the same calls: only one of them
set(_hardening -fstack-protector-strong)
set(_hardening_link -Wl,-z,relro,-z,now)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|aarch64|arm64)$")
    list(APPEND _hardening -fstack-clash-protection)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    list(APPEND _hardening -fcf-protection)
endif()
set(_optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
if(_sanitizers)
    set(LEADPIPE_HARDENING -U_FORTIFY_SOURCE CACHE INTERNAL "")
    set(LEADPIPE_HARDENING_LINK "" CACHE INTERNAL "")
else()
    set(LEADPIPE_HARDENING
        $<${_optimised}:${_hardening}>
        # distributions set their own level first, so it is taken back
        $<${_optimised}:-U_FORTIFY_SOURCE> $<${_optimised}:-D_FORTIFY_SOURCE=2>
        CACHE INTERNAL "")
    set(LEADPIPE_HARDENING_LINK $<${_optimised}:${_hardening_link}> CACHE INTERNAL "")
endif()

# Optimised across files at the link, the path of a request is shorter and lies closer together: 3 % less
# processor time where leads pass through as they came. Only the program is linked so (leadpipe_program()):
# objects hold machine code as well, and the tests, fifty programs that would each wait for such a link, take
# that.
option(LEADPIPE_LTO "Optimise the program across files at the link, where it is an optimised build by GCC" ON)
set(_lto_compile "")
set(_lto_link "")
set(_lto_link_not "")
if(LEADPIPE_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT _sanitizers AND NOT LEADPIPE_COVERAGE)
    set(_lto_compile $<${_optimised}:-flto=auto> $<${_optimised}:-ffat-lto-objects>)
    set(_lto_link $<${_optimised}:-flto=auto>)
    set(_lto_link_not $<${_optimised}:-fno-lto>)
endif()
set(LEADPIPE_LTO_COMPILE "${_lto_compile}" CACHE INTERNAL "")
set(LEADPIPE_LTO_LINK "${_lto_link}" CACHE INTERNAL "")
set(LEADPIPE_LTO_LINK_NOT "${_lto_link_not}" CACHE INTERNAL "")

# leadpipe_target(TARGET): C11, the GNU and POSIX interfaces of the C library,
# our warnings, hardening and position-independent code. Nothing is passed on to
# who links TARGET, so each library, program and test asks for itself.
function(leadpipe_target target)
    leadpipe_compiled(${target})
    target_link_options(${target} PRIVATE ${LEADPIPE_HARDENING_LINK} ${LEADPIPE_LTO_LINK_NOT})
endfunction()

# leadpipe_program(TARGET): a target that is linked with LEADPIPE_LTO.
function(leadpipe_program target)
    leadpipe_compiled(${target})
    target_link_options(${target} PRIVATE ${LEADPIPE_HARDENING_LINK} ${LEADPIPE_LTO_LINK})
endfunction()

function(leadpipe_compiled target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11
        C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF
        POSITION_INDEPENDENT_CODE ON)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64)
    target_compile_options(${target} PRIVATE ${LEADPIPE_WARNINGS} ${LEADPIPE_HARDENING} ${LEADPIPE_LTO_COMPILE})
endfunction()

# leadpipe_fuzzer(TARGET): TARGET has LLVMFuzzerTestOneInput() and no main().
# Only where LEADPIPE_FUZZ is on.
function(leadpipe_fuzzer target)
    leadpipe_target(${target})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
endfunction()
