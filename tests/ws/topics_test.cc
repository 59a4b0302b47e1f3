// Topics of a server over real sockets: what a publication costs, who gets it, and in which order.

#include "ext/deflate_kit.h"
#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/server.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

constexpr std::string_view flipped = "Sec-WebSocket-Extensions: x-flip\r\n";
constexpr unsigned marked_text = 0xC1;  // FIN, RSV1, text.

void flip(byte_span message) {
  for (std::byte& b : message)
    b ^= std::byte{1};
}

std::string flip_text(std::string text) {
  flip({reinterpret_cast<std::byte*>(text.data()), text.size()});
  return text;
}

/// Everybody subscribes to "t". "/speak" does so too, and publishes as it is told.
struct topic_server : running_server {
  explicit topic_server(server_options options = {}) : running_server(std::move(options)) {
    it().extensions().add(ext::message_extension("x-flip", rsv::one).encode(flip).decode(flip));
    it().route("/").on_connect(join);
    it().route("/speak").on_connect(join).on_message([this](connection c, const message& m) { speak(c, m); });
  }
  ~topic_server() { stop(); }

  std::unique_ptr<raw_peer> join_as(std::string_view path = "/", std::string_view extra = {}) {
    auto peer = std::make_unique<raw_peer>(at());
    EXPECT_NE(peer->upgrade(path, extra).find(" 101 "), std::string::npos);
    const std::string in = peer->frame().payload;
    EXPECT_EQ(in, extra.empty() ? "in" : flip_text("in"));
    return peer;
  }

  static void join(connection c, const handshake&) {
    EXPECT_EQ(c.subscribe("t"), errc::ok);
    EXPECT_EQ(c.send("in"), errc::ok);
  }

 private:
  // "burst 32": so many publications in one go. "server x": the server publishes. Else: the connection does.
  void speak(connection c, const message& m) {
    const std::string_view text = m.text();
    if (text.starts_with("burst ")) {
      for (int i = 0; i < std::stoi(std::string(text.substr(6))); ++i)
        EXPECT_EQ(c.publish("t", "burst " + std::to_string(i)), errc::ok);
    } else if (text.starts_with("server ")) {
      EXPECT_EQ(it().publish("t", text.substr(7)), errc::ok);
    } else {
      EXPECT_EQ(c.publish("t", m), errc::ok);
    }
  }
};

using peers = std::vector<std::unique_ptr<raw_peer>>;

// As many descriptors as a test with many connections needs; false where that is not allowed.
bool files_for(rlim_t wanted) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  if (files.rlim_cur >= wanted) return true;
  files.rlim_cur = wanted;
  return files.rlim_max >= wanted && ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

TEST(topics, a_publication_costs_one_send_for_each_subscriber) {
  if (!files_for(1200)) GTEST_SKIP() << "the limit on open files is too low";
  constexpr std::size_t many = 500;
  server_options options;
  options.max_connections = many;
  topic_server server(options);
  server.start();
  peers all;
  for (std::size_t i = 0; i < many; ++i)
    all.push_back(server.join_as());

  io_counts before = counts_of(server.it());
  ASSERT_EQ(server->publish("t", "one for all"), errc::ok);
  for (const auto& peer : all)
    ASSERT_EQ(peer->frame(), (raw_frame{0x81, "one for all"}));
  io_counts cost = since(before, server.it());
  EXPECT_EQ(cost.sends, many);
  EXPECT_EQ(cost.receives, 0U);
  EXPECT_EQ(cost.controls, 0U);

  // 32 in one batch of the loop.
  before = counts_of(server.it());
  on_loop(server.it(), [&](worker&) {
    for (int i = 0; i < 32; ++i)
      EXPECT_EQ(server->publish("t", "burst " + std::to_string(i)), errc::ok);
    return true;
  });
  for (const auto& peer : all)
    for (int i = 0; i < 32; ++i)
      ASSERT_EQ(peer->frame(), (raw_frame{0x81, "burst " + std::to_string(i)}));
  cost = since(before, server.it());
  EXPECT_EQ(cost.sends, many);
  EXPECT_EQ(cost.receives, 0U);
}

