// What a connection costs in memory, as docs/memory.md says it: the numbers are read from its tables and compared with
// what the loop's thread takes from the allocator, headers and rounding included. A page that promises too little fails
// here, and so does one that promises too much.

#include "ws/on_loop.h"
#include "ws/running_server.h"
#include "ws/session.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

// Bytes that are given out: to threads that are watched, and to all. With the allocator's own word in front of each.
thread_local bool watched = false;
std::atomic<std::int64_t> to_watched{0};
std::atomic<std::int64_t> to_all{0};

void note(void* p, std::int64_t sign) noexcept {
  const auto bytes = sign * static_cast<std::int64_t>(malloc_usable_size(p) + sizeof(std::size_t));
  to_all.fetch_add(bytes, std::memory_order_relaxed);
  if (watched) to_watched.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace

// Replaced for the whole program.
[[gnu::noinline]] void* operator new(std::size_t n) {
  void* p = std::malloc(n == 0 ? 1 : n);
  if (p == nullptr) throw std::bad_alloc();
  note(p, 1);
  return p;
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t to) {
  const auto align = static_cast<std::size_t>(to);
  void* p = std::aligned_alloc(align, (n + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
  note(p, 1);
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p != nullptr) note(p, -1);
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { operator delete(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { operator delete(p); }

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t many = 1020;  // Nearly whole blocks of 64 and lists that have just doubled: no odd ends.

/// The tables of docs/memory.md: the number in the second column of the row that begins with `name`.
class model {
 public:
  model() {
    std::ifstream page("docs/memory.md");
    EXPECT_TRUE(page) << "run it in the folder of the project";
    for (std::string line; std::getline(page, line);)
      read(line);
  }
  double operator[](const std::string& name) const {
    const auto found = rows_.find(name);
    EXPECT_NE(found, rows_.end()) << "docs/memory.md says nothing of `" << name << "`";
    return found == rows_.end() ? 0 : found->second;
  }

 private:
  void read(const std::string& line) {
    if (!line.starts_with("| `")) return;
    const std::size_t end = line.find("` | ", 3);
    if (end == std::string::npos) return;
    std::string digits;
    for (std::size_t i = end + 4; i < line.size() && line[i] != ' '; ++i)
      if (line[i] != ',') digits += line[i];
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    EXPECT_TRUE(error == std::errc() && stop == digits.data() + digits.size()) << line;
    rows_[line.substr(3, end - 3)] = static_cast<double>(number);
  }

  std::map<std::string, double> rows_;
};

/// What the allocator takes for an object of `n` bytes.
double given_for(double n) { return std::max(32.0, std::ceil((n + 8) / 16) * 16); }

/// Segments of the table of slots, which is the process's and never shrinks.
std::size_t segments() {
  std::size_t n = 0;
  while (find_slot(static_cast<std::uint32_t>(n << 10)) != nullptr)
    ++n;
  return n;
}

void expect_near(double measured, double promised, double share = 0.01) {
  EXPECT_NEAR(measured, promised, share * promised) << "bytes that were given, and those that docs/memory.md says";
}

/// A server whose loop's memory is counted, and its peers.
class crowd {
 public:
  explicit crowd(server_options options = {}, extension_list extensions = {}) : server_(patient(std::move(options))) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
    setrlimit(RLIMIT_NOFILE, &files);
    it().extensions() = std::move(extensions);
    it().route("/")
        .on_connect([this](connection c, const handshake&) {
          if (opened) opened(c);
        })
        .on_message([](connection c, const message& m) {
          if (m.text() == "pause")
            c.pause();
          else
            c.send(m);
        });
    server_.start();
    on_loop(it(), [](worker&) { return watched = true; });
    segments_ = segments();
    before_ = to_watched;
  }
  ~crowd() {
    peers.clear();
    server_.stop();
  }

  server& it() { return server_.it(); }

  /// Opens `n` connections, with an echo on each.
  void open(std::size_t n) {
    const std::string greeting(1024, 'e');
    for (std::size_t i = 0; i < n; ++i) {
      peers.push_back(std::make_unique<raw_peer>(server_.at()));
      ASSERT_NE(peers.back()->upgrade("/", fields).find(" 101 "), std::string::npos);
      ASSERT_EQ(peers.back()->text(greeting).frame().payload, greeting);
    }
  }
  /// Connects without a request.
  void connect_only(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      peers.push_back(std::make_unique<raw_peer>(server_.at()));
      ASSERT_TRUE(peers.back()->connected());
    }
    ASSERT_TRUE(comes_true(it(), [n](worker& w) { return w.sessions().size() == n; }));
  }
  void leave() {
    peers.clear();
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.sessions().empty(); }));
  }
  /// Waits until all sessions have received so many bytes more than those of `open`.
  void await(std::size_t bytes) {
    const std::size_t all = 1024 + 8 + bytes;
    ASSERT_TRUE(comes_true(it(), [all](worker& w) {
      bool here = true;
      w.each_session([&](session& s) { here = here && s.core().stats().bytes_in >= all; });
      return here;
    }));
  }

  /// Bytes that the loop's thread holds that it did not hold before the first connection ...
  double given() {
    return on_loop(it(), [this](worker&) { return static_cast<double>(to_watched - before_); });
  }
  /// ... and without the table of slots, which is made for the process and stays.
  double given_beside_slots(const model& says) {
    return given() - static_cast<double>(segments() - segments_) * given_for(1024 * says["slot"]);
  }
  [[nodiscard]] double each(const model& says) { return given_beside_slots(says) / static_cast<double>(peers.size()); }

  std::vector<std::unique_ptr<raw_peer>> peers;
  std::string fields;  // Of the request, beside the usual ones.
  std::function<void(connection)> opened;

 private:
  static server_options patient(server_options o) {
    o.max_handshakes = many + 1;
    o.alive.ping_interval = no_keepalive;
    return o;
  }

  running_server server_;
  std::size_t segments_ = 0;
  std::int64_t before_ = 0;
};

