// What a session does only when somebody watches: see ws/watch.h.

#include "ws/session.h"

#include <algorithm>

HAWSER_BEGIN

// When somebody watches: from here on there are frames. What was queued before is the handshake.
void session::begin_watch() {
  watcher* by = worker_->watched_by();
  if (by == nullptr) return;
  need_extras().watched = std::make_unique<watching>(*by, handle().id());
  extras_->watched->went = core_.bytes_out() + core_.pending();
  watched_ = true;
}

void session::watch_stages(std::vector<core::agreed_extension>& stages) {
  if (watcher* by = worker_->watched_by()) add_probes(stages, *by, handle().id());
}

// What came since it was looked at last is the end of what waits.
void session::watch_input() {
  watching& w = *extras_->watched;
  const std::uint64_t came = core_.stats().bytes_in;
  const byte_view waiting = core_.unconsumed();
  const auto fresh = static_cast<std::size_t>(std::min<std::uint64_t>(came - w.came, waiting.size()));
  w.came = came;
  w.in.read(waiting.last(fresh));
}

void session::watch_output() {
  watching& w = *extras_->watched;
  std::uint64_t at = core_.bytes_out();
  for (const byte_view chunk : core_.output()) {
    const std::uint64_t seen = std::min<std::uint64_t>(w.went > at ? w.went - at : 0, chunk.size());
    w.out.read(chunk.subspan(static_cast<std::size_t>(seen)));
    at += chunk.size();
  }
  w.went = std::max(w.went, at);
}

HAWSER_END
