# The man pages: docs/leadpipe.1, and in build/*/man/ one for each command, made from it.
find_program(LEADPIPE_AWK awk REQUIRED)
set(man ${CMAKE_BINARY_DIR}/man)
add_custom_command(
    OUTPUT ${man}/made
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${man}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${man}
    COMMAND ${LEADPIPE_AWK} -v folder=${man} -f ${CMAKE_SOURCE_DIR}/cmake/manpages.awk
        ${CMAKE_SOURCE_DIR}/docs/leadpipe.1
    COMMAND ${CMAKE_COMMAND} -E touch ${man}/made
    DEPENDS ${CMAKE_SOURCE_DIR}/docs/leadpipe.1 ${CMAKE_SOURCE_DIR}/cmake/manpages.awk
    VERBATIM)
add_custom_target(manpages ALL DEPENDS ${man}/made)
install(FILES ${CMAKE_SOURCE_DIR}/docs/leadpipe.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY ${man}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