TEST(topics, a_burst_in_one_handler_costs_one_send_for_each_other_subscriber) {
  topic_server server;
  server.start();
  const auto speaker = server.join_as("/speak");
  peers others;
  for (int i = 0; i < 8; ++i)
    others.push_back(server.join_as());
  const io_counts before = counts_of(server.it());
  speaker->text("burst 32");
  for (const auto& peer : others)
    for (int i = 0; i < 32; ++i)
      ASSERT_EQ(peer->frame(), (raw_frame{0x81, "burst " + std::to_string(i)}));
  const io_counts cost = since(before, server.it());
  EXPECT_EQ(cost.sends, others.size());
  EXPECT_EQ(cost.receives, 1U);
}

// Several topics at once still cost one send, also for one that hears only some of them.
TEST(topics, publications_of_several_topics_cost_one_send_for_each_subscriber) {
  running_server server;
  server->route("/both").on_connect([](connection c, const handshake&) {
    c.subscribe("a");
    c.subscribe("b");
    c.subscribe("silent");
    c.send("in");
  });
  server->route("/one").on_connect([](connection c, const handshake&) {
    c.subscribe("b");
    c.send("in");
  });
  server.start();
  raw_peer both(server.at());
  both.upgrade("/both");
  EXPECT_EQ(both.frame().payload, "in");
  raw_peer one(server.at());
  one.upgrade("/one");
  EXPECT_EQ(one.frame().payload, "in");
  const io_counts before = counts_of(server.it());
  on_loop(server.it(), [&](worker&) {
    for (const char* topic : {"a", "b", "a", "b"})
      EXPECT_EQ(server->publish(topic, topic), errc::ok);
    return true;
  });
  for (const char* expected : {"a", "a", "b", "b"})
    EXPECT_EQ(both.frame().payload, expected);
  for (const char* expected : {"b", "b"})
    EXPECT_EQ(one.frame().payload, expected);
  EXPECT_EQ(since(before, server.it()).sends, 2U);
}