class connection_memory : public ::testing::Test {
 protected:
  // Otherwise it depends on what was freed before whether a large piece is rounded up to whole pages.
  static void SetUpTestSuite() {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
  }
  [[nodiscard]] double idle() const { return says["session"] + says["place"]; }
  const model says;
};

// ---- what every connection has

TEST_F(connection_memory, idle_after_an_echo) {
  crowd c;
  c.open(many);
  expect_near(c.each(says), idle());
  EXPECT_EQ(says["idle"], idle() + says["slot"]) << "the sum of the page";
}

// The first test of a process that opens connections is the one that sees the table of slots grow.
TEST_F(connection_memory, slot_of_the_process) {
  EXPECT_EQ(sizeof(slot), static_cast<std::size_t>(says["slot"]));
  crowd c;
  const std::size_t before = segments();
  c.open(many);
  const double grown = c.given() - c.given_beside_slots(says);
  EXPECT_EQ(grown, static_cast<double>(segments() - before) * given_for(1024.0 * sizeof(slot)));
  expect_near(c.each(says), idle());
}

TEST_F(connection_memory, all_is_given_back_or_used_again) {
  const std::int64_t nothing = to_all;
  const std::size_t before = segments();
  {
    crowd c;
    c.open(many);
    const double first = c.given_beside_slots(says);
    c.leave();
    EXPECT_LE(c.given_beside_slots(says), first);
    c.open(many);
    expect_near(c.given_beside_slots(says), first);
  }
  const double slots = static_cast<double>(segments() - before) * given_for(1024 * says["slot"]);
  EXPECT_NEAR(static_cast<double>(to_all - nothing), slots, 4096) << "after the server, but for slots and its mailbox";
}

// ---- what a connection has for a while

TEST_F(connection_memory, before_the_request) {
  crowd c;
  c.connect_only(many);
  expect_near(c.each(says), idle() + says["extras"] + says["opening"]);
}

TEST_F(connection_memory, in_a_header_of_which_a_byte_has_come) {
  crowd c;
  c.open(many);
  for (const auto& peer : c.peers)
    peer->send("\x82");
  c.await(1);
  expect_near(c.each(says), idle() + says["assembly"]);
}

