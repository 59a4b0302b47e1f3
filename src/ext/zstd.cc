#include "ext/parameters.h"
#include "ext/zstd_codec.h"

#include <hawser/core/crc32c.h>

#include <algorithm>
#include <string>
#include <utility>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr auto mark = static_cast<std::uint8_t>(rsv::one);
constexpr std::uint32_t least_window = 10;
constexpr std::uint32_t most_window = 23;  // What every decoder has to support: RFC 8878, 3.1.1.1.2.

struct wire_terms {
  std::uint32_t window = 0;      // 0: not given.
  std::uint32_t dictionary = 0;  // 0: none.
};

// False: a parameter that is unknown, there twice, or out of range.
bool read(const params& from, wire_terms& to, std::string& why) {
  to = {};
  for (const param& p : from) {
    const bool window = p.name == "window";
    if (!window && p.name != "dictionary") {
      detail::say_unknown(p, why);
      return false;
    }
    if (!detail::is_first(from, p, why)) return false;
    const auto number = detail::number_of(p, window ? least_window : 1, window ? most_window : ~0U, why);
    if (!number) return false;
    (window ? to.window : to.dictionary) = *number;
  }
  return true;
}

// The dictionary that is at work here, or none.
bool has_dictionary(std::uint32_t here, std::uint32_t asked, std::string& why) {
  if (asked == 0 || asked == here) return true;
  const std::string wrong = "dictionary=" + std::to_string(asked);
  detail::add_words(why, here == 0 ? wrong + ", and there is none at this end"
                                   : wrong + " is not the one at this end, " + std::to_string(here));
  return false;
}

bool is_built(std::string& why) {
  if (!zstd::available()) detail::add_words(why, "this build has no libzstd");
  return zstd::available();
}

params written(int window, std::uint32_t dictionary) {
  params all{{"window", std::to_string(window)}};
  if (dictionary != 0) all.push_back({"dictionary", std::to_string(dictionary)});
  return all;
}

verdict refuse(context& c) {
  c.fail(close_code::internal_error, "no memory for compression");
  return verdict::reject;
}

}  // namespace

namespace detail {

zstd_stage::zstd_stage(zstd_terms terms) noexcept : terms_(std::move(terms)) {}
zstd_stage::zstd_stage(zstd_stage&& other) noexcept = default;
zstd_stage::~zstd_stage() = default;

verdict zstd_stage::begin(direction way, head& h, context& c) {
  if (way == direction::out) {
    if ((h.flags & static_cast<std::uint32_t>(head_flag::no_compression)) != 0) return verdict::bypass;
    compressor_ = c.borrow<zstd_compressor>(0);
    if (!compressor_) compressor_ = zstd_compressor::make();
    if (!compressor_ || !compressor_->begin(terms_, h.sized != 0, h.size)) return refuse(c);
  } else {
    reader_ = c.borrow<zstd_reader>(0);
    if (!reader_) reader_ = zstd_reader::make();
    if (!reader_ || !reader_->begin(terms_)) return refuse(c);
  }
  h.rsv ^= mark;  // Set on the way out; inwards only messages that have it come here.
  return verdict::transform;
}

// The memory of a message is known once it has begun; the window bounds it.
bool zstd_stage::account(std::size_t& charged, std::size_t now, context& c) {
  if (now == charged) return true;
  if (!c.charge(static_cast<std::ptrdiff_t>(now) - static_cast<std::ptrdiff_t>(charged))) {
    c.fail(close_code::policy_violation, "compression needs more memory than it may have");
    return false;
  }
  charged = now;
  return true;
}

step zstd_stage::transform(direction way, byte_view in, byte_span out, bool fin, context& c) {
  using kind = zstd_result::kind;
  const bool outwards = way == direction::out;
  const zstd_result r = outwards ? compressor_->compress(in, out, fin) : reader_->read(in, out);
  const bool paid =
      outwards ? account(compressor_bytes_, compressor_->bytes(), c) : account(reader_bytes_, reader_->bytes(), c);
  step did{r.consumed, r.produced, flow::error, 0};
  if (!paid) return did;
  if (r.what == kind::too_wide) {
    c.fail(close_code::invalid_payload, "the Zstandard frame needs a larger window than was agreed");
  } else if (r.what == kind::failed) {
    c.fail(outwards ? close_code::internal_error : close_code::invalid_payload,
           outwards ? "the message cannot be compressed" : "the message is no Zstandard frame");
  } else if (r.what == kind::ended) {
    did.next = fin ? flow::done : flow::more;
  } else if (r.what == kind::full && r.consumed + r.produced > 0) {
    did.next = flow::full;
  } else if (!fin || outwards) {
    did.next = flow::more;
  } else {
    c.fail(close_code::protocol_error, "the Zstandard frame is cut off");
  }
  return did;
}

void zstd_stage::done(direction way, context& c) {
  if (way == direction::out) {
    c.charge(-static_cast<std::ptrdiff_t>(std::exchange(compressor_bytes_, 0)));
    compressor_->end();
    const std::size_t bytes = compressor_->bytes();
    c.give_back(0, std::move(compressor_), bytes);
  } else {
    c.charge(-static_cast<std::ptrdiff_t>(std::exchange(reader_bytes_, 0)));
    reader_->end();
    const std::size_t bytes = reader_->bytes();
    c.give_back(0, std::move(reader_), bytes);
  }
}

}  // namespace detail

