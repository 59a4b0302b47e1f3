#include "net/resolver.h"

#include "support/resolver_stand_in.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

using net::address;
using net::lookup;
using net::loop;
using namespace std::chrono_literals;
using answer = result<std::vector<address>>;

std::unique_ptr<loop> make_loop() { return std::move(loop::create()).value(); }

// Runs until `done`; false when the watchdog bites.
bool run_until(loop& l, const std::function<bool()>& done) {
  const tick watchdog = l.refresh_now() + 20s;
  while (!done() && l.now() < watchdog)
    l.run_once(watchdog);
  return done();
}

std::vector<std::string> texts(const answer& a) {
  std::vector<std::string> all;
  for (const address& each : *a)
    all.push_back(each.text());
  return all;
}

struct asked {
  std::unique_ptr<answer> got;
  std::unique_ptr<lookup> under_way;
};

std::unique_ptr<asked> ask(loop& l, const std::string& host, std::uint16_t port = 80) {
  auto made = std::make_unique<asked>();
  made->under_way = std::make_unique<lookup>(l, host, port, [&l, to = made.get()](answer a) {
    EXPECT_TRUE(l.on_own_thread());
    EXPECT_EQ(loop::current(), &l);
    EXPECT_EQ(to->got, nullptr) << "answered twice";
    to->got = std::make_unique<answer>(std::move(a));
  });
  EXPECT_EQ(made->got, nullptr) << "answered within the call";
  return made;
}

TEST(resolver, literals_and_localhost_are_answered_without_asking) {
  resolver_stand_in system([](const std::string&, std::uint16_t) -> answer {
    ADD_FAILURE() << "asked";
    return errc::name_not_found;
  });
  auto l = make_loop();
  const struct {
    const char* host;
    std::vector<std::string> expected;
  } cases[] = {{"127.0.0.1", {"127.0.0.1:80"}},
               {"::1", {"[::1]:80"}},
               {"fe80::1%1", {"[fe80::1%1]:80"}},
               {"localhost", {"127.0.0.1:80", "[::1]:80"}},
               {"LocalHost.", {"127.0.0.1:80", "[::1]:80"}},
               {"service.localhost", {"127.0.0.1:80", "[::1]:80"}}};
  for (const auto& c : cases) {
    const auto a = ask(*l, c.host);
    ASSERT_TRUE(run_until(*l, [&] { return a->got != nullptr; })) << c.host;
    EXPECT_EQ(texts(*a->got), c.expected);
  }
}

TEST(resolver, what_cannot_be_a_name_is_not_asked_for) {
  resolver_stand_in system([](const std::string&, std::uint16_t) -> answer {
    ADD_FAILURE() << "asked";
    return errc::name_not_found;
  });
  auto l = make_loop();
  for (const std::string& host : {std::string(), std::string("a\0b", 3), std::string(255, 'x')}) {
    const auto a = ask(*l, host);
    ASSERT_TRUE(run_until(*l, [&] { return a->got != nullptr; }));
    EXPECT_EQ(a->got->error(), errc::name_not_found);
  }
}

TEST(resolver, asks_the_system_for_a_name_with_its_port_in_its_order) {
  resolver_stand_in system([](const std::string& host, std::uint16_t port) -> answer {
    EXPECT_EQ(host, "hawser.test");
    return std::vector{address::ip("192.0.2.1", port).value(), address::ip("2001:db8::1", port).value()};
  });
  auto l = make_loop();
  const auto a = ask(*l, "hawser.test", 9001);
  ASSERT_TRUE(run_until(*l, [&] { return a->got != nullptr; }));
  EXPECT_EQ(texts(*a->got), (std::vector<std::string>{"192.0.2.1:9001", "[2001:db8::1]:9001"}));
}

// The system's own resolver, without a network: RFC 6761, 6.4 keeps .invalid from ever being found.
TEST(resolver, a_name_that_does_not_exist_is_not_found) {
  auto l = make_loop();
  const auto a = ask(*l, "hawser.invalid");
  ASSERT_TRUE(run_until(*l, [&] { return a->got != nullptr; }));
  EXPECT_EQ(a->got->error(), errc::name_not_found);
}

TEST(resolver, a_resolver_that_throws_is_an_error) {
  resolver_stand_in system([](const std::string&, std::uint16_t) -> answer { throw std::bad_alloc(); });
  auto l = make_loop();
  const auto a = ask(*l, "hawser.test");
  ASSERT_TRUE(run_until(*l, [&] { return a->got != nullptr; }));
  EXPECT_EQ(a->got->error(), errc::out_of_resources);
}

