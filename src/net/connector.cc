#include "net/connector.h"

#include <algorithm>
#include <new>
#include <utility>

HAWSER_BEGIN
namespace net {

namespace {

// RFC 8305, 4: the families take turns, beginning with that of the first address.
std::vector<address> interleaved(const std::vector<address>& in) {
  std::vector<address> same;
  std::vector<address> other;
  for (const address& a : in)
    (a.family() == in.front().family() ? same : other).push_back(a);
  std::vector<address> out;
  for (std::size_t i = 0; i < std::max(same.size(), other.size()); ++i) {
    if (i < same.size()) out.push_back(same[i]);
    if (i < other.size()) out.push_back(other[i]);
  }
  return out;
}

}  // namespace

// Only ever connects; whoever adopts the handle reads and writes.
class connector::attempt final : public stream, public mortal {
 public:
  attempt(connector& owner, const address& to) noexcept : owner_(owner), peer(to) {}

  void on_connected() override { owner_.on_attempt_connected(*this); }
  void on_error(errc what) override { owner_.on_attempt_failed(*this, what); }
  void on_received(byte_span) override {}
  void on_received_into(buffer&&, std::size_t) override {}
  void on_end() override {}
  void on_written(std::size_t) override {}
  void on_timer(tick) override {}

 private:
  connector& owner_;

 public:
  const address peer;
};

connector::connector(loop& owner, const std::string& host, std::uint16_t port, tick deadline, answer done)
    : owner_(owner), deadline_(deadline), done_(std::move(done)) {
  schedule();
  lookup_ = std::make_unique<lookup>(owner, host, port, [this](result<std::vector<address>> found) {
    if (!found) return finish(to_errc(found.error()), {});
    on_addresses(*found);
  });
}

connector::connector(loop& owner, const std::vector<address>& to, tick deadline, answer done)
    : owner_(owner), deadline_(deadline), done_(std::move(done)) {
  on_addresses(to);
}

connector::~connector() { drop_all(); }

void connector::on_addresses(const std::vector<address>& found) {
  resolved_ = owner_.now();
  try {
    attempts_.reserve(max_attempts);
    if (!found.empty()) addresses_ = interleaved(found);
  } catch (const std::bad_alloc&) {
    error_ = errc::out_of_resources;
  }
  try_next();
}

void connector::try_next() {
  next_start_ = no_deadline;
  while (next_ < addresses_.size() && next_start_ == no_deadline) {
    if (attempts_.size() == max_attempts) drop(0);
    const address& to = addresses_[next_++];
    if (const errc error = start(to); error != errc::ok)
      note(error, to);
    else
      next_start_ = next_ < addresses_.size() ? owner_.now() + head_start : deadline_;
  }
  schedule();
}

errc connector::start(const address& to) noexcept {
  try {
    auto a = std::make_unique<attempt>(*this, to);
    const errc error = owner_.io().connect(*a, to);
    if (error == errc::ok) attempts_.push_back(std::move(a));  // Within what was reserved.
    return error;
  } catch (const std::bad_alloc&) {
    return errc::out_of_resources;
  }
}

// With nothing under way and nothing left to try it is called at once, to say so from there: an answer never comes
// within the constructor.
void connector::schedule() {
  const bool hopeless = resolved_ != no_deadline && attempts_.empty() && next_ == addresses_.size();
  owner_.timers().schedule(*this, hopeless ? owner_.now() : std::min(deadline_, next_start_));
}

void connector::on_timer(tick now) {
  if (resolved_ != no_deadline && attempts_.empty() && next_ == addresses_.size()) return finish(error_, error_peer_);
  if (now >= deadline_) return finish(errc::connect_timeout, attempts_.empty() ? address() : attempts_.front()->peer);
  if (now >= next_start_)
    try_next();
  else
    schedule();
}

void connector::on_attempt_connected(attempt& a) {
  const address peer = a.peer;
  finish(owner_.io().release(a), peer);
}

void connector::on_attempt_failed(attempt& a, errc what) {
  note(what, a.peer);
  const auto at = std::find_if(attempts_.begin(), attempts_.end(), [&](const auto& p) { return p.get() == &a; });
  drop(static_cast<std::size_t>(at - attempts_.begin()));
  try_next();
}

// The first failure is that of the address the system prefers; but that a whole family cannot be reached from here says
// less than what an address answered.
void connector::note(errc what, const address& peer) {
  const bool nothing_yet = error_peer_.family() == address::kind::none;
  if (!nothing_yet && (error_ != errc::unreachable || what == errc::unreachable)) return;
  error_ = what;
  error_peer_ = peer;
}

void connector::drop(std::size_t index) {
  owner_.io().close(*attempts_[index]);
  owner_.bury(std::move(attempts_[index]));
  attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(index));
}

void connector::drop_all() {
  while (!attempts_.empty())
    drop(attempts_.size() - 1);
}

// The callee may destroy this object.
void connector::finish(result<int> handle, const address& peer) {
  drop_all();
  owner_.timers().cancel(*this);
  lookup_.reset();
  const answer done = std::exchange(done_, {});
  if (done) done(std::move(handle), address(peer));
}

}  // namespace net
HAWSER_END
