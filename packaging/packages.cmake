# What `cpack` makes of an installation: a Debian package (DEB), and an archive that can be unpacked anywhere (TGZ).
# `make package` builds both, from a release build. Included last by the top-level list.
set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc/impasse)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${doc})
install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${doc} RENAME changelog)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${doc})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/impasse.conf DESTINATION ${doc}/examples)

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME impasse)
set(CPACK_PACKAGE_VENDOR "The impasse authors")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_FILE_NAME impasse-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish_tree.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The impasse authors <maintainers@impasse.invalid>")
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# The linked libraries as the files themselves say, and the one that is loaded only at need: without it a report has no
# stacks.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libunwind8)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runtime deadlock detector, preloaded into programs")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"impasse answers one question about a running program: who is stuck, behind
whom, and what is that one doing right now? Its shared object is preloaded
into an unmodified, dynamically linked program. There it reports deadlocks,
long waits for locks, broken rules of locks, and locks that are taken in
orders which will hang one day.
.
The command impasse starts programs under it, asks running ones for a
report, and prints what was reported.")

# The package's own history, dated as the one that users read.
file(TIMESTAMP ${PROJECT_SOURCE_DIR}/CHANGELOG.md changed "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.Debian.in ${PROJECT_BINARY_DIR}/packaging/changelog.Debian @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/changelog.Debian DESTINATION ${doc})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/lintian/overrides
  RENAME impasse)

include(CPack)
