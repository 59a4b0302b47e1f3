// Somebody watches: every frame and every message between two extensions is told, once, whatever its size, and nothing
// else changes.
#include "ws/running_server.h"

#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/watch.h>

#include <algorithm>
#include <future>

namespace hawser::test {
namespace {

/// Keeps what it is told, as lines.
struct noting final : watcher {
  void saw(const sighting& s) noexcept override {
    std::string line = s.way == direction::out ? "out " : "in ";
    line += s.what == sighting::kind::frame ? "frame" : std::string(s.from);
    line += " " + std::to_string(s.opcode) + (s.fin ? "" : "-") + (s.masked ? "m" : "");
    line += " rsv" + std::to_string(s.rsv) + " " + std::to_string(s.size);
    EXPECT_EQ(s.begins.size(), std::min<std::uint64_t>(s.size, sighting_bytes));
    if (s.size <= 8 && s.opcode != 8) line += ":" + std::string(as_text(s.begins));
    EXPECT_NE(s.connection, 0U);
    kept.add(std::move(line));
  }
  journal kept;
};

void swap_case(byte_span message) {
  for (std::byte& b : message)
    b ^= std::byte{0x20};
}

auto swapping() { return ext::message_extension("x-swap", rsv::two).encode(swap_case).decode(swap_case); }
auto tailing() {
  return ext::message_extension("x-tail", rsv::three)
      .encode([](byte_view in, ext::byte_sink& out) { return out.append(in) && out.append(std::byte{'!'}); })
      .decode([](byte_view in, ext::byte_sink& out) { return !in.empty() && out.append(in.first(in.size() - 1)); })
      .adds(1);
}

/// What the client and the server were told of `texts`, sent by the client and echoed; `max_frame` cuts the client's.
struct told {
  std::vector<std::string> client;
  std::vector<std::string> server;
  std::vector<std::string> echoes;
  bool extensions_named = false;
};

told converse(const std::vector<std::string>& texts, bool with_extensions, bool timings = false,
              std::uint64_t max_frame = std::uint64_t{1} << 62) {
  noting here;
  noting there;
  server_options so;
  so.watch = &there;
  so.timings = timings;
  running_server server(so);
  client_options co;
  co.watch = &here;
  co.timings = timings;
  co.bounds.max_outgoing_frame = max_frame;
  told all;
  std::promise<void> over;
  {
    if (with_extensions) server->extensions().add(swapping()).add(tailing());
    server->route("/").on_message([](connection c, const message& m) { c.send(m); });
    server.start();
    client peer(server.url(), co);
    if (with_extensions) peer.extensions().add(swapping()).add(tailing());
    std::size_t next = 0;
    peer.on_connect([&](connection c, const handshake& h) {
      all.extensions_named = c.extensions().value() == h.extensions;
      c.send(texts[next++]);
    });
    peer.on_message([&](connection c, const message& m) {
      all.echoes.emplace_back(m.text());
      next < texts.size() ? c.send(texts[next++]) : c.close();
    });
    peer.on_disconnect([&](const disconnect&) { over.set_value(); });
    EXPECT_TRUE(peer.start());
    over.get_future().wait();
  }
  server.stop();
  all.client = here.kept.lines();
  all.server = there.kept.lines();
  return all;
}

using lines_t = std::vector<std::string>;

TEST(watch, a_message_is_seen_between_all_extensions_and_as_a_frame) {
  const told t = converse({"Hello"}, true);
  EXPECT_EQ(t.client, (lines_t{"out application 1 rsv0 5:Hello", "out x-swap 1 rsv2 5:hELLO",
                               "out x-tail 1 rsv3 6:hELLO!", "out frame 1m rsv3 6:hELLO!", "in frame 1 rsv3 6:hELLO!",
                               "in network 1 rsv3 6:hELLO!", "in x-tail 1 rsv2 5:hELLO", "in x-swap 1 rsv0 5:Hello",
                               "out frame 8m rsv0 2", "in frame 8 rsv0 2"}));
  EXPECT_EQ(t.server, (lines_t{"in frame 1m rsv3 6:hELLO!", "in network 1 rsv3 6:hELLO!", "in x-tail 1 rsv2 5:hELLO",
                               "in x-swap 1 rsv0 5:Hello", "out application 1 rsv0 5:Hello",
                               "out x-swap 1 rsv2 5:hELLO", "out x-tail 1 rsv3 6:hELLO!", "out frame 1 rsv3 6:hELLO!",
                               "in frame 8m rsv0 2", "out frame 8 rsv0 2"}));
  EXPECT_EQ(t.echoes, lines_t{"Hello"});
  EXPECT_TRUE(t.extensions_named) << "those who look are no extensions";
}

TEST(watch, without_extensions_there_are_frames) {
  for (const bool timings : {false, true}) {
    const told t = converse({"Hello", ""}, false, timings);
    EXPECT_EQ(t.client, (lines_t{"out frame 1m rsv0 5:Hello", "in frame 1 rsv0 5:Hello", "out frame 1m rsv0 0:",
                                 "in frame 1 rsv0 0:", "out frame 8m rsv0 2", "in frame 8 rsv0 2"}));
    EXPECT_EQ(t.server, (lines_t{"in frame 1m rsv0 5:Hello", "out frame 1 rsv0 5:Hello", "in frame 1m rsv0 0:",
                                 "out frame 1 rsv0 0:", "in frame 8m rsv0 2", "out frame 8 rsv0 2"}));
  }
}

// The large ones do not fit into what the system takes at once, and come into a buffer of their own.
TEST(watch, every_frame_is_seen_once_whatever_its_size) {
  std::vector<std::string> texts;
  for (const std::size_t size : {1U, 125U, 126U, 127U, 128U, 129U, 65535U, 65536U, 900000U})
    texts.emplace_back(size, 'a');
  for (const bool with_extensions : {false, true}) {
    const told t = converse(texts, with_extensions);
    EXPECT_EQ(t.echoes, texts);
    for (const std::vector<std::string>* end : {&t.client, &t.server}) {
      std::vector<std::string> frames;
      std::copy_if(end->begin(), end->end(), std::back_inserter(frames),
                   [](const std::string& l) { return l.find("frame 1") != std::string::npos; });
      EXPECT_EQ(frames.size(), 2 * texts.size());
      EXPECT_EQ(end->back().find("8"), end->back().find("frame ") + 6)
          << "the close frame is the last: " << end->back();
    }
  }
}

TEST(watch, the_frames_of_a_message_are_seen_one_by_one) {
  const told t = converse({"abcdefgh"}, true, false, 4);
  const lines_t wanted = {"out frame 1-m rsv3 4:ABCD", "out frame 0-m rsv0 4:EFGH", "out frame 0m rsv0 1:!"};
  lines_t frames;
  for (const std::string& line : t.client)
    if (line.rfind("out frame", 0) == 0 && line.find(" 8m") == std::string::npos) frames.push_back(line);
  EXPECT_EQ(frames, wanted);
}

TEST(watch, control_frames_are_seen) {
  noting there;
  server_options so;
  so.watch = &there;
  running_server server(so);
  server->route("/");
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().ping("ping");
  peer.flush();
  ASSERT_TRUE(there.kept.wait_for("in frame 9m rsv0 4:ping"));
  ASSERT_TRUE(there.kept.wait_for("out frame 10 rsv0 4:ping"));
}

}  // namespace
}  // namespace hawser::test
