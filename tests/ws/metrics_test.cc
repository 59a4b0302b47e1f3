// What is counted and measured over all connections and loops: histograms, sums, and their text for Prometheus.

#include "support/seeded_random.h"
#include "ws/on_loop.h"
#include "ws/running_server.h"
#include "ws/timings_kit.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/metrics.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace hawser::test {
namespace {

constexpr ticks ns(std::uint64_t n) { return ticks(static_cast<ticks::rep>(n)); }

// ---- histogram

TEST(histogram, a_quantile_is_never_too_low_and_at_most_an_eighth_too_high) {
  std::vector<std::uint64_t> spans;
  for (unsigned power = 0; power < 37; ++power)
    for (const std::uint64_t by : {0U, 1U, 2U, 3U, 5U, 7U})
      spans.push_back((std::uint64_t{1} << power) + by * (std::uint64_t{1} << power) / 8);
  for (const std::uint64_t n : spans) {
    for (const std::uint64_t near : {n - 1, n, n + 1}) {
      histogram h;
      h.record(ns(near));
      const auto found = static_cast<std::uint64_t>(h.quantile(0.5).count());
      EXPECT_GE(found, near);
      EXPECT_LE(found, near + near / 8 + 1);
    }
  }
}

TEST(histogram, counts_and_sums_what_was_recorded) {
  histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.quantile(0.99), ticks{});
  for (std::uint64_t i = 1; i <= 1000; ++i)
    h.record(ns(i * 1000));
  EXPECT_EQ(h.count(), 1000U);
  EXPECT_EQ(h.sum(), ns(500'500'000));
  EXPECT_NEAR(static_cast<double>(h.quantile(0.5).count()), 500'000, 500'000 / 8.0);
  EXPECT_NEAR(static_cast<double>(h.quantile(0.99).count()), 990'000, 990'000 / 8.0);
  EXPECT_GE(h.quantile(1), ns(1'000'000));
  EXPECT_LE(h.quantile(0), ns(1125));
}

TEST(histogram, knows_exactly_how_many_are_at_most_a_power_of_two) {
  for (unsigned power = 0; power < 38; ++power) {
    const std::uint64_t n = std::uint64_t{1} << power;
    histogram h;
    h.record(ns(n));
    EXPECT_EQ(h.at_most(ns(n)), 1U) << power;
    EXPECT_EQ(h.at_most(ns(n - 1)), 0U) << power;
    h.record(ns(n + 1));
    EXPECT_EQ(h.at_most(ns(n)), 1U) << power;
  }
}

TEST(histogram, takes_any_span) {
  histogram h;
  h.record(ticks::min());
  h.record(ticks(-1));
  h.record(ticks{});
  EXPECT_EQ(h.at_most(ns(1)), 3U);
  EXPECT_EQ(h.sum(), ticks{});
  h.record(ticks::max());
  EXPECT_EQ(h.count(), 4U);
  EXPECT_GT(h.quantile(1), 270s);
  EXPECT_EQ(h.at_most(ticks(-1)), 0U);
}

TEST(histogram, merged_is_as_if_recorded_in_one) {
  seeded_random random(1);
  histogram parts[3];
  histogram all;
  for (int i = 0; i < 1000; ++i) {
    const ticks span = ns(random.next() >> (random.next() % 64));
    parts[i % 3].record(span);
    all.record(span);
  }
  histogram merged;
  for (const histogram& part : parts)
    merged.merge(part);
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.sum(), all.sum());
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99, 1.0})
    EXPECT_EQ(merged.quantile(share), all.quantile(share));
}

// ---- Prometheus' text

/// Reads exposition format 0.0.4 as strictly as its specification has it, and keeps the samples.
struct exposition_reader {
  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;  // By name and labels.

  explicit exposition_reader(const std::string& text) {
    EXPECT_TRUE(text.ends_with('\n'));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      read(line);
    for (const auto& [name, type] : types)
      if (type == "histogram") check_histogram(name);
  }

