#include "sightings.h"

#include "claims_in_words.h"
#include "terminal.h"
#include "words.h"

#include <algorithm>
#include <array>
#include <new>

namespace hawser_tool {

namespace {

constexpr std::size_t most_shown = 48;

std::string name_of(std::uint8_t opcode) {
  constexpr std::array<const char*, 3> data = {"continuation", "text", "binary"};
  constexpr std::array<const char*, 3> control = {"close", "ping", "pong"};
  if (opcode < 3) return data.at(opcode);
  if (opcode < 8) return "data " + std::to_string(opcode);
  return opcode < 11 ? control.at(opcode - 8U) : "control " + std::to_string(opcode);
}

std::string place_of(const hawser::sighting& s) {
  std::string place = "frame";
  if (s.what == hawser::sighting::kind::message)
    place = (s.from == "application" || s.from == "network" ? "from " : "after ") + std::string(s.from);
  place.resize(std::max<std::size_t>(place.size() + 1, 26), ' ');
  return place;
}

// The code of a close frame and its reason; other payloads as they begin.
std::string payload_of(const hawser::sighting& s) {
  hawser::byte_view bytes = s.begins;
  std::string text;
  if (s.opcode == 8 && s.rsv == 0 && bytes.size() >= 2) {
    text = " " + std::to_string(std::to_integer<unsigned>(bytes[0]) << 8 | std::to_integer<unsigned>(bytes[1]));
    bytes = bytes.subspan(2);
  }
  const std::uint64_t behind = s.size - (s.begins.size() - bytes.size());
  if (behind == 0) return text;
  bytes = bytes.first(std::min(bytes.size(), most_shown));
  return text + " '" + shown_bytes(bytes) + (bytes.size() < behind ? "'..." : "'");
}

}  // namespace

std::string in_words(const hawser::sighting& s) {
  std::string line = s.way == hawser::direction::out ? "out  " : "in   ";
  line += place_of(s) + name_of(s.opcode) + ", " + std::to_string(s.size) + (s.size == 1 ? " byte" : " bytes");
  const std::string bits = bits_in_words(s.rsv);
  if (!bits.empty()) line += ", " + bits;
  if (!s.fin) line += ", more follows";
  if (s.masked) line += ", masked";
  const std::string payload = payload_of(s);
  return payload.empty() ? line : line + ":" + payload;
}

std::string number_of(std::uint64_t id) { return "#" + std::to_string(id & 0xFFFFFFFFU); }

void spoken_sightings::saw(const hawser::sighting& what) noexcept {
  try {
    say((numbered_ ? number_of(what.connection) + " " : std::string()) + in_words(what));
  } catch (const std::bad_alloc&) {
    // A line is missing then, and nothing else.
  }
}

}  // namespace hawser_tool