zstd::zstd(const zstd_options& how) {
  terms_.how.level = std::clamp(how.level, 1, 19);
  terms_.how.window = std::clamp(how.window, static_cast<int>(least_window), static_cast<int>(most_window));
  terms_.how.least = how.least;
}

bool zstd::available() noexcept { return detail::has_zstd(); }

zstd zstd::dictionary(byte_view bytes) const {
  zstd with = *this;
  with.terms_.dictionary = detail::make_zstd_dictionary(bytes, terms_.how.level);
  with.terms_.dictionary_id = 0;
  if (!with.terms_.dictionary) return with;
  const std::uint32_t trained = detail::trained_id_of(bytes);
  with.terms_.dictionary_id = trained != 0 ? trained : std::max<std::uint32_t>(core::crc32c(bytes), 1);
  return with;
}

// With the dictionary first, without it second: the other end may have another one.
std::vector<params> zstd::offers() const {
  if (!available()) return {};
  std::vector<params> all;
  if (terms_.dictionary_id != 0) all.push_back(written(terms_.how.window, terms_.dictionary_id));
  all.push_back(written(terms_.how.window, 0));
  return all;
}

std::optional<accepted<detail::zstd_stage>> zstd::accept(const std::vector<params>& all, std::string& why) const {
  if (!is_built(why)) return std::nullopt;
  for (const params& offer : all) {
    wire_terms asked;
    if (!read(offer, asked, why) || !has_dictionary(terms_.dictionary_id, asked.dictionary, why)) continue;
    const int window =
        asked.window == 0 ? terms_.how.window : std::min(terms_.how.window, static_cast<int>(asked.window));
    return agreed(window, asked.dictionary != 0);
  }
  return std::nullopt;
}

// The window must be there, and no larger than what was offered.
std::optional<accepted<detail::zstd_stage>> zstd::confirm(const params& answer, std::string& why) const {
  wire_terms told;
  if (!is_built(why) || !read(answer, told, why) ||
      !detail::keeps_to("window", told.window, static_cast<std::uint32_t>(terms_.how.window), why) ||
      !has_dictionary(terms_.dictionary_id, told.dictionary, why))
    return std::nullopt;
  return agreed(static_cast<int>(told.window), told.dictionary != 0);
}

accepted<detail::zstd_stage> zstd::agreed(int window, bool with_dictionary) const {
  detail::zstd_terms terms = terms_;
  terms.how.window = window;
  if (!with_dictionary) {
    terms.dictionary = nullptr;
    terms.dictionary_id = 0;
  }
  claims uses;
  uses.rsv = mark;
  uses.in_needs_rsv = true;
  uses.idle_state = false;
  uses.adds_max = claims::grows;  // The header of the frame, and three bytes for each block of 128 KiB.
  uses.out_min_size = std::max<std::uint64_t>(terms.how.least, 1);
  params answer = written(window, terms.dictionary_id);
  return {std::move(answer), uses, detail::zstd_stage(std::move(terms))};
}

}  // namespace ext
HAWSER_END
