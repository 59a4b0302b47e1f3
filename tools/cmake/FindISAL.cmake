# Intel's Intelligent Storage Acceleration Library, as ISAL::ISAL.
include(${CMAKE_CURRENT_LIST_DIR}/hawser_find.cmake)
hawser_find(ISAL isa-l/igzip_lib.h isal isa-l.h ISAL_MAJOR_VERSION ISAL_MINOR_VERSION ISAL_PATCH_VERSION)
