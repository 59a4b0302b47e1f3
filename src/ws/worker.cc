#include "ws/worker.h"

#include "core/printable.h"
#include "ws/meter.h"
#include "ws/session.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAWSER_WATCHED_SESSIONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAWSER_WATCHED_SESSIONS 1
#endif

HAWSER_BEGIN

worker::worker(net::loop& on) : loop_(on), box_(acquire_mailbox()), resources_(on.pool(), on.random()) {
  box_.attach(on, sessions_);
}

worker::~worker() {
  silence();
  end();
  loop_.forget(*this);
  release_mailbox(box_);
}

void worker::silence() noexcept {
  silent_ = muted_ = true;
  report_ = nullptr;
  for (session* s : sessions())
    s->silence();
}

secure_transport& worker::secure() {
  if (!secure_) secure_ = std::make_unique<secure_transport>(loop_);
  return *secure_;
}

void worker::measure() { meter_ = std::make_unique<meter>(loop_); }

metrics worker::collect() const {
  loop_counts all = counts_;
  for (session* s : sessions())  // `die` has counted the dead of this batch.
    all.leave(s->core().stats(), true);
  metrics m;
  m.connections = alive_;
  m.opened = all.opened;
  m.not_opened = all.not_opened;
  m.closed = all.closed;
  m.messages_received = all.gone.messages_in;
  m.messages_sent = all.gone.messages_out;
  m.bytes_received = all.gone.bytes_in;
  m.bytes_sent = all.gone.bytes_out;
  if (meter_) m.times = meter_->all;
  return m;
}

// With its mailbox, so that handlers that are called at the very end find their connections as always.
void worker::end() {
  const mailbox_visit here(box_);
  each_session([](session& s) { static_cast<void>(s.terminate()); });
  on_batch_end();
  while (alive_ > 0)
    sessions_[alive_ - 1]->die(true);
  on_batch_end();
}

void worker::report(const failure& what) noexcept {
  log(log_level::error, what.what());
  if (!report_) return;
  try {
    report_(what);
  } catch (...) {
    log(log_level::error, "the handler of errors threw");
  }
}

void worker::log(log_level level, std::string_view line) noexcept {
  if (!logs()) return;
  try {
    if (admit_line(level)) loop_.log()->write(level, detail::one_line(line));
  } catch (const std::bad_alloc&) {
    loop_.log()->write(level, "no memory is left for a line of the log");
  }
}

// Peers can cause lines, so there is a limit to them.
bool worker::admit_line(log_level level) {
  lines_of_second& lines = lines_[static_cast<std::size_t>(level)];
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(loop_.now().time_since_epoch());
  if (now != lines.second) {
    const std::size_t left_out = std::exchange(lines, {now, 0, 0}).left_out;
    if (left_out > 0) loop_.log()->write(level, std::to_string(left_out) + " more lines were left out before this one");
  }
  if (lines.written == most_lines) {
    ++lines.left_out;
    return false;
  }
  ++lines.written;
  return true;
}

// ---- sessions

#if defined(HAWSER_WATCHED_SESSIONS)

// With AddressSanitizer each session has memory of its own, so that touching one after its end is found.
void* worker::take_session_memory(std::size_t size) { return ::operator new(size); }
void worker::give_session_memory_back(void* memory) noexcept { ::operator delete(memory); }

void worker::destroy(session& s) noexcept {
  s.~session();
  give_session_memory_back(&s);
}

#else

// The first blocks are small: the loop of a client has one connection.
void* worker::take_session_memory(std::size_t size) {
  if (free_sessions_ == nullptr) {
    const std::size_t at_once = std::size_t{4} << std::min<std::size_t>(session_blocks_.size(), 4);
    std::unique_ptr<std::byte[]> block(new std::byte[at_once * size]);
    std::byte* first = block.get();
    session_blocks_.push_back(std::move(block));
    for (std::size_t i = at_once; i-- > 0;)
      free_sessions_ = ::new (first + i * size) session_memory{free_sessions_};
  }
  session_memory* memory = free_sessions_;
  free_sessions_ = memory->next;
  return memory;
}

void worker::give_session_memory_back(void* memory) noexcept {
  free_sessions_ = ::new (memory) session_memory{free_sessions_};
}

void worker::destroy(session& s) noexcept {
  s.~session();
  give_session_memory_back(&s);
}

#endif

void worker::reserve_place() {
  if (sessions_.size() == sessions_.capacity()) sessions_.reserve(2 * (sessions_.size() + 1));
}

void worker::add(session& s) noexcept {
  sessions_.push_back(&s);  // Within what `reserve_place` reserved.
  std::swap(sessions_[alive_], sessions_.back());
  find_slot(s.slot_index())->link = static_cast<std::uint32_t>(alive_++);
}

void worker::mark(session& s) noexcept {
  loop_.mark_dirty(*this);
  try {
    marked_.push_back(&s);
  } catch (const std::bad_alloc&) {
    look_at_all_ = true;  // Its own mark finds it.
  }
}

// The last one that is alive takes its place.
void worker::bury(session& s) noexcept {
  const std::uint32_t place = find_slot(s.slot_index())->link;
  session* last = sessions_[--alive_];
  find_slot(last->slot_index())->link = place;
  sessions_[place] = last;
  sessions_[alive_] = &s;
  loop_.mark_dirty(*this);
  if (alive_ == 0 && when_empty_) std::exchange(when_empty_, nullptr)();
}

// Handlers may run in here: when a connection has ended, when there is room again. What they publish and send goes out
// in a further round of the same batch. So may the user's own, when what was kept with a connection goes with it: that
// may mark others, and bury them too, so nobody goes before all marks are worked off.
void worker::on_batch_end() {
  for (;;) {
    while (!dirty_topics_.empty() || !marked_.empty() || look_at_all_) {
      serve_subscribers();
      marked_now_.swap(marked_);
      for (session* s : marked_now_)
        s->on_batch_end();
      marked_now_.clear();
      if (!std::exchange(look_at_all_, false)) continue;
      each_session([](session& s) {
        if (s.marked_) s.on_batch_end();
      });
    }
    end_topics();
    if (sessions_.size() == alive_) return;
    session* s = sessions_.back();
    sessions_.pop_back();
    destroy(*s);
  }
}

HAWSER_END
