// The test vectors of docs/wire/*.md: what other implementations are given is what ours are held to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

/// A line of a block marked "vectors": words `key=value`.
class vector_row {
 public:
  explicit vector_row(const std::string& line) {
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      const std::string word = line.substr(at, end - at);
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) throw std::runtime_error("no key=value: " + line);
      words_[word.substr(0, equals)] = word.substr(equals + 1);
      at = end + 1;
    }
  }

  [[nodiscard]] bool has(const std::string& key) const { return words_.count(key) != 0; }
  [[nodiscard]] const std::string& text(const std::string& key) const { return words_.at(key); }
  [[nodiscard]] unsigned long number(const std::string& key) const { return std::stoul(text(key)); }
  /// Bytes that are written as hexadecimal digits.
  [[nodiscard]] std::string bytes(const std::string& key) const {
    std::string out;
    const std::string& digits = text(key);
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return out;
  }

 private:
  std::map<std::string, std::string> words_;
};

/// The rows of all blocks that begin with "```vectors" in docs/wire/NAME.md. Run from the root of the tree.
inline std::vector<vector_row> vectors_of(std::string_view name) {
  const std::string path = "docs/wire/" + std::string(name) + ".md";
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<vector_row> rows;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("```", 0) == 0)
      inside = line == "```vectors";
    else if (inside)
      rows.emplace_back(line);
  }
  return rows;
}

}  // namespace hawser::test
