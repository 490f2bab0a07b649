# A room is a folder of the source: one object library, and what it may use.
#
#   leadpipe_room(core/http USES core/base LINK PkgConfig::CURL)
#
# USES names the rooms whose headers its files may include. They must have been named before, so there
# can be no cycle. A file that includes anything else, or a header of another room whose first comment
# says "Private to", ends the configuration.
# LINK names the libraries it is compiled with, SOURCES files besides the folder's own *.c, EXCEPT
# files of the folder that belong to no library, WITHOUT those that this build leaves out.

function(leadpipe_room folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINK;SOURCES;EXCEPT;WITHOUT")
    get_property(known GLOBAL PROPERTY leadpipe_rooms)
    foreach(used IN LISTS arg_USES)
        if(NOT used IN_LIST known)
            message(FATAL_ERROR "${folder}/CMakeLists.txt: ${used} is not a room that was named before")
        endif()
        leadpipe_room_target(used_target ${used})
        list(APPEND used_targets ${used_target})
    endforeach()
    set_property(GLOBAL APPEND PROPERTY leadpipe_rooms ${folder})

    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
    file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.h)
    foreach(file IN LISTS arg_WITHOUT)
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${folder}/${file})
    endforeach()
    foreach(file IN LISTS sources headers)
        leadpipe_check_includes(${folder} ${file} ${arg_USES})
    endforeach()
    foreach(file IN LISTS arg_EXCEPT)
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${folder}/${file})
    endforeach()
    list(APPEND sources ${arg_SOURCES})

    leadpipe_room_target(target ${folder})
    if(sources)
        add_library(${target} OBJECT ${sources})
        leadpipe_target(${target})
        # Nothing finds our functions at run time, so the compiler may inline them.
        set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
        target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
        target_link_libraries(${target} PUBLIC ${used_targets} ${arg_LINK})
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${used_targets} ${arg_LINK})
    endif()
endfunction()

# leadpipe_library(NAME ROOMS folder... LINK library...): the rooms as one static library.
function(leadpipe_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOMS;LINK")
    foreach(folder IN LISTS arg_ROOMS)
        leadpipe_room_target(target ${folder})
        list(APPEND objects $<TARGET_OBJECTS:${target}>)
    endforeach()
    add_library(${name} STATIC ${objects})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${arg_LINK})
endfunction()

# core/http is room_core_http.
function(leadpipe_room_target out folder)
    string(REPLACE "/" "_" name ${folder})
    set(${out} room_${name} PARENT_SCOPE)
endfunction()

# leadpipe_check_includes(FOLDER FILE USES...). An include that is added later is checked by the next
# configuration, at the latest that of a fresh build.
function(leadpipe_check_includes folder file)
    file(STRINGS ${file} includes REGEX "^#include \"")
    foreach(line IN LISTS includes)
        string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" header "${line}")
        get_filename_component(room ${header} DIRECTORY)
        if(NOT room STREQUAL folder AND NOT room IN_LIST ARGN)
            file(RELATIVE_PATH shown ${CMAKE_SOURCE_DIR} ${file})
            message(FATAL_ERROR "${shown} includes ${header}, but ${folder} may use only: ${ARGN} "
                "(${folder}/CMakeLists.txt; a path begins at the top of the source)")
        endif()
        if(NOT room STREQUAL folder)
            leadpipe_is_private(is_private ${CMAKE_SOURCE_DIR}/${header})
            if(is_private)
                file(RELATIVE_PATH shown ${CMAKE_SOURCE_DIR} ${file})
                message(FATAL_ERROR "${shown} includes ${header}, which is private to its room "
                    "(the comment at its top says so)")
            endif()
        endif()
    endforeach()
endfunction()

# leadpipe_is_private(OUT HEADER): does the comment at its top say "Private to"?
function(leadpipe_is_private out header)
    get_property(known GLOBAL PROPERTY leadpipe_private_${header} SET)
    if(NOT known)
        set(private FALSE)
        file(READ ${header} text LIMIT 4096)
        string(FIND "${text}" "*/" end)
        string(SUBSTRING "${text}" 0 ${end} comment)
        if(comment MATCHES "Private[ \n*]+to ")
            set(private TRUE)
        endif()
        set_property(GLOBAL PROPERTY leadpipe_private_${header} ${private})
    endif()
    get_property(private GLOBAL PROPERTY leadpipe_private_${header})
    set(${out} ${private} PARENT_SCOPE)
endfunction()
