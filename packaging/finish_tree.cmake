# Run by cpack for each package, over the tree that it is about to pack: what cannot be said by an install() line.
set(share share)
if(CPACK_GENERATOR STREQUAL "DEB")
  set(share usr/share)
endif()
set(tree ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${share})
if(NOT IS_DIRECTORY ${tree})
  message(FATAL_ERROR "there is no ${tree} to finish")
endif()

# What only a Debian system reads.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  file(REMOVE_RECURSE ${tree}/lintian)
  file(REMOVE ${tree}/doc/impasse/changelog.Debian)
endif()

file(GLOB compressed ${tree}/man/man1/*.1 ${tree}/doc/impasse/changelog ${tree}/doc/impasse/changelog.Debian)
if(NOT compressed MATCHES "impasse\\.1")
  message(FATAL_ERROR "the manual page is not in ${tree}")
endif()
execute_process(COMMAND gzip -9n -- ${compressed} COMMAND_ERROR_IS_FATAL ANY)
