// What the tool says of a connection when it is asked to say more.
#pragma once

#include <hawser/base/log.h>
#include <hawser/ws/handshake.h>

#include <string>
#include <string_view>
#include <vector>

namespace hawser_tool {

/// Prints "hawser: " and the line on standard error, in one piece whatever other threads print.
void say(std::string_view line);

/// What was offered, what became of each extension and why, and in which order they work.
std::vector<std::string> negotiation_in_words(const hawser::handshake& agreed);

/// The library's own lines on standard error, from `least` on.
class spoken_log final : public hawser::log_sink {
 public:
  explicit spoken_log(hawser::log_level least) noexcept : least_(least) {}
  void write(hawser::log_level level, std::string_view line) noexcept override {
    if (level >= least_) say(line);
  }

 private:
  hawser::log_level least_;
};

}  // namespace hawser_tool
