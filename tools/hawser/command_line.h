// How the library that reads the command line speaks to people.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace hawser_tool {

/// Help that fits a terminal of 80 columns: what is said of an option is broken into lines.
class narrow_help final : public CLI::Formatter {
 public:
  [[nodiscard]] std::string make_option_desc(const CLI::Option* option) const override;
};

/// What is wrong with the command line and which help says more, in a line.
std::string complaint(const CLI::App& app, const CLI::Error& error, int argc, char** argv);

}  // namespace hawser_tool
