# Zstandard, as ZSTD::ZSTD.
include(${CMAKE_CURRENT_LIST_DIR}/hawser_find.cmake)
hawser_find(ZSTD zstd.h zstd)