 private:
  void read(const std::string& line) {
    static const std::regex help(R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .+)");
    static const std::regex type(R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram))");
    static const std::regex sample(
        R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? ([0-9]+(\.[0-9]+)?))");
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      EXPECT_TRUE(helped.insert(found[1]).second) << "twice: " << line;
    } else if (std::regex_match(line, found, type)) {
      EXPECT_TRUE(helped.contains(found[1])) << line;
      EXPECT_TRUE(types.emplace(found[1], found[2]).second) << "twice: " << line;
      current = found[1];
    } else if (std::regex_match(line, found, sample)) {
      std::string name = found[1];
      if (types[current] == "histogram")
        name = std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
      else
        EXPECT_EQ(types[current] == "counter", name.ends_with("_total")) << line;
      EXPECT_EQ(name, current) << "samples stand behind their family's type";
      EXPECT_TRUE(name.starts_with("hawser_")) << line;
      EXPECT_TRUE(samples.emplace(found[1].str() + found[2].str(), std::stod(found[4])).second) << "twice: " << line;
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }

  // Buckets grow with their bounds, and the last one is the count.
  void check_histogram(const std::string& name) {
    std::map<std::string, std::map<double, double>> series;
    const std::regex bucket(name + R"re(_bucket\{(.*),le="([^"]+)"\})re");
    for (const auto& [key, value] : samples) {
      std::smatch found;
      if (std::regex_match(key, found, bucket))
        series[found[1]][found[2] == "+Inf" ? INFINITY : std::stod(found[2])] = value;
    }
    EXPECT_FALSE(series.empty());
    for (const auto& [labels, buckets] : series) {
      double before = 0;
      for (const auto& [bound, value] : buckets) {
        EXPECT_GE(value, before) << name << labels;
        before = value;
      }
      EXPECT_EQ(buckets.rbegin()->first, INFINITY);
      EXPECT_EQ(before, samples.at(name + "_count{" + labels + "}"));
      EXPECT_TRUE(samples.contains(name + "_sum{" + labels + "}"));
    }
  }

  std::set<std::string> helped;
  std::string current;
};

TEST(prometheus, text_has_every_count) {
  metrics m;
  m.connections = 3;
  m.opened = 10;
  m.not_opened = 2;
  m.closed = {4, 0, 1, 2, 0, 0, 0, 0};
  m.messages_received = 100;
  m.messages_sent = 200;
  m.bytes_received = 12'345'678'901'234;
  m.bytes_sent = 5;
  const std::string text = m.prometheus();
  const exposition_reader read(text);
  EXPECT_EQ(read.samples.at("hawser_connections"), 3);
  EXPECT_EQ(read.samples.at("hawser_connections_opened_total"), 10);
  EXPECT_EQ(read.samples.at("hawser_connections_not_opened_total"), 2);
  EXPECT_EQ(read.samples.at("hawser_connections_closed_total{reason=\"clean\"}"), 4);
  EXPECT_EQ(read.samples.at("hawser_connections_closed_total{reason=\"peer\"}"), 1);
  EXPECT_EQ(read.samples.at("hawser_connections_closed_total{reason=\"transport\"}"), 2);
  EXPECT_EQ(read.samples.at("hawser_messages_received_total"), 100);
  EXPECT_EQ(read.samples.at("hawser_messages_sent_total"), 200);
  EXPECT_EQ(read.samples.at("hawser_received_bytes_total"), 12'345'678'901'234);
  EXPECT_EQ(read.samples.at("hawser_sent_bytes_total"), 5);
  EXPECT_EQ(text.find("seconds"), std::string::npos) << "what was not measured is absent";
}

