#include "ws/watching.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

HAWSER_BEGIN

// ---- frames

frame_reader::frame_reader(watcher& by, std::uint64_t connection, direction way) noexcept : by_(by) {
  seen_.what = sighting::kind::frame;
  seen_.way = way;
  seen_.connection = connection;
}

void frame_reader::read(byte_view bytes) noexcept {
  while (!bytes.empty() && !lost_) {
    if (left_ == 0 && !read_header(bytes)) return;
    read_payload(bytes);
  }
}

// False: it is not complete yet, or none.
bool frame_reader::read_header(byte_view& bytes) noexcept {
  while (!bytes.empty()) {
    head_[head_size_++] = bytes.front();
    bytes = bytes.subspan(1);
    const core::parse_status found = core::parse_frame_header({head_.data(), head_size_}, header_);
    lost_ = found == core::parse_status::length_invalid;
    if (lost_) return false;
    if (found == core::parse_status::need_more) continue;
    head_size_ = 0;
    first_size_ = 0;
    left_ = header_.length;
    seen_.opcode = header_.first & 15U;
    seen_.rsv = header_.first >> 4U & 7U;
    seen_.fin = (header_.first & 0x80U) != 0;
    seen_.masked = header_.masked;
    seen_.size = header_.length;
    return true;
  }
  return false;
}

// Tells of the frame once as much of it is here as is shown.
void frame_reader::read_payload(byte_view& bytes) noexcept {
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(header_.length, first_.size()));
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  std::array<std::byte, 4> key{};
  std::memcpy(key.data(), &header_.masking_key, key.size());
  const bool told = first_size_ == wanted && wanted != 0;
  for (std::size_t i = 0; i < n && first_size_ < wanted; ++i, ++first_size_)
    first_[first_size_] = bytes[i] ^ key[first_size_ % 4];
  left_ -= n;
  bytes = bytes.subspan(n);
  if (told || first_size_ < wanted) return;
  seen_.begins = {first_.data(), first_size_};
  by_.saw(seen_);
}

// ---- messages

namespace {

/// Looks at what passes, and changes nothing.
class probe {
 public:
  static constexpr unsigned hooks = hook::observe;

  probe(watcher& by, std::uint64_t connection, std::string app_side, std::string net_side)
      : by_(&by), names_{std::move(app_side), std::move(net_side)} {
    for (const direction way : {direction::out, direction::in}) {
      lane& l = at(way);
      l.seen.what = sighting::kind::message;
      l.seen.way = way;
      l.seen.connection = connection;
    }
  }

  verdict begin(direction way, head& h, context&) {
    lane& l = at(way);
    l.seen.opcode = h.opcode;
    l.seen.rsv = h.rsv;
    l.seen.size = 0;
    return verdict::observe;
  }
  void observe(direction way, byte_view chunk, bool fin, context&) {
    lane& l = at(way);
    if (l.seen.size < sighting_bytes) {
      const std::size_t n = std::min(chunk.size(), sighting_bytes - static_cast<std::size_t>(l.seen.size));
      std::copy_n(chunk.begin(), n, l.first.begin() + static_cast<std::ptrdiff_t>(l.seen.size));
    }
    l.seen.size += chunk.size();
    if (!fin) return;
    l.seen.from = names_[static_cast<std::size_t>(way)];
    l.seen.begins = {l.first.data(), static_cast<std::size_t>(std::min<std::uint64_t>(l.seen.size, sighting_bytes))};
    by_->saw(l.seen);
  }

 private:
  struct lane {
    sighting seen;
    std::array<std::byte, sighting_bytes> first{};
  };
  lane& at(direction way) noexcept { return lanes_[static_cast<std::size_t>(way)]; }

  watcher* by_;
  std::array<std::string, 2> names_;  // Of its neighbours: that which messages come from, by direction.
  std::array<lane, 2> lanes_;
};

}  // namespace

void add_probes(std::vector<core::agreed_extension>& stages, watcher& by, std::uint64_t connection) {
  const auto frames = std::find_if(stages.begin(), stages.end(),
                                   [](const core::agreed_extension& e) { return e.terms.uses.at == layer::frame; });
  const auto messages = static_cast<std::size_t>(frames - stages.begin());
  if (messages == 0) return;
  std::vector<std::string> names = {"application"};
  for (std::size_t i = 0; i < messages; ++i)
    names.push_back(stages[i].name);
  names.emplace_back("network");
  std::vector<core::agreed_extension> with;
  for (std::size_t i = 0; i <= stages.size(); ++i) {
    if (i <= messages) {
      claims all;
      all.opcodes_of_interest = 0xFE;  // All that are data.
      with.push_back({{}, {{}, all, core::any_stage::of(probe(by, connection, names[i], names[i + 1]))}});
    }
    if (i < stages.size()) with.push_back(std::move(stages[i]));
  }
  stages = std::move(with);
}

HAWSER_END
