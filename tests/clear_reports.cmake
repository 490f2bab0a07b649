# cmake -DFOLDER=... -P: an empty folder for what sanitizers report.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
