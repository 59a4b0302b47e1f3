#include "net/resolver.h"

#include "net/address_access.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <csignal>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

HAWSER_BEGIN
namespace net {

using address_list = std::vector<address>;

struct lookup::state {
  std::mutex lock;
  loop* owner = nullptr;  // Guarded by the lock. Null: nobody waits for the answer any more.
  answer done;            // The loop's thread only.
};

struct resolver_access {
  using shared_state = std::shared_ptr<lookup::state>;

  // On the loop's thread. What was destroyed meanwhile has no call to make.
  static void deliver(const shared_state& to, result<address_list> found) {
    const lookup::answer done = std::exchange(to->done, {});
    if (done) done(std::move(found));
  }

  // Any thread.
  static void answer(const shared_state& to, result<address_list> found) {
    const std::lock_guard lock(to->lock);
    if (to->owner == nullptr) return;
    to->owner->post([to, found = std::move(found)]() mutable { deliver(to, std::move(found)); });
  }

  static bool wanted(const shared_state& by) {
    const std::lock_guard lock(by->lock);
    return by->owner != nullptr;
  }
};

namespace {

// The longest name in DNS, in writing.
constexpr std::size_t longest_name = 253;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): the resolver belongs to the process
std::atomic<resolve_function> replacement{nullptr};

result<address_list> ask_system(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &first);
  if (error == EAI_MEMORY) return errc::out_of_resources;
  if (error != 0) return errc::name_not_found;
  address_list found;
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    system_address system;
    system.size = std::min<socklen_t>(at->ai_addrlen, sizeof system.storage);
    std::memcpy(&system.storage, at->ai_addr, system.size);
    const address a = address_access::from_system(system);
    if (a.family() != address::kind::none) found.push_back(a);
  }
  ::freeaddrinfo(first);
  if (found.empty()) return errc::name_not_found;
  return found;
}

result<address_list> ask(const std::string& host, std::uint16_t port) noexcept {
  const resolve_function f = replacement.load(std::memory_order_acquire);
  try {
    return f != nullptr ? f(host, port) : ask_system(host, port);
  } catch (const std::exception&) {
    return errc::out_of_resources;
  }
}

struct question {
  std::string host;
  std::uint16_t port = 0;
  resolver_access::shared_state from;
};

// The asking threads of the process, and who waits for one. A name server that does not answer keeps a thread for as
// long as the system's resolver tries, so there are several; a flood of names is not a flood of threads.
class asking_line {
 public:
  bool add(question q) {
    const std::lock_guard lock(lock_);
    if (threads_ < lookup::max_asking && start(q)) return true;
    if (threads_ == 0 || waiting_.size() >= lookup::max_waiting) return false;
    waiting_.push_back(std::move(q));
    return true;
  }

 private:
  // Signals are for the threads of the program.
  bool start(const question& q) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
      std::thread([this, q] { work(q); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      started = false;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  void work(question q) {
    for (std::optional<question> next(std::move(q)); next; next = take()) {
      if (!resolver_access::wanted(next->from)) continue;
      try {
        resolver_access::answer(next->from, ask(next->host, next->port));
      } catch (const std::bad_alloc&) {
        // Who asked hears nothing, and gives up at its deadline.
      }
    }
  }

  std::optional<question> take() {
    const std::lock_guard lock(lock_);
    if (waiting_.empty()) {
      --threads_;
      return std::nullopt;
    }
    question next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

  std::mutex lock_;
  std::size_t threads_ = 0;
  std::deque<question> waiting_;
};

// Never destroyed: a thread that asks may outlive everything that is destroyed at the end of the program.
asking_line& line() {
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): so do its threads
  static asking_line& the_line = *new asking_line;
  return the_line;
}

// RFC 6761, 6.3: names below localhost are this machine, whatever a name server says.
bool is_localhost(std::string host) {
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
  if (host.ends_with('.')) host.pop_back();
  return host == "localhost" || host.ends_with(".localhost");
}

// What needs no asking; nothing when it does.
std::optional<result<address_list>> known_answer(const std::string& host, std::uint16_t port) {
  const auto literal = address::ip(host, port);
  if (literal) return address_list{*literal};
  if (is_localhost(host)) return address_list{*address::ip("127.0.0.1", port), *address::ip("::1", port)};
  const bool possible = !host.empty() && host.size() <= longest_name + 1 && host.find('\0') == std::string::npos;
  if (!possible) return errc::name_not_found;
  return std::nullopt;
}

}  // namespace

lookup::lookup(loop& owner, const std::string& host, std::uint16_t port, answer done)
    : state_(std::make_shared<state>()) {
  state_->owner = &owner;
  state_->done = std::move(done);
  if (auto known = known_answer(host, port))
    resolver_access::answer(state_, std::move(*known));
  else if (!line().add({host, port, state_}))
    resolver_access::answer(state_, errc::out_of_resources);
}

lookup::~lookup() {
  state_->done = {};
  const std::lock_guard lock(state_->lock);
  state_->owner = nullptr;
}

void set_resolve_function(resolve_function f) noexcept { replacement.store(f, std::memory_order_release); }

}  // namespace net
HAWSER_END
