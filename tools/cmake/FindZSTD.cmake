# Zstandard, as ZSTD::ZSTD.
include(${CMAKE_CURRENT_LIST_DIR}/hawser_find.cmake)
hawser_find(ZSTD zstd.h zstd zstd.h ZSTD_VERSION_MAJOR ZSTD_VERSION_MINOR ZSTD_VERSION_RELEASE)
