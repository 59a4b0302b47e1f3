#pragma once
/// The messages that are in flight together, framed and masked beforehand.

#include "load_options.h"
#include "wire.h"

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct message_batch {
  std::vector<std::string> messages;
  std::vector<std::uint8_t> wire;          ///< the same as it is sent
  std::vector<std::uint8_t> reply_header;  ///< how each echo begins when it comes in one frame
};

inline message_batch make_batch(const load_options& options) {
  message_batch made;
  // The same bytes in every run, so that two runs compare.
  std::mt19937 random(20240229);  // NOLINT(cert-msc32-c)
  const std::uint8_t opcode = options.text || options.chinese ? opcode_text : opcode_binary;
  for (unsigned i = 0; i < options.pipeline; ++i) {
    std::string message(options.size, ' ');
    for (char& letter : message)
      letter = static_cast<char>('a' + random() % 26);
    // U+4E00 to U+4E3F, with letters where no whole character fits.
    for (std::size_t at = 0; options.chinese && at + 3 <= message.size(); at += 3) {
      message[at] = '\xE4';
      message[at + 1] = '\xB8';
      message[at + 2] = static_cast<char>(0x80 + random() % 64);
    }
    append_client_frame(made.wire, opcode, message, static_cast<std::uint32_t>(random()));
    made.messages.push_back(std::move(message));
  }
  std::array<std::uint8_t, longest_server_header> header{};
  const std::size_t size = write_header(header.data(), final_bit | opcode, 0, options.size);
  made.reply_header.assign(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
  return made;
}

}  // namespace bench