TEST(prometheus, text_has_every_part_in_seconds) {
  metrics m;
  m.times.emplace();
  m.times->receive.confirm.record(1ms);
  m.times->receive.confirm.record(2500ms);
  m.times->error.recover.record(400s);
  const exposition_reader read(m.prometheus());
  for (const char* part : {"connect_seconds_count{part=\"names\"}", "connect_seconds_count{part=\"tcp\"}",
                           "connect_seconds_count{part=\"request\"}", "connect_seconds_count{part=\"response\"}",
                           "connect_seconds_count{part=\"acknowledge\"}", "receive_seconds_count{part=\"receive\"}",
                           "receive_seconds_count{part=\"prepare\"}", "receive_seconds_count{part=\"confirm\"}",
                           "send_seconds_count{part=\"prepare\"}", "send_seconds_count{part=\"send\"}",
                           "error_seconds_count{part=\"detect\"}", "error_seconds_count{part=\"handle\"}",
                           "error_seconds_count{part=\"recover\"}"})
    EXPECT_TRUE(read.samples.contains(std::string("hawser_") + part)) << part;
  EXPECT_EQ(read.samples.at("hawser_receive_seconds_count{part=\"confirm\"}"), 2);
  EXPECT_EQ(read.samples.at("hawser_receive_seconds_sum{part=\"confirm\"}"), 2.501);
  EXPECT_EQ(read.samples.at("hawser_receive_seconds_bucket{part=\"confirm\",le=\"0.000262144\"}"), 0);
  EXPECT_EQ(read.samples.at("hawser_receive_seconds_bucket{part=\"confirm\",le=\"0.001048576\"}"), 1);
  EXPECT_EQ(read.samples.at("hawser_receive_seconds_bucket{part=\"confirm\",le=\"4.294967296\"}"), 2);
  EXPECT_EQ(read.samples.at("hawser_error_seconds_bucket{part=\"recover\",le=\"68.719476736\"}"), 0);
  EXPECT_EQ(read.samples.at("hawser_error_seconds_bucket{part=\"recover\",le=\"+Inf\"}"), 1);
}

// ---- one loop, to the nanosecond

TEST(metrics, of_a_loop_hold_what_its_connections_measured) {
  timed_loop l;
  l.handlers.message = [&](connection c, const message& m) {
    l.clock.advance(4ms);
    EXPECT_EQ(c.send(m), errc::ok);
  };
  const auto [a, a_peer] = l.open();
  const auto [b, b_peer] = l.open();
  l.put(a_peer, text_frame("x"));
  l.put(b_peer, text_frame("y") + text_frame("z"));
  l.driver().hang_up(a_peer, true);
  l.turn();
  const metrics m = l.work.collect();
  EXPECT_EQ(m.connections, 1U);
  EXPECT_EQ(m.opened, 2U);
  EXPECT_EQ(m.not_opened, 0U);
  EXPECT_EQ(m.closed[static_cast<std::size_t>(fault::transport)], 1U);
  EXPECT_EQ(m.closed[0], 0U);
  EXPECT_EQ(m.messages_received, 3U) << "those of the connection that is gone included";
  EXPECT_EQ(m.messages_sent, 3U);
  EXPECT_EQ(m.bytes_received, 3 * (6 + 1U));
  EXPECT_EQ(m.bytes_sent, 2 * the_response.size() + 3 * (2 + 1));
  ASSERT_TRUE(m.times);
  EXPECT_EQ(m.times->connect.request.count(), 2U);
  EXPECT_EQ(m.times->connect.response.count(), 2U);
  EXPECT_EQ(m.times->connect.acknowledge.count(), 0U);
  EXPECT_EQ(m.times->receive.confirm.count(), 2U) << "one a turn";
  EXPECT_EQ(m.times->receive.confirm.sum(), 8ms);
  EXPECT_EQ(m.times->receive.prepare.sum(), 0ms);
  EXPECT_EQ(m.times->send.prepare.sum(), 4ms + 8ms);
  EXPECT_EQ(m.times->send.send.count(), 2U);
  EXPECT_EQ(m.times->error.detect.count(), 1U);
  EXPECT_EQ(m.times->error.handle.count(), 1U);
  EXPECT_EQ(m.times->error.recover.count(), 0U);
}

TEST(metrics, are_counted_without_timings_too) {
  timed_loop l(false);
  const auto [s, peer] = l.open();
  l.put(peer, text_frame("hello"));
  l.put(peer, text_of(frame_writer(role::client).close(1000).take()));
  l.driver().hang_up(peer, false);
  l.turn();
  const metrics m = l.work.collect();
  EXPECT_EQ(m.connections, 0U);
  EXPECT_EQ(m.opened, 1U);
  EXPECT_EQ(m.closed[0], 1U);
  EXPECT_EQ(m.messages_received, 1U);
  EXPECT_FALSE(m.times);
}

TEST(metrics, count_openings_that_came_to_nothing) {
  timed_loop l(false);
  const auto [s, peer] = l.accept();
  l.driver().hang_up(peer, false);
  l.turn();
  const metrics m = l.work.collect();
  EXPECT_EQ(m.opened, 0U);
  EXPECT_EQ(m.not_opened, 1U);
}

