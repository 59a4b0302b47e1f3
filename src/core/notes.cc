#include <hawser/core/notes.h>

#include <algorithm>

HAWSER_BEGIN
namespace core {

void notes::set(std::string_view extension, byte_view bytes) {
  std::size_t at = 0;
  while (at < count_ && all_[at].extension != extension)
    ++at;
  if (at == all_.size()) all_.emplace_back();
  one& note = all_[at];
  if (note.extension != extension) note.extension = extension;  // The same as in the message before, nearly always.
  note.size = static_cast<std::uint8_t>(std::min(bytes.size(), max_note));
  std::copy_n(bytes.begin(), note.size, note.bytes.begin());
  count_ = std::max(count_, at + 1);
}

byte_view notes::find(std::string_view extension) const& noexcept {
  for (std::size_t i = 0; i < count_; ++i)
    if (all_[i].extension == extension) return {all_[i].bytes.data(), all_[i].size};
  return {};
}

}  // namespace core
HAWSER_END
