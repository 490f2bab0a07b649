# Files of data, compiled in as bytes: profiles, destinations.
#
#   leadpipe_embed(VARIABLE KIND FOLDER HEADER [PATTERN])
#
# sets VARIABLE to a C file with an array KIND_builtins of struct builtin (core/base/builtin.h), which
# HEADER declares: one for each file of FOLDER whose name is like PATTERN (*.json), in order of name, and an empty one behind them. The name is
# that of the file.
#
# As a script (-P) it makes that C file: KIND, FOLDER, HEADER, FILES, OUT.

function(leadpipe_embed variable kind folder header)
    set(pattern *.json)
    if(ARGC GREATER 4)
        set(pattern ${ARGV4})
    endif()
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/${pattern})
    list(SORT files)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${kind}_builtins.c)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DKIND=${kind} -DFOLDER=${folder} -DHEADER=${header} "-DFILES=${files}"
            -DOUT=${out} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        VERBATIM)
    set(${variable} ${out} PARENT_SCOPE)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE)
    return()
endif()

set(text "/* Made by cmake/embed.cmake from ${FOLDER}/; do not edit. */\n")
string(APPEND text "#include \"${HEADER}\"\n")
set(list "")
set(number 0)
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
           bytes "${bytes}")
    string(APPEND text "\nstatic const unsigned char ${KIND}_${number}[] = {\n${bytes}\n};\n")
    string(APPEND list "    { \"${name}\", ${KIND}_${number}, sizeof ${KIND}_${number} },\n")
    math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nconst struct builtin ${KIND}_builtins[] = {\n${list}    { NULL, NULL, 0 },\n};\n")
file(WRITE ${OUT} "${text}")
