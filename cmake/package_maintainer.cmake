# Run by CPack first. The maintainer of a package is who builds it: as for Debian's own tools, DEBFULLNAME and
# DEBEMAIL say who that is.
set(name "$ENV{DEBFULLNAME}")
set(address "$ENV{DEBEMAIL}")
if(name STREQUAL "")
    set(name "leadpipe packagers")
endif()
if(address STREQUAL "")
    cmake_host_system_information(RESULT host QUERY FQDN)
    set(address "root@${host}")
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${name} <${address}>")
