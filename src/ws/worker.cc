#include "ws/worker.h"

#include "ws/session.h"

#include <hawser/core/frame.h>

#include <algorithm>
#include <cstring>

HAWSER_BEGIN

namespace {

constexpr std::size_t small_batch = 4096;
constexpr std::size_t large_batch = std::size_t{64} << 10;

}  // namespace

worker::worker(net::loop& on) : loop_(on), box_(acquire_mailbox()), resources_(on.pool(), on.random()) {
  box_.attach(on);
}

worker::~worker() {
  silence();
  end();
  loop_.forget(*this);
  release_mailbox(box_);
}

void worker::silence() noexcept {
  static route_handlers nothing;  // Empty for ever: no state.
  for (session* s : sessions_)
    s->handlers_ = &nothing;
}

void worker::end() {
  const std::vector<session*> all = sessions_;
  for (session* s : all)
    static_cast<void>(s->terminate());
  on_batch_end();
  while (!sessions_.empty())
    sessions_.back()->die(true);
  on_batch_end();
}

void* worker::take_session_memory(std::size_t size) {
  constexpr std::size_t at_once = 64;
  if (free_sessions_ == nullptr) {
    std::unique_ptr<std::byte[]>& block = session_blocks_.emplace_back(new std::byte[at_once * size]);
    for (std::size_t i = at_once; i-- > 0;)
      free_sessions_ = ::new (block.get() + i * size) session_memory{free_sessions_};
  }
  session_memory* memory = free_sessions_;
  free_sessions_ = memory->next;
  return memory;
}

void worker::add(session& s) {
  s.place_ = static_cast<std::uint32_t>(sessions_.size());
  sessions_.push_back(&s);
}

void worker::remove(session& s) noexcept {
  sessions_.back()->place_ = s.place_;
  sessions_[s.place_] = sessions_.back();
  sessions_.pop_back();
  if (sessions_.empty() && when_empty_) std::exchange(when_empty_, nullptr)();
}

void worker::mark(session& s) {
  marked_.push_back(&s);
  loop_.mark_dirty(*this);
}

void worker::bury(session& s) {
  dead_.push_back(&s);
  loop_.mark_dirty(*this);
}

void worker::on_batch_end() {
  while (!dirty_topics_.empty() || !marked_.empty()) {
    for (std::size_t i = 0; i < dirty_topics_.size(); ++i)
      flush(*dirty_topics_[i]);
    std::vector<topic*> flushed;
    flushed.swap(dirty_topics_);
    for (topic* t : flushed) {
      t->dirty = false;
      drop_if_empty(*t);
    }
    std::vector<session*> batch;
    batch.swap(marked_);
    for (session* s : batch)
      s->on_batch_end();
    batch.clear();
    if (marked_.empty()) marked_.swap(batch);  // Keeps the memory.
  }
  while (!dead_.empty()) {
    session* s = dead_.back();
    dead_.pop_back();
    s->~session();
    free_sessions_ = ::new (static_cast<void*>(s)) session_memory{free_sessions_};
  }
}

// ---- topics

void worker::subscribe(session& s, std::string_view name) {
  std::unique_ptr<topic>& found = topics_[std::string(name)];
  if (!found) {
    found = std::make_unique<topic>();
    found->name = name;
  }
  topic& t = *found;
  for (const subscription& sub : s.subscriptions())
    if (sub.to == &t) return;
  s.subscriptions().push_back({&t, t.subscribers.size(), t.frames.size(), t.messages});
  t.subscribers.push_back(&s);
}

void worker::unsubscribe(session& s, std::string_view name) {
  auto& subs = s.subscriptions();
  const auto it = std::find_if(subs.begin(), subs.end(), [&](const subscription& sub) { return sub.to->name == name; });
  if (it == subs.end()) return;
  pass_on(s, *it);
  topic& t = *it->to;
  session* last = t.subscribers.back();
  t.subscribers[it->place] = last;
  t.subscribers.pop_back();
  if (last != &s)
    for (subscription& sub : last->subscriptions())
      if (sub.to == &t) sub.place = it->place;
  subs.erase(it);
  drop_if_empty(t);
}

void worker::unsubscribe_all(session& s) noexcept {
  if (!s.has_subscriptions()) return;
  while (!s.subscriptions().empty())
    unsubscribe(s, s.subscriptions().back().to->name);
}

void worker::drop_if_empty(topic& t) {
  if (t.subscribers.empty() && !t.dirty) topics_.erase(t.name);
}

void worker::publish(std::string_view name, opcode op, byte_view payload, session* except) {
  const auto found = topics_.find(std::string(name));
  if (found == topics_.end() || found->second->subscribers.empty()) return;
  topic& t = *found->second;
  subscription* own = nullptr;
  if (except != nullptr && except->has_subscriptions()) {
    for (subscription& sub : except->subscriptions())
      if (sub.to == &t) own = &sub;
    if (own != nullptr) pass_on(*except, *own);
  }
  const std::size_t header = core::frame_header_size(payload.size(), false);
  if (!t.frames || t.frames.back_room() < header + payload.size()) {
    const bool first = !t.frames;
    if (!first) flush(t);
    t.frames = resources_.pool().take(0, std::max(header + payload.size(), first ? small_batch : large_batch));
  }
  std::byte* to = t.frames.data() + t.frames.size();
  core::write_frame_header(to, static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(op)), payload.size());
  if (!payload.empty()) std::memcpy(to + header, payload.data(), payload.size());
  t.frames.resize(t.frames.size() + header + payload.size());
  ++t.messages;
  if (own != nullptr) {
    own->from = t.frames.size();
    own->from_messages = t.messages;
  }
  if (t.dirty) return;
  t.dirty = true;
  dirty_topics_.push_back(&t);
  loop_.mark_dirty(*this);
}

void worker::publish_elsewhere(std::string_view name, opcode op, byte_view payload) {
  for (worker* w : siblings_)
    w->box().post([w, op, topic = std::string(name), copy = std::string(as_text(payload))] {
      w->publish(topic, op, as_bytes(copy), nullptr);
    });
}

// Gives every subscriber its range of the batch; the next one starts in a fresh buffer.
void worker::flush(topic& t) {
  for (std::size_t i = 0; i < t.subscribers.size(); ++i) {
    session& s = *t.subscribers[i];
    for (subscription& sub : s.subscriptions()) {
      if (sub.to != &t) continue;
      pass_on(s, sub);
      sub.from = 0;
      sub.from_messages = 0;
      break;
    }
  }
  t.frames = {};
  t.messages = 0;
}

void worker::catch_up(session& s) {
  if (!s.has_subscriptions()) return;
  for (subscription& sub : s.subscriptions())
    pass_on(s, sub);
}

// Passes on what the topic holds for `s` beyond what it was given.
void worker::pass_on(session& s, subscription& sub) {
  topic& t = *sub.to;
  if (!t.frames || sub.from == t.frames.size()) return;
  const buffer range = t.frames.slice(sub.from, t.frames.size() - sub.from);
  const std::uint32_t messages = t.messages - sub.from_messages;
  sub.from = t.frames.size();
  sub.from_messages = t.messages;
  s.send_frames(range, messages);
}

HAWSER_END
