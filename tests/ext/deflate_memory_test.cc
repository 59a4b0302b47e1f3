// The table of presets in docs/ext/deflate.md against the code, and its bytes against the allocator's.
#include "ext/deflate_codec.h"
#include "ext/deflate_kit.h"
#include "support/sanitizers.h"

#include <gtest/gtest.h>
#include <hawser/ext/deflate.h>
#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace hawser {
namespace {

using ext::deflate;
using ext::deflate_engine;
using ext::deflate_options;
using ext::deflate_preset;
using ext::detail::codec_config;
using ext::detail::decompressor;
using ext::detail::decompressor_bytes;

const std::map<std::string, deflate_preset> by_name{{"fast", deflate_preset::fast},
                                                    {"balanced", deflate_preset::balanced},
                                                    {"small", deflate_preset::small},
                                                    {"low_memory", deflate_preset::low_memory}};

/// The cells of the rows below "| preset | engine |", by the preset's name.
std::map<std::string, std::vector<std::string>> table_of_presets() {
  std::ifstream page("docs/ext/deflate.md");
  std::map<std::string, std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("| preset | engine |", 0) == 0) inside = true;
    if (line.empty()) inside = false;
    if (!inside || line.rfind("| `", 0) != 0) continue;
    std::vector<std::string> cells;
    std::istringstream words(line);
    for (std::string cell; std::getline(words, cell, '|');) {
      const std::size_t from = cell.find_first_not_of(" `");
      if (from == std::string::npos) continue;
      cell = cell.substr(from, cell.find_last_not_of(" `") - from + 1);
      std::erase(cell, ',');
      cells.push_back(cell);
    }
    rows[cells[0]] = {cells.begin() + 1, cells.end()};
  }
  return rows;
}

TEST(deflate_memory, the_page_says_what_the_presets_are) {
  const auto rows = table_of_presets();
  ASSERT_EQ(rows.size(), by_name.size());
  for (const auto& [name, preset] : by_name) {
    SCOPED_TRACE(name);
    const deflate_options o(preset);
    ASSERT_EQ(rows.count(name), 1U);
    const bool takeover = !o.server_no_context_takeover;
    EXPECT_EQ(takeover, !o.client_no_context_takeover);
    EXPECT_EQ(o.server_max_window_bits, o.client_max_window_bits);
    std::vector<std::string> expected{
        o.engine == deflate_engine::isal ? "isal" : "zlib", std::to_string(o.level), std::to_string(o.memory_level),
        std::to_string(o.server_max_window_bits),           takeover ? "yes" : "no", std::to_string(o.threshold)};
    for (const role side : {role::server, role::client}) {
      const ext::deflate_memory keeps = deflate(o).memory(side);
      if (!ext::detail::has_engine(o.engine)) continue;  // The page speaks of builds that have both.
      std::vector<std::string> all = expected;
      all.push_back(std::to_string(keeps.compressing));
      all.push_back(std::to_string(keeps.decompressing));
      EXPECT_EQ(rows.at(name), all);
    }
  }
}

TEST(deflate_memory, the_page_says_what_sending_to_many_costs) {
  std::ifstream page("docs/ext/deflate.md");
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  std::string bytes = std::to_string(ext::detail::repeating_compressor::bytes());
  bytes.insert(bytes.size() - 3, ",");
  EXPECT_NE(text.find(bytes + " bytes more are charged"), std::string::npos) << bytes;
  static_assert(ext::detail::repeating_compressor::most_kept == 1024);
  EXPECT_NE(text.find("1,024 messages at most, and 64 KiB"), std::string::npos);
}

// What malloc has given out, its own words included.
std::size_t in_use() {
  const struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

/// Bytes of `n` codecs that have each worked on a message, divided by `n`.
template <class Make>
double measured(Make make) {
  constexpr int n = 20;
  std::vector<decltype(make())> kept(n);
  const std::size_t before = in_use();
  for (auto& one : kept)
    one = make();
  return static_cast<double>(in_use() - before) / n;
}

TEST(deflate_memory, what_is_charged_is_what_the_allocator_gives) {
  if (test::under_sanitizer) GTEST_SKIP() << "this build has an allocator of its own";
  // Or large pieces would come in whole pages, as long as none went back.
  mallopt(M_MMAP_THRESHOLD, 1 << 24);  // NOLINT(concurrency-mt-unsafe): there is one thread
  std::vector<codec_config> configs;
  for (const auto& [name, preset] : by_name) {
    const deflate_options o(preset);
    if (ext::detail::has_engine(o.engine))
      configs.push_back({o.engine, static_cast<std::uint8_t>(o.level), static_cast<std::uint8_t>(o.memory_level),
                         static_cast<std::uint8_t>(o.server_max_window_bits)});
  }
  configs.push_back({deflate_engine::zlib, 1, 1, 9});
  configs.push_back({deflate_engine::zlib, 6, 5, 12, true});
  const std::string text(3000, 'm');
  const std::string wire = test::stored_blocks(text, false);
  for (const codec_config& c : configs) {
    SCOPED_TRACE("window " + std::to_string(c.window_bits) + " memory level " + std::to_string(c.memory_level));
    const double out = measured([&] {
      auto made = make_compressor(c);
      static_cast<void>(test::compressed_by(*made, text));
      return made;
    });
    EXPECT_LE(out, static_cast<double>(compressor_bytes(c)));
    EXPECT_GE(out, 0.8 * static_cast<double>(compressor_bytes(c)) - 4096);
    const double in = measured([&] {
      auto made = decompressor::make(c.window_bits);
      EXPECT_EQ(test::decompressed_by(*made, wire).text, text);
      return made;
    });
    EXPECT_LE(in, static_cast<double>(decompressor_bytes(c.window_bits)));
    EXPECT_GE(in, 0.8 * static_cast<double>(decompressor_bytes(c.window_bits)) - 4096);
  }
}

}  // namespace
}  // namespace hawser
