// What happens behind TLS when there is no memory: every allocation of the library's threads fails once, those of
// OpenSSL too. The connection that needed it ends with a reason or goes on; no stream ever shows a byte of another one,
// also when what failed was the answer to somebody who breaks TLS; nothing is left behind.
#include "memory/failing_new.h"
#include "support/authority.h"
#include "ws/on_loop.h"
#include "ws/running_server.h"
#include "ws/session.h"
#include "ws/tls_by_hand.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

enum class owner { hawser, openssl };
constexpr std::size_t never = 10'000;  // More allocations than there are.
bool openssl_fails() noexcept { return new_is_spared && fails_now(); }

void* take(std::size_t n, const char*, int) {
  if (openssl_fails()) return nullptr;
  alive.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(n);
}
void give_back(void* p, const char*, int) {
  if (p != nullptr) alive.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}
void* change(void* p, std::size_t n, const char* file, int line) {
  if (p == nullptr) return take(n, file, line);
  if (n == 0) {
    give_back(p, file, line);
    return nullptr;
  }
  return openssl_fails() ? nullptr : std::realloc(p, n);
}
// Before OpenSSL has taken anything.
const bool taken_over = CRYPTO_set_mem_functions(take, change, give_back) == 1;

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    made[i] = static_cast<char>('a' + i % 23);
  return made;
}

std::string echo_of(std::string_view text) {
  frame_writer out(role::server);
  return std::string(as_text(byte_view(out.text(text).take())));
}

void send_text(tls_by_hand& peer, std::string_view text) {
  frame_writer out(role::client);
  peer.send(as_text(byte_view(out.text(text).take())));
}

struct secure_rig : running_server {
  explicit secure_rig(const authority& root) {
    client_tls trust;
    trust.ca = pem::text(root.certificate());
    of_client = std::make_unique<tls::context>(*tls::context::client(trust));
    server_tls own;
    own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
    it().use_tls(own).value();
    it().route("/").on_message([](connection c, const message& m) { c.send(m); });
    start();
    witness = std::make_unique<tls_by_hand>(raw_peer(at()), *of_client, "127.0.0.1");
    witness->send(raw_peer::request());
    EXPECT_NE(witness->until("\r\n\r\n").find(" 101 "), std::string::npos);
  }
  ~secure_rig() {
    fails_at = -1;
    witness.reset();
    stop();
  }

  void run_failing(std::size_t n, const std::function<void(secure_rig&)>& scenario) {
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.sessions().size() == 1; }));
    failed = false;
    fails_at = static_cast<std::int64_t>(n);
    scenario(*this);
    // While it may still fail: what follows of a death is part of it.
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.sessions().size() == 1; })) << "it is still there";
    fails_at = -1;
    send_text(*witness, "still here");
    ASSERT_TRUE(witness->expect(echo_of("still here"))) << witness->filter().why() << witness->left();
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.loop().pool().used_bytes() == 0; }));
  }

  std::unique_ptr<tls::context> of_client;
  std::unique_ptr<tls_by_hand> witness;
};

// Either what was expected, or an end: 1011, an alert, no more bytes. Never another stream's.
bool expect_or_end(tls_by_hand& peer, std::string_view expected) {
  if (peer.expect(expected)) return true;
  const std::string& got = peer.left();
  EXPECT_TRUE(got.empty() || expected.starts_with(got) || got.starts_with(std::string("\x88") + got.substr(1, 1)))
      << got.substr(0, 100);
  EXPECT_TRUE(failed);
  const tls::filter& f = peer.filter();
  EXPECT_TRUE(f.error() == errc::ok || f.why().find("TLS alert") != std::string::npos) << f.why();
  return false;
}