// Subscribers with stages cannot share the plain frames, but get the same messages in the same order.
TEST(topics, subscribers_with_an_extension_get_the_same_messages_encoded) {
  topic_server server;
  server.start();
  const auto plain = server.join_as();
  const auto staged = server.join_as("/", flipped);
  const auto speaker = server.join_as("/speak", flipped);
  std::vector<std::string> expected;
  on_loop(server.it(), [&](worker&) {
    // Short ones that lie together, and long ones that outgrow what a batch has room for.
    for (const std::size_t size : {0U, 1U, 125U, 126U, 5000U, 70'000U, 3U}) {
      expected.push_back(std::string(size, static_cast<char>('a' + expected.size())));
      EXPECT_EQ(server->publish("t", expected.back()), errc::ok);
    }
    return true;
  });
  for (const std::string& text : expected) {
    SCOPED_TRACE(text.size());
    ASSERT_EQ(plain->frame(), (raw_frame{0x81, text}));
    ASSERT_EQ(staged->frame(), (raw_frame{marked_text, flip_text(text)}));
    ASSERT_EQ(speaker->frame(), (raw_frame{marked_text, flip_text(text)}));
  }
  // A message that came encoded is published decoded.
  speaker->out().frame(marked_text, flip_text("from a staged one"));
  speaker->flush();
  EXPECT_EQ(plain->frame(), (raw_frame{0x81, "from a staged one"}));
  EXPECT_EQ(staged->frame(), (raw_frame{marked_text, flip_text("from a staged one")}));
}

/// A topic server that compresses everything, each message alone.
struct compressing_server : topic_server {
  static ext::deflate_options how() {
    ext::deflate_options o(ext::deflate_preset::low_memory);
    o.threshold = 0;
    return o;
  }
  compressing_server() { it().extensions().add(ext::deflate(how())); }

  std::unique_ptr<raw_peer> join_compressing() {
    auto peer = std::make_unique<raw_peer>(at());
    EXPECT_NE(peer->upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n").find(" 101 "), std::string::npos);
    EXPECT_EQ(peer->frame().first, marked_text);
    return peer;
  }
};

std::string decompressed(const raw_frame& f) {
  if (f.first != marked_text) return "not compressed";
  return decompressed_by(*ext::detail::decompressor::make(15), f.payload).text;
}

// What is published is compressed once for all who agreed on the same: what is made of it waits with the loop.
TEST(topics, what_is_published_is_compressed_once) {
  compressing_server server;
  server.start();
  const auto plain = server.join_as();
  std::vector<std::unique_ptr<raw_peer>> compressing;
  for (int i = 0; i < 20; ++i)
    compressing.push_back(server.join_compressing());
  const auto kept = [&] { return on_loop(server.it(), [](worker& w) { return w.resources().lent().bytes(); }); };
  const ext::deflate_options how = server.how();
  const ext::detail::codec_config once{ext::detail::engine::zlib, static_cast<std::uint8_t>(how.level),
                                       static_cast<std::uint8_t>(how.memory_level),
                                       static_cast<std::uint8_t>(how.server_max_window_bits), true};
  const std::size_t before = kept();
  const std::string text = R"({"published":"to all who are here, and to all of them the same"})";
  on_loop(server.it(), [&](worker&) {
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(server->publish("t", text + std::to_string(i)), errc::ok);
    return true;
  });
  for (int i = 0; i < 5; ++i) {
    const raw_frame first = compressing[0]->frame();
    EXPECT_EQ(decompressed(first), text + std::to_string(i));
    for (std::size_t peer = 1; peer < compressing.size(); ++peer)
      EXPECT_EQ(compressing[peer]->frame(), first);
    EXPECT_EQ(plain->frame(), (raw_frame{0x81, text + std::to_string(i)}));
  }
  EXPECT_EQ(kept() - before, ext::detail::compressor_bytes(once)) << "one that repeats, for all of them";
}

TEST(topics, a_publication_has_wishes_of_its_own) {
  compressing_server server;
  server.start();
  const auto plain = server.join_as();
  const auto compressing = server.join_compressing();
  const auto publish = [&] {
    for (const char* text : {"one", "two"}) {
      EXPECT_EQ(server->publish("t", text, {.compress = false}), errc::ok);
      EXPECT_EQ(server->publish("t", text), errc::ok);
    }
    return true;
  };
  on_loop(server.it(), [&](worker&) { return publish(); });  // In one batch,
  publish();                                                 // and from elsewhere.
  for (int round = 0; round < 2; ++round) {
    for (const char* text : {"one", "two"}) {
      EXPECT_EQ(compressing->frame(), (raw_frame{0x81, text}));
      EXPECT_EQ(decompressed(compressing->frame()), text);
      EXPECT_EQ(plain->frame(), (raw_frame{0x81, text}));
      EXPECT_EQ(plain->frame(), (raw_frame{0x81, text}));
    }
  }
}

// A batch ends where the wishes change: nothing was outgrown, and each gets a buffer as small as a first one.
TEST(topics, publications_with_changing_wishes_take_small_buffers) {
  compressing_server server;
  server.start();
  const auto compressing = server.join_compressing();
  const std::size_t used = on_loop(server.it(), [&](worker& w) {
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(server->publish("t", "short", {.compress = i % 2 == 0}), errc::ok);
    return w.resources().pool().used_bytes();
  });
  EXPECT_GT(used, 4096U);
  EXPECT_LT(used, 16'384U);
}

TEST(topics, a_connection_does_not_hear_itself_but_hears_the_server) {
  topic_server server;
  server.start();
  const auto speaker = server.join_as("/speak");
  const auto staged_speaker = server.join_as("/speak", flipped);
  const auto other = server.join_as();
  speaker->text("mine").text("server ours");
  EXPECT_EQ(speaker->frame().payload, "ours") << "its own one is left out, the server's is not";
  EXPECT_EQ(staged_speaker->frame().payload, flip_text("mine"));
  EXPECT_EQ(staged_speaker->frame().payload, flip_text("ours"));
  EXPECT_EQ(other->frame().payload, "mine");
  EXPECT_EQ(other->frame().payload, "ours");
  // The same with both in one read, and from the one with the extension.
  staged_speaker->out().text("a").text("server b").text("c").text("server d");
  staged_speaker->flush();
  EXPECT_EQ(staged_speaker->frame().payload, flip_text("b"));
  EXPECT_EQ(staged_speaker->frame().payload, flip_text("d"));
  for (const char* expected : {"a", "b", "c", "d"}) {
    EXPECT_EQ(speaker->frame().payload, expected);
    EXPECT_EQ(other->frame().payload, expected);
  }
}

TEST(topics, direct_sends_and_publications_arrive_in_the_order_of_the_calls) {
  for (const std::string_view extra : {std::string_view(), flipped}) {
    SCOPED_TRACE(extra);
    topic_server server;
    std::vector<connection> listeners;  // Of the loop's thread.
    server->route("/listen").on_connect([&](connection c, const handshake& h) {
      listeners.push_back(c);
      topic_server::join(c, h);
    });
    server->route("/mixed").on_message([&](connection c, const message&) {
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(c.publish("t", "published " + std::to_string(i)), errc::ok);
        for (const connection& to : listeners)
          EXPECT_EQ(to.send("sent " + std::to_string(i)), errc::ok);
      }
      EXPECT_EQ(server->publish("t", "last"), errc::ok);
    });
    server.start();
    const auto one = server.join_as("/listen", extra);
    const auto two = server.join_as("/listen", extra);
    raw_peer mixer(server.at());
    mixer.upgrade("/mixed");
    mixer.text("go");
    const auto hear = [&](raw_peer& peer) {
      const std::string heard = peer.frame().payload;
      return extra.empty() ? heard : flip_text(heard);
    };
    for (raw_peer* peer : {one.get(), two.get()}) {
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(hear(*peer), "published " + std::to_string(i));
        EXPECT_EQ(hear(*peer), "sent " + std::to_string(i));
      }
      EXPECT_EQ(hear(*peer), "last");
    }
  }
}

// Frames that are shared keep the limit on outgoing frames all the same.
TEST(topics, long_publications_are_cut_into_frames_of_the_limit) {
  server_options options;
  options.bounds.max_outgoing_frame = 10;
  topic_server server(options);
  server.start();
  const auto peer = server.join_as();
  ASSERT_EQ(server->publish("t", "twenty-five bytes of text"), errc::ok);
  ASSERT_EQ(server->publish("t", "short"), errc::ok);
  EXPECT_EQ(peer->frame(), (raw_frame{0x01, "twenty-fiv"}));
  EXPECT_EQ(peer->frame(), (raw_frame{0x00, "e bytes of"}));
  EXPECT_EQ(peer->frame(), (raw_frame{0x80, " text"}));
  EXPECT_EQ(peer->frame(), (raw_frame{0x81, "short"}));
}

// Who joins hears what comes afterwards, who leaves what came before, also within one batch.
TEST(topics, joining_and_leaving_between_publications_cuts_where_it_stands) {
  topic_server server;
  server->route("/late").on_message([&](connection c, const message&) {
    EXPECT_EQ(server->publish("t", "too early"), errc::ok);
    EXPECT_EQ(c.subscribe("t"), errc::ok);
    EXPECT_EQ(c.subscribe("t"), errc::ok) << "twice is once";
    EXPECT_EQ(server->publish("t", "heard"), errc::ok);
    EXPECT_EQ(c.unsubscribe("t"), errc::ok);
    EXPECT_EQ(server->publish("t", "too late"), errc::ok);
    EXPECT_EQ(c.send("end"), errc::ok);
  });
  server.start();
  const auto always = server.join_as();
  raw_peer late(server.at());
  late.upgrade("/late");
  late.text("go");
  EXPECT_EQ(late.frame().payload, "heard");
  EXPECT_EQ(late.frame().payload, "end");
  for (const char* expected : {"too early", "heard", "too late"})
    EXPECT_EQ(always->frame().payload, expected);
}

// A connection whose topics are chosen by its peer costs a bounded amount, unless the owner asks for more.
TEST(topics, a_connection_joins_no_more_topics_than_the_limit) {
  const auto name = [](int i) { return "topic " + std::to_string(i); };
  running_server server;
  server->route("/").on_message([&](connection c, const message&) {
    for (int i = 0; i < 128; ++i)
      EXPECT_EQ(c.subscribe(name(i)), errc::ok);
    EXPECT_EQ(c.subscribe(name(128)), errc::too_many_subscriptions);
    EXPECT_EQ(c.subscribe(name(127)), errc::ok) << "it is there already";
    EXPECT_EQ(c.unsubscribe(name(5)), errc::ok);
    EXPECT_EQ(c.subscribe(name(128)), errc::ok);
    EXPECT_EQ(c.subscribe(name(5)), errc::too_many_subscriptions);
    EXPECT_EQ(server->publish(name(5), "of the one that it left"), errc::ok);
    EXPECT_EQ(server->publish(name(128), "of the last one"), errc::ok);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.text("go");
  EXPECT_EQ(peer.frame().payload, "of the last one");
}

TEST(topics, the_name_of_a_topic_has_1_to_255_bytes) {
  const std::string longest(255, 'n');
  running_server server;
  server->route("/").on_message([&](connection c, const message&) {
    for (const std::string& bad : {std::string(), longest + 'n'}) {
      EXPECT_EQ(c.subscribe(bad), errc::invalid_argument);
      EXPECT_EQ(c.unsubscribe(bad), errc::invalid_argument);
      EXPECT_EQ(c.publish(bad, "x"), errc::invalid_argument);
      EXPECT_EQ(server->publish(bad, "x"), errc::invalid_argument);
    }
    EXPECT_EQ(c.subscribe(longest), errc::ok);
    EXPECT_EQ(server->publish(longest, "long"), errc::ok);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.text("go");
  EXPECT_EQ(peer.frame().payload, "long");
}

// Joining and leaving in any order, compared with sets: whoever is in hears it, and nobody else.
TEST(topics, who_joined_and_left_at_random_is_known_exactly) {
  constexpr std::size_t listeners = 6;
  constexpr std::size_t topics = 9;
  const auto name = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i)); };
  std::vector<connection> all;  // Of the loop's thread.
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake&) {
    all.push_back(c);
    c.send("in");
  });
  server.start();
  peers others;
  for (std::size_t i = 0; i < listeners; ++i) {
    others.push_back(std::make_unique<raw_peer>(server.at()));
    others.back()->upgrade();
    ASSERT_EQ(others.back()->frame().payload, "in");
  }
  std::minstd_rand random(71);  // NOLINT(cert-msc32-c): the same in every run
  std::vector<std::set<std::size_t>> joined(listeners);
  for (int round = 0; round < 60; ++round) {
    on_loop(server.it(), [&](worker&) {
      for (int i = 0; i < 10; ++i) {
        const std::size_t who = random() % listeners;
        const std::size_t topic = random() % topics;
        if (random() % 2 != 0) {
          EXPECT_EQ(all[who].subscribe(name(topic)), errc::ok);
          joined[who].insert(topic);
        } else {
          EXPECT_EQ(all[who].unsubscribe(name(topic)), errc::ok);
          joined[who].erase(topic);
        }
      }
      return true;
    });
    for (std::size_t topic = 0; topic < topics; ++topic)
      ASSERT_EQ(server->publish(name(topic), name(topic)), errc::ok);
    for (std::size_t who = 0; who < listeners; ++who) {
      ASSERT_EQ(on_loop(server.it(), [&](worker&) { return all[who].send("end"); }), errc::ok);
      std::multiset<std::string> heard;
      for (std::string m = others[who]->frame().payload; m != "end" && !m.empty(); m = others[who]->frame().payload)
        heard.insert(m);
      std::multiset<std::string> expected;
      for (const std::size_t topic : joined[who])
        expected.insert(name(topic));
      ASSERT_EQ(heard, expected) << "round " << round << ", peer " << who;
    }
  }
}

// As many as no search could be done for each: the peers' patience would be over.
TEST(topics, leaving_very_many_topics_at_once_takes_no_search_for_each) {
  constexpr std::size_t many = 100'000;
  server_options options;
  options.bounds.max_subscriptions = many;
  std::atomic<int> open{0};
  running_server server(options);
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        for (std::size_t i = 0; i < many; ++i)
          c.subscribe("topic " + std::to_string(i));
        ++open;
        c.send("in");
      })
      .on_close([&](connection, close_code, std::string_view) { --open; });
  server.start();
  raw_peer one(server.at());
  one.upgrade();
  EXPECT_EQ(one.frame().payload, "in");
  raw_peer two(server.at());
  two.upgrade();
  EXPECT_EQ(two.frame().payload, "in");
  one.reset();
  two.reset();
  EXPECT_TRUE(comes_true(server.it(), [&](worker& w) { return open == 0 && w.sessions().empty(); }));
}

}  // namespace
}  // namespace hawser::test
