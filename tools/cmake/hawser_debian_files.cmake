# Run by cpack over what goes into the Debian packages: each gets its licence and changelogs where Debian wants them, manual
# pages are compressed, and what lintian need not say is noted.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(overrides "# Not an upload to Debian.\nNAME: initial-upload-closes-no-bugs\n")
set(overrides_of_LIBRARY
  "# One library for each room, all of one release: they have one name together.\nNAME: package-name-doesnt-match-sonames\n")
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(name ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(GLOB roots ${CPACK_TEMPORARY_DIRECTORY}/${component})
  foreach(root IN LISTS roots)
    set(doc ${root}/usr/share/doc/${name})
    file(MAKE_DIRECTORY ${doc})
    file(COPY_FILE ${CPACK_HAWSER_SOURCE}/LICENSE ${doc}/copyright)
    file(COPY_FILE ${CPACK_HAWSER_SOURCE}/CHANGELOG.md ${doc}/changelog)
    file(WRITE ${doc}/changelog.Debian
      "hawser (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
      "  * Made from the sources: what changed in them is in changelog.gz.\n\n"
      " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
    string(REPLACE NAME ${name} noted "${overrides}${overrides_of_${upper}}")
    file(WRITE ${root}/usr/share/lintian/overrides/${name} "${noted}")
    file(GLOB_RECURSE written ${doc}/* ${root}/usr/share/lintian/*)
    file(CHMOD ${written} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    file(GLOB pages ${root}/usr/share/man/man*/*.1)
    execute_process(COMMAND gzip -9 -n -f ${doc}/changelog ${doc}/changelog.Debian ${pages} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endforeach()
