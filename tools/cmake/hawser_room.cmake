# Rooms: one library target for each. Sources and headers are globbed, so adding a file needs no change here.

# Until 1.0 every minor release may break the ABI.
set(hawser_soversion ${PROJECT_VERSION_MAJOR})
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(hawser_soversion 0.${PROJECT_VERSION_MINOR})
endif()

# hawser_room(NAME [PURE | WITHOUT_SOCKETS] [SOURCES directory] DEPENDS room... PRIVATE_LIBS target... [DEFINES name...])
# SOURCES: only what lies in that directory of the room.
# PURE rooms see poisoned system headers, and their archive may not want a symbol of the operating system. The archive of
# one WITHOUT_SOCKETS may want files, locks and what OpenSSL has, but no socket, clock or thread.
function(hawser_room name)
  cmake_parse_arguments(arg "PURE;WITHOUT_SOCKETS" "SOURCES" "DEPENDS;PRIVATE_LIBS;DEFINES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/${arg_SOURCES}/*.cc)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/hawser/${name}/*.h)
  set(target hawser_${name})
  list(TRANSFORM arg_DEPENDS PREPEND hawser::)

  if(sources)
    add_library(${target} ${sources})
    set(scope PUBLIC)
    hawser_flags(${target})
    if(HAWSER_BUILD_FUZZ)
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${arg_DEPENDS} PRIVATE ${arg_PRIVATE_LIBS})
    target_compile_definitions(${target} PRIVATE ${arg_DEFINES})
    set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${hawser_soversion}
      DEFINE_SYMBOL "")
    if(arg_PURE AND HAWSER_BUILD_CHECKS)
      hawser_guard_pure(${target} ${arg_PRIVATE_LIBS})
    elseif(arg_WITHOUT_SOCKETS AND HAWSER_BUILD_CHECKS)
      hawser_guard_symbols(${target} --filter)
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_compile_features(${target} INTERFACE cxx_std_20)
    target_link_libraries(${target} INTERFACE ${arg_DEPENDS})
  endif()
  add_library(hawser::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  set_property(GLOBAL APPEND PROPERTY HAWSER_ROOMS ${name})
  set_property(GLOBAL PROPERTY HAWSER_LIBS_${name} ${arg_PRIVATE_LIBS})
  if(HAWSER_BUILD_CHECKS)
    set(pure)
    if(arg_PURE)
      set(pure PURE)
    endif()
    hawser_check_headers(${target} ${pure} HEADERS ${headers})
  endif()
endfunction()

# hawser::hawser, everything at once, and the umbrella header.
function(hawser_umbrella)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/hawser/*.h)
  add_library(hawser_hawser INTERFACE)
  add_library(hawser::hawser ALIAS hawser_hawser)
  set_target_properties(hawser_hawser PROPERTIES EXPORT_NAME hawser)
  list(TRANSFORM ARGN PREPEND hawser::)
  target_link_libraries(hawser_hawser INTERFACE ${ARGN})
  target_sources(hawser_hawser INTERFACE
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  if(HAWSER_BUILD_CHECKS)
    hawser_check_headers(hawser_hawser HEADERS ${headers})
  endif()
endfunction()

# hawser::plugin, what a plug-in sees: the include directory for <hawser/plugin.h>, and nothing to link.
function(hawser_plugin_boundary)
  add_library(hawser_plugin INTERFACE)
  add_library(hawser::plugin ALIAS hawser_plugin)
  set_target_properties(hawser_plugin PROPERTIES EXPORT_NAME plugin)
  target_include_directories(hawser_plugin INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()