TEST_F(connection_memory, in_a_message_of_which_a_kibibyte_has_come) {
  crowd c;
  c.open(many);
  for (const auto& peer : c.peers) {
    peer->out().header(0x82, 1 << 20).masked(std::string(1024, 'p'));
    peer->flush();
  }
  c.await(14 + 1024);
  expect_near(c.each(says), idle() + says["assembly"] + says["buffer"] + 4 * 1024);
}

TEST_F(connection_memory, in_a_message_of_which_100_kibibytes_have_come) {
  crowd c;
  c.open(64);
  for (const auto& peer : c.peers) {
    peer->out().header(0x82, 1 << 20).masked(std::string(100 << 10, 'p'));
    peer->flush();
  }
  c.await(14 + (100 << 10));
  expect_near(c.each(says), idle() + says["assembly"] + says["buffer"] + (1 << 20));
}

TEST_F(connection_memory, of_messages_that_are_over_a_part_is_kept_for_the_next_ones) {
  crowd c;
  c.open(many);
  const double before = c.given();
  for (const auto& peer : c.peers) {
    peer->out().header(0x82, 4096).masked(std::string(1024, 'p'));
    peer->flush();
  }
  c.await(8 + 1024);
  for (const auto& peer : c.peers) {
    peer->out().masked(std::string(3072, 'p'));
    ASSERT_EQ(peer->flush().frame().payload.size(), 4096U);
  }
  // All buffers, since they are fewer bytes than a loop keeps; 256 assemblies.
  expect_near(c.given() - before, many * (says["buffer"] + 4096) + 256 * says["assembly"]);
}

TEST_F(connection_memory, paused_with_input_that_waits) {
  crowd c;
  c.open(many);
  for (const auto& peer : c.peers) {
    peer->out().text("pause").text(std::string(1024 - 8, 'w'));
    peer->flush();
  }
  c.await(11 + 1024);
  expect_near(c.each(says), idle() + says["extras"] + says["buffer"] + 1024);
}

TEST_F(connection_memory, with_a_backlog) {
  constexpr std::size_t most = 1 << 20;
  server_options options;
  options.bounds.write_soft = most;
  crowd c(options);
  c.open(10);
  const double before = c.given();
  const std::string message(1024, 'b');
  // Until the system has taken what it takes of each.
  while (!on_loop(c.it(), [&](worker& w) {
    bool all = true;
    w.each_session([&](session& s) {
      all = all && s.core().backlog() > most - 2 * message.size();
      while (s.send(opcode::binary, as_bytes(message)) == errc::ok) {
      }
    });
    return all;
  })) {
  }
  const double waits = on_loop(c.it(), [](worker& w) {
    std::size_t sum = 0;
    w.each_session([&](session& s) { sum += s.core().backlog(); });
    return static_cast<double>(sum);
  });
  ASSERT_GT(waits, 9.0 * most);
  expect_near(c.given() - before, waits / 1024 * says["backlog KiB"], 0.03);
}

// ---- what is asked for

TEST_F(connection_memory, with_user_data) {
  crowd c;
  c.opened = [](connection made) { made.set_data(std::make_unique<std::array<char, 100>>()); };
  c.open(many);
  expect_near(c.each(says), idle() + says["extras"] + given_for(100));
}

TEST_F(connection_memory, with_its_request) {
  server_options options;
  options.keep_request = true;
  crowd c(options);
  c.open(many);
  const std::string head = raw_peer::request("/");
  const auto fields = static_cast<double>(std::count(head.begin(), head.end(), ':'));
  expect_near(c.each(says), idle() + says["extras"] + says["request"] + given_for(fields * says["request field"]) +
                                given_for(static_cast<double>(head.size())));
}

TEST_F(connection_memory, with_timings) {
  server_options options;
  options.timings = true;
  crowd c(options);
  c.open(many);
  expect_near(c.each(says), idle() + says["extras"] + says["timings"]);
}

