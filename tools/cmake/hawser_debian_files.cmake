# Run by cpack over what goes into the Debian packages: each gets its licence and changelog where Debian wants them, and
# manual pages are compressed.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  file(GLOB roots ${CPACK_TEMPORARY_DIRECTORY}/${component})
  foreach(root IN LISTS roots)
    set(doc ${root}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    file(MAKE_DIRECTORY ${doc})
    file(COPY_FILE ${CPACK_HAWSER_SOURCE}/LICENSE ${doc}/copyright)
    file(COPY_FILE ${CPACK_HAWSER_SOURCE}/CHANGELOG.md ${doc}/changelog)
    file(GLOB pages ${root}/usr/share/man/man*/*.1)
    execute_process(COMMAND gzip -9 -n -f ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endforeach()
