# PkgConfig::MSGPACK: the C library is "msgpack-c" from version 6 on and "msgpack" before.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpack)

# Debian 13's msgpack-c.pc says -Iinclude, a folder that is nowhere, and CMake
# refuses such a target. The headers are in /usr/include.
get_target_property(_folders PkgConfig::MSGPACK INTERFACE_INCLUDE_DIRECTORIES)
if(_folders)
    list(FILTER _folders INCLUDE REGEX "^/")
    set_target_properties(PkgConfig::MSGPACK PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${_folders}")
endif()
