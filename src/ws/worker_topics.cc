// Topics of a loop: one frame for all subscribers, one write for each.

#include "ws/session.h"
#include "ws/worker.h"

#include <hawser/core/frame.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::size_t small_batch = 4096;
constexpr std::size_t large_batch = std::size_t{64} << 10;

// Room for one more, so that adding it cannot fail.
template <class T>
void make_place(std::vector<T>& in) {
  if (in.size() == in.capacity()) in.reserve(std::max<std::size_t>(2 * in.size(), 1));
}

}  // namespace

errc worker::subscribe(session& s, std::string_view name, std::size_t most) {
  auto& subs = s.subscriptions();
  auto found = topics_.find(name);
  if (found != topics_.end() && find_subscriber(s, *found->second) != nullptr) return errc::ok;
  if (subs.size() >= most) return errc::too_many_subscriptions;
  // Whatever allocates comes first: when it throws nothing has changed but what is found empty later.
  make_place(subs);
  if (found == topics_.end()) {
    auto made = std::make_unique<topic>();
    made->name = name;
    make_place(made->subscribers);
    found = topics_.emplace(made->name, std::move(made)).first;
  }
  topic& t = *found->second;
  make_place(t.subscribers);
  // What was published before is not for it.
  const auto at = static_cast<std::uint32_t>(subs.size());
  subs.push_back({&t, t.subscribers.size()});
  t.subscribers.push_back({&s, t.frames.size(), t.messages, t.batch, at});
  return errc::ok;
}

void worker::unsubscribe(session& s, std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  if (const subscriber* to = find_subscriber(s, *found->second)) leave(s, to->at);
}

void worker::unsubscribe_all(session& s) noexcept {
  while (s.has_subscriptions())
    leave(s, s.subscriptions().size() - 1);
}

// The place of `s` in `t`, or null: looked for on the side that has fewer.
subscriber* worker::find_subscriber(session& s, topic& t) noexcept {
  if (!s.has_subscriptions()) return nullptr;
  auto& subs = s.subscriptions();
  if (subs.size() <= t.subscribers.size()) {
    const auto it = std::find_if(subs.begin(), subs.end(), [&](const subscription& sub) { return sub.to == &t; });
    return it == subs.end() ? nullptr : &t.subscribers[it->place];
  }
  const auto it =
      std::find_if(t.subscribers.begin(), t.subscribers.end(), [&](const subscriber& to) { return to.who == &s; });
  return it == t.subscribers.end() ? nullptr : &*it;
}

// Ends the subscription at `at`. On both sides the last one takes the place that becomes free, and is told.
void worker::leave(session& s, std::size_t at) {
  auto& subs = s.subscriptions();
  topic& t = *subs[at].to;
  const std::size_t place = subs[at].place;
  // What was published before still is for it.
  pass_on(t, t.subscribers[place]);
  const subscriber last = t.subscribers.back();
  last.who->subscriptions()[last.at].place = place;
  t.subscribers[place] = last;
  t.subscribers.pop_back();
  if (at + 1 != subs.size()) {
    subs[at] = subs.back();
    subs[at].to->subscribers[subs[at].place].at = static_cast<std::uint32_t>(at);
  }
  subs.pop_back();
  drop_if_empty(t);
}

void worker::drop_if_empty(topic& t) {
  if (t.subscribers.empty() && !t.touched) topics_.erase(topics_.find(t.name));
}

void worker::publish(std::string_view name, opcode op, byte_view payload, send_options how, session* except) {
  const auto found = topics_.find(name);
  if (found == topics_.end() || found->second->subscribers.empty()) return;
  topic& t = *found->second;
  make_place(touched_topics_);
  make_place(dirty_topics_);
  const std::size_t header = core::frame_header_size(payload.size(), false);
  make_room(t, header + payload.size(), how);
  subscriber* own = except == nullptr ? nullptr : find_subscriber(*except, t);
  if (own != nullptr) pass_on(t, *own);
  std::byte* to = t.frames.data() + t.frames.size();
  core::write_frame_header(to, static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(op)), payload.size());
  if (!payload.empty()) std::memcpy(to + header, payload.data(), payload.size());
  t.frames.resize(t.frames.size() + header + payload.size());
  ++t.messages;
  if (own != nullptr) note_given(t, *own);
  if (!t.touched) touched_topics_.push_back(&t);
  t.touched = true;
  if (t.dirty) return;
  t.dirty = true;
  dirty_topics_.push_back(&t);
  loop_.mark_dirty(*this);
}

