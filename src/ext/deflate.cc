// What is offered, accepted and confirmed. RFC 7692, 5 and 7.1.
#include "ext/deflate_codec.h"
#include "ext/parameters.h"

#include <hawser/ext/deflate.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr int least_bits = 8;
constexpr int most_bits = 15;
// zlib compresses in no smaller window, and reads in no smaller one what others of its kind have compressed "in 8".
constexpr int least_zlib_bits = 9;
constexpr std::uint8_t compressed_bit = static_cast<std::uint8_t>(rsv::one);

constexpr std::string_view server_alone = "server_no_context_takeover";
constexpr std::string_view client_alone = "client_no_context_takeover";
constexpr std::string_view server_bits = "server_max_window_bits";
constexpr std::string_view client_bits = "client_max_window_bits";

/// The parameters of an offer or an answer.
struct wire_terms {
  bool server_alone = false;
  bool client_alone = false;
  std::optional<int> server_bits;
  bool client_bits_named = false;
  std::optional<int> client_bits;
};

// P-15: 8 to 15, in decimal without a leading zero.
bool read_bits(const param& p, std::optional<int>& to, std::string& why) {
  const auto number = detail::number_of(p, least_bits, most_bits, why);
  if (number) to = static_cast<int>(*number);
  return number.has_value();
}

bool read_one(const param& p, wire_terms& t, bool answer, std::string& why) {
  if (p.name == server_alone) return t.server_alone = detail::is_flag(p, why);
  if (p.name == client_alone) return t.client_alone = detail::is_flag(p, why);
  if (p.name == server_bits) return read_bits(p, t.server_bits, why);
  if (p.name == client_bits) {
    t.client_bits_named = true;
    return (!p.value && !answer) || read_bits(p, t.client_bits, why);
  }
  detail::say_unknown(p, why);
  return false;
}

/// Null for an unknown parameter, a value that is missing, superfluous or invalid, or one given twice (P-11, P-12).
std::optional<wire_terms> read_terms(const params& all, bool answer, std::string& why) {
  wire_terms t;
  for (const param& p : all)
    if (!detail::is_first(all, p, why) || !read_one(p, t, answer, why)) return std::nullopt;
  return t;
}

params written(const wire_terms& t) {
  params all;
  const auto flag = [&all](std::string_view name) { all.push_back({std::string(name), std::nullopt}); };
  const auto number = [&all](std::string_view name, int bits) {
    all.push_back({std::string(name), std::to_string(bits)});
  };
  if (t.server_alone) flag(server_alone);
  if (t.client_alone) flag(client_alone);
  if (t.server_bits) number(server_bits, *t.server_bits);
  if (t.client_bits)
    number(client_bits, *t.client_bits);
  else if (t.client_bits_named)
    flag(client_bits);
  return all;
}

/// What this end compresses with: in `wanted` bits, and never in more than the peer's `limit`. P-20: what zlib cannot
/// do in 8 bits, ISA-L can; without it `out_bits` is 0.
void choose_compressor(detail::deflate_terms& t, const deflate_options& o, int wanted, int limit) {
  int bits = std::min(wanted, limit);
  if (t.out_engine == deflate_engine::zlib && bits < least_zlib_bits) {
    if (limit >= least_zlib_bits) {
      bits = least_zlib_bits;
    } else if (detail::has_engine(deflate_engine::isal)) {
      t.out_engine = deflate_engine::isal;
    } else {
      bits = 0;
    }
  }
  t.out_bits = static_cast<std::uint8_t>(bits);
  t.level = static_cast<std::uint8_t>(t.out_engine == deflate_engine::isal ? std::min(o.level, 3) : o.level);
  t.memory_level = static_cast<std::uint8_t>(t.out_engine == deflate_engine::isal ? 0 : o.memory_level);
}

detail::deflate_terms engines_of(const deflate_options& o) {
  detail::deflate_terms t;
  t.out_engine = detail::has_engine(o.engine) ? o.engine : deflate_engine::zlib;
  return t;
}

std::uint8_t reading_bits(int agreed) noexcept { return static_cast<std::uint8_t>(std::max(agreed, least_zlib_bits)); }

/// This end is the server: nothing when it cannot do what an offer asks.
std::optional<detail::deflate_terms> answer_to(const wire_terms& offer, const deflate_options& o, wire_terms& answer,
                                               std::string& why) {
  detail::deflate_terms t = engines_of(o);
  choose_compressor(t, o, o.server_max_window_bits, offer.server_bits.value_or(most_bits));
  if (t.out_bits == 0) {
    detail::add_words(why, std::string(server_bits) + "=8 needs ISA-L, which this build does not have");
    return std::nullopt;
  }
  answer.server_alone = offer.server_alone || o.server_no_context_takeover;
  answer.client_alone = offer.client_alone || o.client_no_context_takeover;
  if (offer.server_bits || t.out_bits < most_bits) answer.server_bits = t.out_bits;
  const int asked = std::min(o.client_max_window_bits, offer.client_bits.value_or(most_bits));
  if (offer.client_bits_named && asked < most_bits) answer.client_bits = asked;
  t.in_bits = reading_bits(answer.client_bits.value_or(most_bits));
  t.out_takeover = !answer.server_alone;
  t.in_takeover = !answer.client_alone;
  return t;
}

// Unsaid, the server's window answers the second offer.
bool keeps_to_offer(const wire_terms& answer, const deflate_options& o, std::string& why) {
  if (o.server_no_context_takeover && !answer.server_alone) {
    detail::add_words(why, std::string(server_alone) + " was offered and is missing");
    return false;
  }
  if (answer.client_bits_named && !o.offer_client_max_window_bits) {
    detail::add_words(why, std::string(client_bits) + " was not offered");
    return false;
  }
  return !answer.server_bits || detail::keeps_to(server_bits, static_cast<std::uint32_t>(*answer.server_bits),
                                                 static_cast<std::uint32_t>(o.server_max_window_bits), why);
}

