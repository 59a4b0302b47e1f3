// What extensions note of a message, as handlers and blocking calls see it, and which connection they are asked for.
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/trace.h>
#include <hawser/ws/client.h>

#include <optional>
#include <string>

namespace hawser::test {
namespace {

using ext::trace_context;

constexpr std::string_view example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string context_of(const message& m) {
  const std::optional<trace_context> c = ext::trace::of(m);
  return c ? c->traceparent() : "none";
}

// A server whose answers belong to the trace of what is asked: by the number of the connection, as an application with
// several of them does it.
TEST(notes_of_messages, a_trace_goes_there_and_back) {
  journal seen;
  std::optional<trace_context> current;
  std::uint64_t asked_for = 0;
  running_server server;
  server->extensions().add(ext::trace().sent_with([&](std::uint64_t id) {
    asked_for = id;
    return current;
  }));
  server->route("/").on_message([&](connection c, const message& m) {
    current = ext::trace::of(m);
    if (current) current->parent_id[7] ^= std::byte{1};
    c.send(m);
    EXPECT_EQ(asked_for, c.id());
    seen.add(std::string(m.text().substr(0, 5)) + " " + context_of(m));
  });
  server.start();

  bool tracing = true;
  client_options options;
  client ws(server.url(), options);
  ws.extensions().add(
      ext::trace().sent_with([&](std::uint64_t) { return tracing ? trace_context::parse(example) : std::nullopt; }));
  std::vector<message> kept;
  ws.on_connect([&](connection c, const handshake&) {
    c.send("first");
    tracing = false;
    c.send("plain");
    tracing = true;
    c.send("large" + std::string(200'000, 'x'));
  });
  ws.on_message([&](connection c, const message& m) {
    kept.push_back(m.take());
    if (kept.size() == 3) c.close();
  });
  EXPECT_EQ(ws.run_forever(), 0);
  server.stop();
  EXPECT_EQ(seen.text(), "first " + std::string(example) + " plain none large " + std::string(example));
  // Owned messages have their notes for as long as they are kept, the connection long gone.
  ASSERT_EQ(kept.size(), 3U);
  std::string other(example);
  other[51] = '0';  // The last digit of the parent's id.
  EXPECT_EQ(context_of(kept[0]), other);
  EXPECT_EQ(context_of(kept[1]), "none");
  EXPECT_EQ(context_of(kept[2]), other);
  const message copy = kept[0];
  kept.clear();
  EXPECT_EQ(context_of(copy), other);
}

}  // namespace
}  // namespace hawser::test