// What has just ended is still there to the end of the batch, and counted already.
TEST(metrics, count_a_connection_once_in_the_batch_of_its_end) {
  timed_loop l(false);
  const auto [a, a_peer] = l.open();
  const auto [b, b_peer] = l.open();
  l.put(a_peer, text_frame("x"));
  l.put(b_peer, text_frame("y"));
  l.driver().hang_up(a_peer, true);
  std::optional<metrics> m;
  l.loop->post([&] { m = l.work.collect(); });
  l.loop->run_once(l.loop->now());
  ASSERT_TRUE(m);
  EXPECT_EQ(m->closed[static_cast<std::size_t>(fault::transport)], 1U) << "not of that batch: this shows nothing";
  EXPECT_EQ(m->connections, 1U);
  EXPECT_EQ(m->messages_received, 2U);
  EXPECT_EQ(m->bytes_received, 2 * (6 + 1U));
  EXPECT_EQ(m->bytes_sent, 2 * the_response.size());
}

// ---- servers and clients

TEST(metrics, of_a_client_count_its_connection_once_in_on_disconnect) {
  running_server server;
  server->route("/").on_message([](connection c, const message& m) { c.send(m); });
  server.start();
  client it(server.url());
  std::optional<metrics> at_end;
  it.on_connect([](connection c, const handshake&) { EXPECT_EQ(c.send("hello"), errc::ok); });
  it.on_message([](connection c, const message&) { EXPECT_EQ(c.close(), errc::ok); });
  it.on_disconnect([&](const disconnect&) { at_end = it.metrics(); });
  EXPECT_EQ(it.run_forever(), 0);
  ASSERT_TRUE(at_end);
  EXPECT_EQ(at_end->connections, 0U);
  EXPECT_EQ(at_end->opened, 1U);
  EXPECT_EQ(at_end->messages_received, 1U);
  EXPECT_EQ(at_end->messages_sent, 1U);
  EXPECT_EQ(at_end->bytes_received, it.metrics().bytes_received);
}

TEST(metrics, of_a_server_are_those_of_all_its_loops) {
  server_options options;
  options.threads = 2;
  options.timings = true;
  options.close_timeout = 100ms;  // The peers do not answer.
  running_server server(options);
  server->route("/").on_message([](connection c, const message& m) { c.send(m); });
  ASSERT_EQ(server->metrics().value().opened, 0U) << "before it listens";
  server.start();
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    peers.back()->upgrade();
    ASSERT_EQ(peers.back()->text("hello").frame().payload, "hello");
  }
  const metrics m = server->metrics().value();
  EXPECT_EQ(m.connections, 40U);
  EXPECT_EQ(m.opened, 40U);
  EXPECT_EQ(m.messages_received, 40U);
  EXPECT_EQ(m.messages_sent, 40U);
  EXPECT_EQ(m.times->receive.receive.count(), 40U);
  EXPECT_EQ(m.times->receive.confirm.count(), 40U);
  EXPECT_LT(on_loop(server.it(), [](worker& w) { return w.collect().opened; }), 40U) << "one loop has not all of them";
  const exposition_reader read(m.prometheus());
  EXPECT_EQ(read.samples.at("hawser_connections"), 40);
  server.stop();
  const metrics after = server->metrics().value();
  EXPECT_EQ(after.connections, 0U);
  EXPECT_EQ(after.opened, 40U);
  EXPECT_EQ(after.messages_received, 40U);
}

// A handler must not wait for a loop: it is told so, and can ask without waiting.
TEST(metrics, of_a_server_are_given_later_in_a_handler) {
  server_options options;
  options.threads = 2;
  running_server server(options);
  server->route("/").on_message([&](connection c, const message&) {
    EXPECT_EQ(server->metrics().error(), errc::wrong_thread);
    server->metrics([c](const metrics& m) { c.send(std::to_string(m.messages_received)); });
    server->metrics([](const metrics&) { throw 7; });
  });
  server.start();
  raw_peer first(server.at());
  raw_peer second(server.at());
  first.upgrade();
  second.upgrade();
  EXPECT_EQ(first.text("a").frame().payload, "1");
  EXPECT_EQ(second.text("b").frame().payload, "2");
}