// A batch that has outgrown its buffer, or was published with other wishes, is passed on, and goes on in another one.
void worker::make_room(topic& t, std::size_t need, send_options how) {
  if (t.frames && t.frames.back_room() >= need && t.how == how) return;
  const bool outgrown = t.frames && t.how == how;
  if (t.frames) {
    for (subscriber& to : t.subscribers)
      pass_on(t, to);
  }
  t.frames = resources_.pool().take(0, std::max(need, outgrown ? large_batch : small_batch));
  t.messages = 0;
  t.how = how;
  ++t.batch;
}

errc worker::post_publication(const std::vector<worker*>& to, std::string_view name, opcode op, byte_view payload,
                              send_options how) {
  if (to.empty()) return errc::ok;
  std::vector<loan> loans(to.size());
  for (std::size_t i = 0; i < to.size(); ++i)
    if (!loans[i].take(to[i]->box().published(), payload.size(), mailbox::most_published)) return errc::would_block;
  // Shared: all the loops read the one copy.
  const auto copy = std::make_shared<const std::pair<std::string, std::string>>(name, as_text(payload));
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i]->box().post([w = to[i], op, how, copy, under_way = std::move(loans[i])] {
      try {
        w->publish(copy->first, op, as_bytes(copy->second), how, nullptr);
      } catch (const std::bad_alloc&) {
        w->log(log_level::error, "no memory for a publication: it is lost on one loop");
      }
    });
  return errc::ok;
}

// Most subscribers have nothing else to do: what is new goes out to them here. All others have a turn in this round, in
// which they catch up. No handler runs in here.
void worker::serve_subscribers() {
  for (topic* t : dirty_topics_)
    for (subscriber& to : t->subscribers)
      serve(*t, to);
  for (topic* t : dirty_topics_)
    t->dirty = false;
  dirty_topics_.clear();
}

void worker::serve(topic& t, subscriber& to) {
  session& s = *to.who;
  const share due = share_of(t, to);
  if (due.messages == 0) return;
  if (!s.takes_frames_now(t.frames.size() - due.from) || (dirty_topics_.size() > 1 && awaits_several(s)))
    return s.worker_mark();
  note_given(t, to);
  s.write_frames(t.frames, due.from, due.messages);
}

// What several topics hold for it goes out in one write.
bool worker::awaits_several(session& s) {
  const auto& subs = s.subscriptions();
  return std::count_if(subs.begin(), subs.end(), [](const subscription& sub) {
           return sub.to->dirty && share_of(*sub.to, sub.to->subscribers[sub.place]).messages != 0;
         }) > 1;
}

void worker::end_topics() {
  for (topic* t : touched_topics_) {
    t->frames = {};
    t->messages = 0;
    t->touched = false;
    ++t->batch;
    drop_if_empty(*t);
  }
  touched_topics_.clear();
}

void worker::catch_up(session& s) {
  if (!s.has_subscriptions()) return;
  for (const subscription& sub : s.subscriptions())
    pass_on(*sub.to, sub.to->subscribers[sub.place]);
}

// What the topic holds for a subscriber beyond what it was given.
worker::share worker::share_of(const topic& t, const subscriber& to) noexcept {
  return to.batch == t.batch ? share{to.from, t.messages - to.from_messages} : share{0, t.messages};
}

void worker::note_given(const topic& t, subscriber& to) noexcept {
  to.batch = t.batch;
  to.from = t.frames.size();
  to.from_messages = t.messages;
}

void worker::pass_on(topic& t, subscriber& to) {
  const share due = share_of(t, to);
  if (due.messages == 0) return;
  note_given(t, to);
  send_options how = t.how;
  how.shared = how.shared || t.subscribers.size() > 1;
  to.who->send_frames(t.frames.slice(due.from, t.frames.size() - due.from), due.messages, how);
}

HAWSER_END
