# Looks for a library for which distributions ship no CMake package: NAME::NAME, by a header and the library's name.
include(FindPackageHandleStandardArgs)

# hawser_find(NAME header library version-header macro...): the macros of the version-header are the parts of the version.
macro(hawser_find name header library version_header)
  find_path(${name}_INCLUDE_DIR ${header})
  find_library(${name}_LIBRARY ${library})
  mark_as_advanced(${name}_INCLUDE_DIR ${name}_LIBRARY)
  set(${name}_VERSION)
  if(${name}_INCLUDE_DIR)
    foreach(hawser_part ${ARGN})
      file(STRINGS ${${name}_INCLUDE_DIR}/${version_header} hawser_line REGEX "^#define +${hawser_part} ")
      string(REGEX MATCH "[0-9]+$" hawser_part "${hawser_line}")
      list(APPEND ${name}_VERSION ${hawser_part})
    endforeach()
    list(JOIN ${name}_VERSION . ${name}_VERSION)
  endif()
  find_package_handle_standard_args(${name} REQUIRED_VARS ${name}_LIBRARY ${name}_INCLUDE_DIR
    VERSION_VAR ${name}_VERSION)
  if(${name}_FOUND AND NOT TARGET ${name}::${name})
    add_library(${name}::${name} UNKNOWN IMPORTED)
    set_target_properties(${name}::${name} PROPERTIES
      IMPORTED_LOCATION "${${name}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${${name}_INCLUDE_DIR}")
  endif()
endmacro()