TEST(metrics, have_a_page_that_asks_all_loops) {
  server_options options;
  options.threads = 2;
  options.close_timeout = 100ms;
  running_server server(options);
  server->route("/");
  server->page("/other", "text/plain", "other");
  server->metrics_page("/numbers");
  server.start();
  const auto get = [&](std::string_view path, std::string_view extra = {}) {
    raw_peer peer(server.at());
    peer.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + std::string(extra) + "\r\n");
    return peer.to_end();
  };
  raw_peer open(server.at());
  open.upgrade();
  for (int i = 0; i < 4; ++i) {
    const std::string answer = get("/numbers?x=1");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
    const exposition_reader read(answer.substr(answer.find("\r\n\r\n") + 4));
    EXPECT_EQ(read.samples.at("hawser_connections_opened_total"), 1);
    EXPECT_GE(read.samples.at("hawser_connections"), 2) << "the open one, and the one that asks";
  }
  EXPECT_NE(get("/other").find("other"), std::string::npos);
  EXPECT_TRUE(get("/numbers", "Origin: http://elsewhere.test\r\n").starts_with("HTTP/1.1 403 ")) << "as any page";
}

// Who asks and is gone, or goes on sending, harms nobody.
TEST(metrics, have_a_page_that_need_not_be_waited_for) {
  running_server server;
  server->metrics_page();
  server.start();
  for (int i = 0; i < 20; ++i) {
    raw_peer peer(server.at());
    peer.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n");
    if (i % 2 == 0) peer.reset();
  }
  EXPECT_TRUE(comes_true(server.it(), [](worker& w) { return w.collect().not_opened == 20; }));
}

TEST(metrics, of_a_client_are_those_of_all_its_runs) {
  running_server server;
  server->route("/").on_message([](connection c, const message& m) { c.send(m); });
  server.start();
  client_options options;
  options.timings = true;
  client it(server.url(), options);
  metrics inside;
  journal seen;
  it.on_connect([](connection c, const handshake&) { EXPECT_EQ(c.send("hello"), errc::ok); });
  it.on_message([&](connection, const message&) {
    inside = it.metrics();
    seen.add("message");
  });
  EXPECT_EQ(it.metrics().opened, 0U);
  for (int run = 1; run <= 2; ++run) {
    ASSERT_TRUE(it.start());
    ASSERT_TRUE(seen.wait(static_cast<std::size_t>(run)));
    const metrics now = it.metrics();
    EXPECT_EQ(now.connections, 1U);
    EXPECT_EQ(now.messages_received, static_cast<std::uint64_t>(run));
    ASSERT_TRUE(it.stop());
    const auto n = static_cast<std::uint64_t>(run);
    const metrics after = it.metrics();
    EXPECT_EQ(after.connections, 0U);
    EXPECT_EQ(after.opened, n);
    EXPECT_EQ(after.messages_sent, n);
    EXPECT_EQ(after.times->connect.acknowledge.count(), n);
    EXPECT_EQ(after.times->connect.tcp.count(), n);
    EXPECT_EQ(inside.messages_received, n);
    EXPECT_EQ(inside.opened, n);
  }
}

TEST(metrics, of_a_blocking_connection_are_its_timings_during_and_after) {
  running_server server;
  server->route("/").on_message([](connection c, const message& m) { c.send(m); });
  server.start();
  client_options options;
  options.timings = true;
  result<blocking_connection> ws = connect(server.url(), options);
  ASSERT_TRUE(ws);
  ASSERT_TRUE(ws->send("x"));
  ASSERT_TRUE(ws->receive());
  EXPECT_TRUE(ws->timings().value().connect.total());
  EXPECT_EQ(ws->timings().value().receive.receive.count, 1U);
  ASSERT_TRUE(ws->close());
  EXPECT_EQ(ws->timings().value().receive.receive.count, 1U) << "also after its end";
  result<blocking_connection> without = connect(server.url());
  ASSERT_TRUE(without);
  EXPECT_EQ(without->timings().error(), errc::not_kept);
  ASSERT_TRUE(without->close());
  EXPECT_EQ(without->timings().error(), errc::not_kept);
}

}  // namespace
}  // namespace hawser::test
