// The tables of a page in Markdown.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

using table_row = std::vector<std::string>;

/// What stands between `from` and the next `to`, and moves behind it; the rest where there is none.
inline std::string_view take_until(std::string_view& from, std::string_view to) {
  const std::size_t at = from.find(to);
  const std::string_view taken = from.substr(0, at);
  from = at == std::string_view::npos ? std::string_view() : from.substr(at + to.size());
  return taken;
}

/// Without blanks, and without the marks of code, around it.
inline std::string bare(std::string_view cell) {
  const std::size_t from = cell.find_first_not_of(" `");
  if (from == std::string_view::npos) return {};
  return std::string(cell.substr(from, cell.find_last_not_of(" `") - from + 1));
}

/// The cells of all rows that begin with code, under the heading that they stand under. Run from the root of the tree.
inline std::vector<std::pair<std::string, table_row>> rows_of(const std::string& path) {
  std::ifstream page(path);
  EXPECT_TRUE(page) << path << " is not here";
  std::vector<std::pair<std::string, table_row>> rows;
  std::string heading;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) heading = line.substr(3);
    if (!line.starts_with("| `")) continue;
    std::string_view rest = std::string_view(line).substr(1);
    table_row cells;
    while (rest.find('|') != std::string_view::npos)
      cells.push_back(bare(take_until(rest, "|")));
    rows.emplace_back(heading, std::move(cells));
  }
  return rows;
}

/// All of a file.
inline std::string text_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << " is not here";
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace hawser::test
