# Flags of our own code: applied target by target, so that a consumer who adds us as a subdirectory keeps theirs.

set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  # The path of the build directory would leave its length behind in what is installed.
  set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(HAWSER_CCACHE ccache)
    if(HAWSER_CCACHE)
      set(CMAKE_CXX_COMPILER_LAUNCHER ${HAWSER_CCACHE})
    endif()
  endif()
endif()

if(HAWSER_PORTABLE)
  add_compile_definitions(HAWSER_PORTABLE)
endif()

set(hawser_warnings
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 reports an overlapping copy inside std::string's own operator+ (GCC bug 105329).
  list(APPEND hawser_warnings -Wno-restrict)
endif()
if(HAWSER_WERROR)
  list(APPEND hawser_warnings -Werror)
endif()

function(hawser_flags target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${hawser_warnings})
endfunction()