TEST_F(connection_memory, with_a_subscription) {
  crowd c;
  c.opened = [](connection made) { made.subscribe("topic"); };
  c.open(many);
  expect_near(c.each(says), idle() + says["extras"] + given_for(says["subscription"]) + says["subscriber"]);
}

TEST_F(connection_memory, with_four_subscriptions) {
  crowd c;
  c.opened = [](connection made) {
    for (const char* topic : {"a", "b", "c", "d"})
      made.subscribe(topic);
  };
  c.open(many);
  expect_near(c.each(says), idle() + says["extras"] + given_for(4 * says["subscription"]) + 4 * says["subscriber"]);
}

/// Counts messages, and so keeps something between them.
struct counting {
  struct work {
    static constexpr unsigned hooks = hook::observe;
    std::uint64_t seen = 0;
    static verdict begin(direction, head&, context&) { return verdict::observe; }
    void observe(direction, byte_view, bool fin, context&) { seen += fin ? 1 : 0; }
  };
  using agreed = std::optional<accepted<work>>;

  std::string it;
  [[nodiscard]] const std::string& name() const { return it; }
  [[nodiscard]] static std::vector<params> offers() { return {{}}; }
  [[nodiscard]] static agreed accept(const std::vector<params>&) { return confirm({}); }
  [[nodiscard]] static agreed confirm(const params&) { return accepted<work>{{}, {}, {}}; }
};

class with_stages : public connection_memory, public ::testing::WithParamInterface<int> {
 protected:
  /// What each connection takes for extensions that `made` makes of their number.
  template <class Made>
  double each_with(Made&& made) {
    extension_list speaks;
    std::string fields;
    for (int i = 0; i < GetParam(); ++i) {
      const std::string name = "x-" + std::to_string(i);
      speaks.add(made(name, i));
      fields += "Sec-WebSocket-Extensions: " + name + "\r\n";
    }
    crowd c({}, std::move(speaks));
    c.fields = fields;
    c.open(many);
    return c.each(says);
  }
};

TEST_P(with_stages, that_keep_something) {
  expect_near(each_with([](const std::string& name, int) { return counting{name}; }),
              idle() + says["first stage"] + (GetParam() - 1) * says["further stage"]);
}

// What they share is the loop's: here 1,020 connections bear it.
TEST_P(with_stages, that_keep_nothing) {
  const auto nothing = [](byte_span) {};
  const double each = each_with([&](const std::string& name, int i) {
    return ext::message_extension(name, static_cast<rsv>(4 >> i)).encode(nothing).decode(nothing);
  });
  expect_near(each, idle() + says["stage that keeps nothing"], 0.03);
}

INSTANTIATE_TEST_SUITE_P(connection_memory, with_stages, ::testing::Values(1, 3));

// ---- loops and clients

TEST_F(connection_memory, loops_and_clients) {
  server_options options;
  options.threads = 4;
  const std::int64_t nothing = to_all;
  server served(options);
  ASSERT_TRUE(served.listen("127.0.0.1", 0));
  expect_near(static_cast<double>(to_all - nothing) / 4, says["loop"], 0.001);

  constexpr int many_clients = 8;
  std::array<std::atomic<bool>, many_clients + 1> open{};  // Outlives the clients.
  client_options once;
  once.reconnect.enabled = false;
  raw_listener listener;
  std::vector<std::unique_ptr<client>> clients;
  std::vector<raw_peer> peers;
  peers.reserve(many_clients + 1);
  const auto open_one = [&] {
    std::atomic<bool>& opened = open[clients.size()];
    clients.push_back(std::make_unique<client>(listener.url(), once));
    clients.back()->on_connect([&opened](connection, const handshake&) {
      opened = true;
      opened.notify_one();
    });
    ASSERT_TRUE(clients.back()->start());
    peers.push_back(listener.accept());
    peers.back().accept_upgrade();
    opened.wait(false);
  };
  open_one();  // And what a process makes once.
  const std::int64_t before = to_all;
  for (int i = 0; i < many_clients; ++i)
    open_one();
  expect_near(static_cast<double>(to_all - before) / many_clients - says["loop"], says["client"], 0.05);
}

}  // namespace
}  // namespace hawser::test
