# cmake -DFOLDER=... -P: prints what sanitizers reported, and fails if that is anything.

# LeakSanitizer stops all threads before it looks for leaks, and writes this line if one is gone by then: a test has
# killed the program while it ended. Leaks that it finds in spite of it are reported in lines of their own.
set(killed "==[0-9]+==Unable to get registers from thread [0-9]+\\.\n")

file(GLOB reports ${FOLDER}/*)
foreach(report IN LISTS reports)
    file(READ ${report} text)
    string(REGEX REPLACE "${killed}" "" text "${text}")
    if(NOT text STREQUAL "")
        message("${report}:\n${text}")
        set(found TRUE)
    endif()
endforeach()
if(found)
    message(FATAL_ERROR "a sanitizer has found something")
endif()
