# Boundaries between rooms that fail the build: poisoned headers, wanted symbols, include directions, self-contained
# headers. Each is itself tested with a violation by tests/dev/boundary_test.py.

set(HAWSER_PYTHON /usr/bin/python3 CACHE FILEPATH "Python 3 that runs the checks")
if(HAWSER_BUILD_CHECKS AND NOT EXISTS ${HAWSER_PYTHON})
  message(FATAL_ERROR "the checks need Python 3: install it, set HAWSER_PYTHON, or turn HAWSER_BUILD_CHECKS off")
endif()

# Headers whose inclusion anywhere below a pure room stops the compiler. <unistd.h> is missing on purpose: parts of
# libstdc++ include it. tools/dev/check_layers.py forbids the C++ headers that other standard headers may need.
set(hawser_poison_os
  arpa/inet.h dirent.h fcntl.h ifaddrs.h liburing.h net/if.h netdb.h netinet/in.h netinet/tcp.h poll.h sys/epoll.h
  sys/eventfd.h sys/inotify.h sys/ioctl.h sys/mman.h sys/poll.h sys/random.h sys/sendfile.h sys/signalfd.h
  sys/socket.h sys/timerfd.h sys/uio.h sys/un.h openssl/ssl.h openssl/rand.h)
# Libraries that a pure room without a dependency of that name must not meet either.
set(hawser_poison_OpenSSL openssl/bio.h openssl/crypto.h openssl/err.h openssl/evp.h openssl/sha.h)
set(hawser_poison_ZLIB zlib.h)
set(hawser_poison_ISAL isa-l.h isa-l/igzip_lib.h)
set(hawser_poison_ZSTD zstd.h zdict.h)
set(hawser_poison_simdjson simdjson.h)

# Where the headers are that stop the compiler. A second build of the same sources may name that of the first: ccache then
# knows them all.
if(NOT HAWSER_POISON_DIRECTORY)
  set(HAWSER_POISON_DIRECTORY ${PROJECT_BINARY_DIR}/poison)
endif()

# poison_directories(OUT LIBS...): the directories to put first on the include path of a pure room that may use LIBS.
function(hawser_poison_directories out)
  set(directories)
  foreach(kind os OpenSSL ZLIB ISAL ZSTD simdjson)
    if("${ARGN}" MATCHES "${kind}::")
      continue()
    endif()
    set(directory ${HAWSER_POISON_DIRECTORY}/${kind})
    foreach(header IN LISTS hawser_poison_${kind})
      file(CONFIGURE OUTPUT ${directory}/${header} CONTENT
        "#error \"a pure room includes <${header}>: see tools/cmake/hawser_boundaries.cmake\"\n")
    endforeach()
    list(APPEND directories ${directory})
  endforeach()
  set(${out} ${directories} PARENT_SCOPE)
endfunction()

# Called for a pure room that has sources.
function(hawser_guard_pure target)
  hawser_poison_directories(poison ${ARGN})
  target_include_directories(${target} BEFORE PRIVATE ${poison})
  hawser_guard_symbols(${target})
endfunction()

# What the archive of a target wants of the system, with the options of tools/dev/check_symbols.py.
function(hawser_guard_symbols target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    add_custom_command(TARGET ${target} POST_BUILD VERBATIM
      COMMAND ${HAWSER_PYTHON} ${PROJECT_SOURCE_DIR}/tools/dev/check_symbols.py --nm ${CMAKE_NM} ${ARGN} $<TARGET_FILE:${target}>)
  endif()
endfunction()

# Compiles every public header of a room alone, with nothing but the public include directory.
function(hawser_check_headers target)
  cmake_parse_arguments(arg "PURE" "" "HEADERS" ${ARGN})
  set(sources)
  foreach(header IN LISTS arg_HEADERS)
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/include ${header})
    set(source ${PROJECT_BINARY_DIR}/headers/${name}.cc)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <${name}>\n")
    list(APPEND sources ${source})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(${target}_headers OBJECT ${sources})
  hawser_flags(${target}_headers)
  target_link_libraries(${target}_headers PRIVATE ${target})
  if(arg_PURE)
    hawser_poison_directories(poison)
    target_include_directories(${target}_headers BEFORE PRIVATE ${poison})
  endif()
endfunction()

# The include directions, checked with every build.
function(hawser_check_layers)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/src/*.cc
    ${PROJECT_SOURCE_DIR}/tools/hawser/*.h ${PROJECT_SOURCE_DIR}/tools/hawser/*.cc ${PROJECT_SOURCE_DIR}/examples/*.cc)
  set(script ${PROJECT_SOURCE_DIR}/tools/dev/check_layers.py)
  set(stamp ${PROJECT_BINARY_DIR}/layers.stamp)
  add_custom_command(OUTPUT ${stamp} DEPENDS ${files} ${script} VERBATIM COMMENT "Checking include directions"
    COMMAND ${HAWSER_PYTHON} ${script} ${PROJECT_SOURCE_DIR} COMMAND ${CMAKE_COMMAND} -E touch ${stamp})
  add_custom_target(hawser_layers ALL DEPENDS ${stamp})
endfunction()
