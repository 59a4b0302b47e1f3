// Drives a pipeline the way a connection does, with chunks that are freed as soon as they may be.
#pragma once

#include "support/seeded_random.h"

#include <hawser/core/pipeline.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

constexpr tick at_time(int ms) { return tick{} + std::chrono::milliseconds(ms); }

/// Adds `work` to a list of stages, as a negotiation would.
template <stage S>
core::agreed_extension agreed(std::string name, const claims& uses, S work) {
  core::agreed_extension e;
  e.name = std::move(name);
  e.terms.uses = uses;
  e.terms.work = core::any_stage::of(std::move(work));
  return e;
}

/// A list of stages; any_stage is move-only, so no initializer list.
class stage_list {
 public:
  template <stage S>
  stage_list& add(std::string name, const claims& uses, S work) {
    list_.push_back(agreed(std::move(name), uses, std::move(work)));
    return *this;
  }
  std::vector<core::agreed_extension> take() { return std::move(list_); }

 private:
  std::vector<core::agreed_extension> list_;
};

/// How a message is cut, and whether memory goes away in between.
struct cuts {
  std::size_t chunk = 0;            ///< Bytes a push; 0: all at once.
  bool stash = false;               ///< After every piece the pushed memory is overwritten.
  seeded_random* random = nullptr;  ///< Chunks of any length up to `chunk`.

  std::size_t next(std::size_t left) const {
    if (chunk == 0) return left;
    std::size_t n = chunk;
    if (random != nullptr) n = random->between(0, chunk);
    return std::min(n, left);
  }
};

/// What came out at the other end.
struct passed {
  std::string bytes;
  bool fin = false;
  bool gone = false;
  bool failed = false;
  head h;
  std::size_t pieces = 0;
};

/// Pulls until more is wanted.
inline void pull_all(core::pipeline& p, direction way, passed& out, const std::function<void()>& after_piece = {}) {
  for (;;) {
    byte_span bytes;
    bool fin = false;
    switch (p.pull(way, bytes, fin)) {
      case core::pipeline::pulled::more:
        return;
      case core::pipeline::pulled::gone:
        out.gone = true;
        return;
      case core::pipeline::pulled::failed:
        out.failed = true;
        return;
      case core::pipeline::pulled::piece:
        out.bytes.append(as_text(bytes));
        out.fin = out.fin || fin;
        ++out.pieces;
        if (after_piece) after_piece();
    }
  }
}

/// Pushes `text` after a begin, in cuts.
inline void feed(core::pipeline& p, direction way, std::string_view text, passed& out, const cuts& how = {}) {
  std::size_t sent = 0;
  bool fin = false;
  while (!fin && !out.failed && !out.gone) {
    const std::size_t n = how.next(text.size() - sent);
    fin = sent + n == text.size();
    // Exactly as long as the chunk, so that AddressSanitizer sees one byte too many.
    auto memory = std::make_unique<std::byte[]>(n);
    std::copy_n(as_bytes(text).begin() + static_cast<std::ptrdiff_t>(sent), n, memory.get());
    sent += n;
    p.push(way, {memory.get(), n}, fin, at_time(0));
    pull_all(p, way, out, [&] {
      if (!how.stash) return;
      p.stash(way);
      memory = nullptr;
    });
  }
}

inline head head_of(std::string_view text, std::uint8_t opcode = 2, std::uint8_t rsv = 0, bool sized = true) {
  head h;
  h.opcode = opcode;
  h.rsv = rsv;
  h.sized = sized ? 1 : 0;
  h.size = sized ? text.size() : 0;
  return h;
}

/// A whole message through the pipeline.
inline passed send(core::pipeline& p, direction way, std::string_view text, const cuts& how = {}, head h = {}) {
  if (h.opcode == 0) h = head_of(text);
  passed out;
  if (!p.begin(way, h, at_time(0))) {
    out.failed = true;
    return out;
  }
  out.h = h;
  feed(p, way, text, out, how);
  return out;
}

/// Carries out one action of a stage; controls are appended to `controls`, forwards go on behind their stage.
inline bool carry_out(core::pipeline& p, std::vector<passed>& arrived, direction& way,
                      std::string* controls = nullptr) {
  core::pipeline::work w;
  if (!p.next_work(w)) return false;
  if (w.what == core::pipeline::work::kind::control) {
    if (controls != nullptr) controls->append(as_text(w.body.view()));
    return true;
  }
  way = w.way;
  passed out;
  head h = w.message;
  if (p.begin_behind(w.stage, w.way, h, at_time(0))) {
    out.h = h;
    p.push_owned(w.way, std::move(w.body), at_time(0));
    pull_all(p, w.way, out);
  } else {
    out.failed = true;
  }
  if (!out.gone) arrived.push_back(std::move(out));
  return true;
}

/// Sends, carries out what stages ask for, and gives what arrived at that end in order.
inline std::vector<passed> send_all(core::pipeline& p, direction way, std::string_view text, const cuts& how = {}) {
  std::vector<passed> arrived;
  passed first = send(p, way, text, how);
  if (!first.gone) arrived.push_back(std::move(first));
  direction went = way;
  while (carry_out(p, arrived, went)) {
  }
  return arrived;
}

}  // namespace hawser::test