TEST(resolver, a_resolver_that_never_answers_holds_up_nobody) {
  latched_resolver system;
  auto l = make_loop();
  std::vector<std::unique_ptr<asked>> stuck;
  for (std::size_t i = 0; i + 1 < lookup::max_asking; ++i)
    stuck.push_back(ask(*l, "stuck.test"));
  system.wait_for_asking(stuck.size());
  // The loop goes on, and so do other names.
  bool posted = false;
  l->post([&] { posted = true; });
  const auto literal = ask(*l, "127.0.0.1");
  const auto quick = ask(*l, "quick.test");
  EXPECT_TRUE(run_until(*l, [&] { return posted && literal->got && quick->got; }));
  for (const auto& s : stuck)
    EXPECT_EQ(s->got, nullptr);
  system.let_go();
  EXPECT_TRUE(run_until(*l, [&] { return stuck.back()->got != nullptr; }));
}

TEST(resolver, more_than_may_ask_wait_in_a_line_and_the_line_is_bounded) {
  latched_resolver system;
  auto l = make_loop();
  std::vector<std::unique_ptr<asked>> all;
  for (std::size_t i = 0; i < lookup::max_asking + lookup::max_waiting; ++i)
    all.push_back(ask(*l, "stuck.test"));
  system.wait_for_asking(lookup::max_asking);
  const auto too_many = ask(*l, "quick.test");
  ASSERT_TRUE(run_until(*l, [&] { return too_many->got != nullptr; }));
  EXPECT_EQ(too_many->got->error(), errc::out_of_resources);
  EXPECT_EQ(system.asking(), lookup::max_asking) << "no thread more";
  // Half of them lose interest: they are not even asked for.
  for (std::size_t i = lookup::max_asking; i < all.size(); i += 2)
    all[i].reset();
  system.let_go();
  std::size_t answered = 0;
  EXPECT_TRUE(run_until(*l, [&] {
    answered = 0;
    for (const auto& a : all)
      answered += a && a->got ? 1U : 0U;
    return answered == lookup::max_asking + lookup::max_waiting / 2;
  })) << answered;
  EXPECT_EQ(system.asked(), lookup::max_asking + lookup::max_waiting / 2);
}

// H2: destroyed before the answer, after it was posted, and with the loop gone altogether.
TEST(resolver, nothing_is_heard_after_its_end) {
  latched_resolver system;
  auto l = make_loop();
  auto early = ask(*l, "stuck.test");
  auto late = ask(*l, "stuck.test");
  auto known = ask(*l, "127.0.0.1");
  system.wait_for_asking(2);
  early->under_way.reset();
  known->under_way.reset();  // Its answer is in the queue already.
  l->run_once(l->now());
  late->under_way.reset();
  l.reset();
  system.let_go();
  system.wait_until_all_returned();
  EXPECT_EQ(early->got, nullptr);
  EXPECT_EQ(late->got, nullptr);
  EXPECT_EQ(known->got, nullptr);
}

TEST(resolver, may_be_destroyed_from_its_own_answer) {
  auto l = make_loop();
  std::unique_ptr<lookup> self;
  int answers = 0;
  self = std::make_unique<lookup>(*l, "127.0.0.1", std::uint16_t{1}, [&](const answer&) {
    self.reset();
    ++answers;
  });
  ASSERT_TRUE(run_until(*l, [&] { return answers != 0; }));
  l->run_once(l->now());
  EXPECT_EQ(answers, 1);
}

// Lookups come and go while others are answered on their threads.
TEST(resolver, many_at_once_and_half_of_them_cancelled) {
  resolver_stand_in system([](const std::string& host, std::uint16_t port) -> answer {
    if (host.size() % 3 == 0) return errc::name_not_found;
    return std::vector{address::ip("192.0.2.1", port).value()};
  });
  auto l = make_loop();
  std::vector<std::unique_ptr<asked>> all;
  for (std::size_t i = 0; i < 500; ++i) {
    all.push_back(ask(*l, std::string(1 + i % 50, 'a') + ".test"));
    if (i % 2 == 0) all[i / 2]->under_way.reset();
    if (i % 10 == 0) l->run_once(l->now());
  }
  EXPECT_TRUE(run_until(*l, [&] {
    for (const auto& a : all)
      if (a->under_way && !a->got) return false;
    return true;
  }));
}

}  // namespace
}  // namespace hawser::test
