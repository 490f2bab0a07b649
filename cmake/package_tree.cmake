# Run by CPack when the files of the package are in place, to make of them what Debian's policy asks for:
# compressed man pages and changelogs, and zsh's completions where Debian's zsh looks for them.
set(share ${CPACK_TEMPORARY_DIRECTORY}/usr/share)
set(doc ${share}/doc/leadpipe)

file(MAKE_DIRECTORY ${share}/zsh/vendor-completions)
file(RENAME ${share}/zsh/site-functions/_leadpipe ${share}/zsh/vendor-completions/_leadpipe)
file(REMOVE_RECURSE ${share}/zsh/site-functions)

# SOURCE_DATE_EPOCH, where it is set, or now.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog.Debian "leadpipe (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * See changelog.gz.

 -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}
")

# Where administrators put jobs, and keys, which systemd reads for them.
set(keys ${CPACK_TEMPORARY_DIRECTORY}/etc/leadpipe/keys)
file(MAKE_DIRECTORY ${keys})
file(CHMOD ${keys} DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

# The package is not one of Debian's, whose first version closes the request for it; nobody but root reads keys; and
# Debian's helpers do not know "reset-failed".
file(WRITE ${share}/lintian/overrides/leadpipe "leadpipe: initial-upload-closes-no-bugs *
leadpipe: non-standard-dir-perm 0700 != 0755 *
leadpipe: maintainer-script-calls-systemctl *postrm*
")

file(GLOB pages ${share}/man/man1/*.1)
execute_process(COMMAND gzip -9n ${doc}/changelog ${doc}/changelog.Debian ${pages} RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "gzip failed: ${failed}")
endif()