// A life from end to end: records in both directions, some of them large.
void live(secure_rig& rig) {
  tls_by_hand peer(raw_peer(rig.at()), *rig.of_client, "127.0.0.1");
  EXPECT_TRUE(peer.is_open() || failed);
  if (!peer.is_open()) return;  // OpenSSL may have made the alert without the right key.
  peer.send(raw_peer::request());
  const std::string answer = peer.until("\r\n\r\n");
  if (answer.find(" 101 ") == std::string::npos) {
    EXPECT_TRUE(failed && (answer.empty() || answer.find(" 503 ") != std::string::npos)) << answer;
    return;
  }
  for (const std::size_t size : {5U, 3000U, 200'000U}) {
    send_text(peer, pattern(size));
    if (!expect_or_end(peer, echo_of(pattern(size)))) return;
  }
  frame_writer out(role::client);
  peer.send(as_text(byte_view(out.close(1000).take())));
  expect_or_end(peer, "\x88\x02\x03\xE8");
}

// Who sends what is no record is told so by an alert. The words of it need memory, while the alert waits to be sent.
void break_tls(secure_rig& rig) {
  tls_by_hand peer(raw_peer(rig.at()), *rig.of_client, "127.0.0.1");
  if (!peer.is_open()) return;
  peer.send_damaged(raw_peer::request());
  peer.socket().to_end();
}

// A client that is no client of TLS.
void say_http(secure_rig& rig) {
  raw_peer peer(rig.at());
  const std::string answer = peer.upgrade();
  EXPECT_TRUE(answer.find(" 400 ") != std::string::npos || (failed && answer.empty())) << answer;
}

// OpenSSL takes memory a thousand times in a life, so all of them are met by one server; of ours each is met by one
// that has nothing spare yet.
void sweep(const std::function<void(secure_rig&)>& scenario) {
  spared = true;
  const authority root = authority::root();
  std::unique_ptr<secure_rig> rig;
  const auto attempt = [&](std::size_t n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    if (!new_is_spared) rig.reset();
    if (!rig) rig = std::make_unique<secure_rig>(root);
    rig->run_failing(n, scenario);
  };
  attempt(never);
  rig.reset();
  const std::int64_t before = alive;
  std::size_t n = 0;
  for (failed = true; failed && n < never && !testing::Test::HasFatalFailure(); ++n)
    attempt(n);
  rig.reset();
  EXPECT_GT(n, 1U) << "nothing was tried";
  EXPECT_LT(n, never);
  EXPECT_EQ(alive, before) << "something is left behind";
}

struct out_of_memory_behind_tls : ::testing::TestWithParam<owner> {
  out_of_memory_behind_tls() { new_is_spared = GetParam() == owner::openssl; }
  ~out_of_memory_behind_tls() override {
    fails_at = -1;
    new_is_spared = false;
  }
};

TEST_P(out_of_memory_behind_tls, life_of_a_connection) {
  ASSERT_TRUE(taken_over);
  sweep(live);
}
TEST_P(out_of_memory_behind_tls, the_alert_for_one_does_not_reach_another) { sweep(break_tls); }
TEST_P(out_of_memory_behind_tls, http_where_tls_should_be) { sweep(say_http); }

// A client's attempt and life: it tells that it is over, and the program goes on.
TEST_P(out_of_memory_behind_tls, life_of_a_client) {
  spared = true;
  const authority root = authority::root();
  secure_rig server(root);
  on_loop(server.it(), [](worker&) { return spared = true; });
  client_options options;
  options.tls.ca = pem::text(root.certificate());
  options.reconnect.enabled = false;
  const std::size_t step = new_is_spared ? 7 : 1;  // OpenSSL takes memory thousands of times.
  std::size_t n = 0;
  for (failed = true; failed && n < never && !testing::Test::HasFatalFailure(); n += step) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    std::string seen;
    seen.reserve(100);
    client it("wss" + server.url().substr(2), options);
    it.on_connect([&](connection c, const handshake&) {
        seen += "connect ";
        c.send(pattern(3000));
      })
        .on_message([&](connection c, const message& m) {
          EXPECT_EQ(m.text(), pattern(3000));
          c.close();
        })
        .on_error([&](const failure&) { seen += "error "; })
        .on_close([&](close_code, std::string_view) { seen += "close "; })
        .on_disconnect([&](const disconnect&) { seen += "disconnect"; });
    std::thread runs([&] {
      failed = false;
      fails_at = static_cast<std::int64_t>(n);
      try {
        it.run_forever();
      } catch (const std::bad_alloc&) {
        seen = "thrown";
      }
      fails_at = -1;
    });
    runs.join();
    const bool as_it_should = seen == "connect close disconnect";
    const bool told = seen == "error disconnect" || seen == "connect error close disconnect";
    EXPECT_TRUE(as_it_should || (failed && (told || seen == "error " || seen == "thrown"))) << seen;
    const auto gone = [](worker& w) { return w.sessions().size() == 1; };
    ASSERT_TRUE(comes_true(server.it(), gone)) << seen;
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
  EXPECT_LT(n, never);
}

// What could not be made is said, and nobody is served without the TLS that was wanted; the next call makes it good.
TEST_P(out_of_memory_behind_tls, certificates_that_are_taken_or_refused) {
  spared = true;
  const authority root = authority::root();
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  const auto attempt = [](std::size_t n, const std::function<result<void>()>& call) {
    failed = false;
    fails_at = static_cast<std::int64_t>(n);
    spared = false;
    const errc said = to_errc(call().error());  // An exception would end the test.
    spared = true;
    fails_at = -1;
    EXPECT_TRUE(said == errc::ok || failed) << describe(said);
    return said;
  };
  std::size_t refused = 0;
  std::size_t n = 0;
  for (failed = true; failed && n < never; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    server s;
    std::string why;
    if (attempt(n, [&] { return s.use_tls(own, &why); }) != errc::ok) {
      ++refused;
      EXPECT_FALSE(s.listen("127.0.0.1:0"));
      EXPECT_TRUE(s.use_tls(own)) << "what is wrong must not stay";
    }
    EXPECT_TRUE(s.listen("127.0.0.1:0"));
  }
  EXPECT_GT(refused, 1U);
  client c("wss://127.0.0.1:1");
  for (refused = n = 0, failed = true; failed && n < never; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    std::string why;
    if (attempt(n, [&] { return c.use_tls(trust, &why); }) != errc::ok) ++refused;
  }
  EXPECT_GT(refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(of, out_of_memory_behind_tls, ::testing::Values(owner::hawser, owner::openssl),
                         [](const auto& p) { return p.param == owner::hawser ? "hawser" : "openssl"; });

// Keys and passphrases do not stay behind in memory that a client has given back.
TEST(secrets, what_a_client_has_copied_is_overwritten) {
  spared = true;
  const authority own = authority::root().issue(certificate_wish("somebody"));
  const std::string passphrase = "a passphrase that is found again";
  const std::string key = own.key(passphrase);
  const std::string in_key = key.substr(100, 60);
  client_options options;
  options.reconnect.enabled = false;
  options.tls.identity.certificate = pem::text(own.certificate());
  options.tls.identity.key = pem::text(key);
  options.tls.identity.passphrase = passphrase;
  client_options wrong = options;
  wrong.tls.ca = pem::text("nonsense");
  client_options brief = options;  // It stands within its string.
  const std::string short_one = "fourteen bytes";
  brief.tls.identity.passphrase = short_one;
  for (const std::string* const looked_for : {&passphrase, &in_key, &short_one}) {
    secret = *looked_for;
    leaked = 0;
    for (const client_options* const how : {&options, &wrong, &brief}) {
      for (const char* const url : {"wss://127.0.0.1:1", "wss://exa mple", "ws://127.0.0.1:1"}) {
        client ws(url, *how);
        EXPECT_NE(ws.run_forever(), 0);
        EXPECT_NE(ws.run_forever(), 0);
        EXPECT_FALSE(connect(url, *how));
        static_cast<void>(ws.use_tls(how->tls));
      }
    }
    EXPECT_EQ(leaked, 0) << *looked_for;
    std::make_unique<std::string>("what stays of " + *looked_for).reset();
    EXPECT_GE(leaked, 1) << "nobody looks";
    secret = {};
  }
}

using of_options = void (*)(const client_options&);
[[gnu::noinline]] void only_copy(const client_options& options) { const client_options copy = options; }
[[gnu::noinline]] void make_client(const client_options& options) { const client ws("wss://127.0.0.1:1", options); }

// Far enough down its stack that the end of its thread does not write over what is left there.
template <of_options Call>
void* far_down(void* options) {
  volatile char room[1 << 14];
  room[0] = 0;
  Call(*static_cast<const client_options*>(options));
  return room[0] == 0 ? options : nullptr;
}

// A short passphrase stands within its string, and so on the stack of who hands over options.
TEST(secrets, no_short_passphrase_stays_on_the_stack) {
  spared = true;
  client_options options;
  options.tls.identity.passphrase = "fourteen bytes";
  const std::string_view rest = std::string_view(options.tls.identity.passphrase).substr(1);
  std::vector<char> stack(1 << 20);
  pthread_attr_t on_it;
  pthread_attr_init(&on_it);
  ASSERT_EQ(pthread_attr_setstack(&on_it, stack.data(), stack.size()), 0);
  const auto rest_after = [&](void* (*call)(void*)) {
    pthread_t runs = {};
    EXPECT_EQ(pthread_create(&runs, &on_it, call, &options), 0);
    pthread_join(runs, nullptr);
    return ::memmem(stack.data(), stack.size(), rest.data(), rest.size()) != nullptr;
  };
  EXPECT_FALSE(rest_after(far_down<make_client>));
  EXPECT_TRUE(rest_after(far_down<only_copy>)) << "nobody looks";
  pthread_attr_destroy(&on_it);
}

}  // namespace
}  // namespace hawser::test
