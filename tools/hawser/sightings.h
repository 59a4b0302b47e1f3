// What -vv prints: messages between extensions, and frames.
#pragma once

#include <hawser/ws/watch.h>

#include <cstdint>
#include <string>

namespace hawser_tool {

/// "out  after x-rot13     text, 5 bytes, RSV2: 'Uryyb'"
std::string in_words(const hawser::sighting& seen);

/// "#3": the connection of this `connection::id`, in short; a later one may get the number again.
std::string number_of(std::uint64_t id);

/// Prints on standard error what passes; with `numbered` behind the number of its connection.
class spoken_sightings final : public hawser::watcher {
 public:
  explicit spoken_sightings(bool numbered) noexcept : numbered_(numbered) {}
  void saw(const hawser::sighting& what) noexcept override;

 private:
  bool numbered_;
};

}  // namespace hawser_tool