/// This end is the client, and the answer keeps to the offer.
detail::deflate_terms terms_of(const wire_terms& answer, const deflate_options& o) {
  detail::deflate_terms t = engines_of(o);
  choose_compressor(t, o, o.client_max_window_bits, answer.client_bits.value_or(most_bits));
  t.in_bits = reading_bits(answer.server_bits.value_or(most_bits));
  t.out_takeover = !(answer.client_alone || o.client_no_context_takeover);
  t.in_takeover = !answer.server_alone;
  return t;
}

claims claims_of(const detail::deflate_terms& t, const deflate_options& o) {
  claims c;
  c.rsv = compressed_bit;
  c.trim_max = 4;
  c.adds_max = claims::grows;  // What does not compress is stored: a few bytes for each block more.
  c.in_needs_rsv = true;
  c.ordered = c.idle_state = t.out_takeover || t.in_takeover;
  c.out_min_size = t.out_bits == 0 ? ~std::uint64_t{0} : std::max<std::uint64_t>(o.threshold, 1);
  return c;
}

struct row {
  deflate_engine engine;
  int level;
  int memory_level;
  int window_bits;
  bool takeover;
  std::size_t threshold;
};

// By deflate_preset. docs/ext/deflate.md shows it, and a test compares the two.
constexpr std::array<row, 4> presets{{
    {deflate_engine::isal, 1, 8, 15, true, 64},
    {deflate_engine::zlib, 6, 5, 12, true, 64},
    {deflate_engine::zlib, 9, 9, 15, true, 32},
    {deflate_engine::zlib, 6, 5, 12, false, 1024},
}};

}  // namespace

deflate_options::deflate_options(deflate_preset p) noexcept {
  const row& r = presets[static_cast<std::size_t>(p) % presets.size()];
  engine = r.engine;
  level = r.level;
  memory_level = r.memory_level;
  server_max_window_bits = client_max_window_bits = r.window_bits;
  server_no_context_takeover = client_no_context_takeover = !r.takeover;
  threshold = r.threshold;
}

const char* deflate_options::fault() const noexcept {
  if (engine == deflate_engine::isal && (level < 1 || level > 3)) return "the level of isal is 1 to 3";
  if (level < 1 || level > 9) return "the level is 1 to 9";
  if (memory_level < 1 || memory_level > 9) return "the memory level is 1 to 9";
  for (const int bits : {server_max_window_bits, client_max_window_bits})
    if (bits < least_bits || bits > most_bits) return "window bits are 8 to 15";
  return nullptr;
}

deflate::deflate(const deflate_options& o) noexcept : options_(o) {
  // What this end asks for is what it can do itself: two of a kind then agree.
  const bool zlib = !detail::has_engine(o.engine) || o.engine == deflate_engine::zlib;
  const int least = zlib ? least_zlib_bits : least_bits;
  options_.level = std::clamp(o.level, 1, o.engine == deflate_engine::isal ? 3 : 9);
  options_.memory_level = std::clamp(o.memory_level, 1, 9);
  options_.server_max_window_bits = std::clamp(o.server_max_window_bits, least, most_bits);
  options_.client_max_window_bits = std::clamp(o.client_max_window_bits, least, most_bits);
}

// Servers that cannot choose their window decline an offer that limits it, or pass over the limit in silence. Most
// people would rather have them compress in any window: that is the second offer (P-10).
std::vector<params> deflate::offers() const {
  wire_terms t;
  t.server_alone = options_.server_no_context_takeover;
  t.client_alone = options_.client_no_context_takeover;
  t.client_bits_named = options_.offer_client_max_window_bits;
  if (t.client_bits_named && options_.client_max_window_bits < most_bits)
    t.client_bits = options_.client_max_window_bits;
  const params any_window = written(t);
  if (options_.server_max_window_bits == most_bits) return {any_window};
  t.server_bits = options_.server_max_window_bits;
  return {written(t), any_window};
}

// The first offer that can be done as it is asked for; one that cannot is passed over (P-10, P-11).
std::optional<accepted<detail::deflate_stage>> deflate::accept(const std::vector<params>& all, std::string& why) const {
  for (const params& one : all) {
    const std::optional<wire_terms> offer = read_terms(one, false, why);
    if (!offer) continue;
    wire_terms answer;
    if (const auto t = answer_to(*offer, options_, answer, why))
      return accepted<detail::deflate_stage>{written(answer), claims_of(*t, options_), detail::deflate_stage(*t)};
  }
  return std::nullopt;
}

std::optional<accepted<detail::deflate_stage>> deflate::confirm(const params& answer, std::string& why) const {
  const std::optional<wire_terms> said = read_terms(answer, true, why);
  if (!said || !keeps_to_offer(*said, options_, why)) return std::nullopt;
  const detail::deflate_terms t = terms_of(*said, options_);
  return accepted<detail::deflate_stage>{answer, claims_of(t, options_), detail::deflate_stage(t)};
}

deflate_memory deflate::memory(role side) const noexcept {
  wire_terms both;
  both.server_alone = options_.server_no_context_takeover;
  both.client_alone = options_.client_no_context_takeover;
  both.server_bits = options_.server_max_window_bits;
  both.client_bits_named = true;
  both.client_bits = options_.client_max_window_bits;
  wire_terms answer;
  std::string why;
  if (side == role::client) return detail::kept_by(terms_of(both, options_));
  const auto t = answer_to(both, options_, answer, why);
  return t ? detail::kept_by(*t) : deflate_memory{};
}

}  // namespace ext
HAWSER_END
