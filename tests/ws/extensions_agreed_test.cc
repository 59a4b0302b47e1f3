// What a connection says of its extensions: which are at work, with which parameters, and what became of the others.
#include "ws/running_server.h"

#include <hawser/core/extension.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>

#include <future>
#include <optional>

namespace hawser::test {
namespace {

struct idle_stage {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};

/// Takes any level up to 9, and says what it misses.
struct levelled {
  std::string level;
  static std::string_view name() { return "x-level"; }
  std::vector<params> offers() const { return {{{"level", level}, {"plain", std::nullopt}}}; }
  std::optional<accepted<idle_stage>> accept(const std::vector<params>& all, std::string& why) const {
    if (all.at(0).at(0).value.value_or("").size() == 1) return accepted<idle_stage>{all.at(0), {}, {}};
    why = "level is over 9";
    return std::nullopt;
  }
  std::optional<accepted<idle_stage>> confirm(const params& answer) const {
    return accepted<idle_stage>{answer, {}, {}};
  }
};

auto unchanged(const char* name) { return ext::message_extension(name); }

/// What one end was told.
struct told {
  std::vector<active_extension> by_handshake;
  std::vector<active_extension> by_connection;
  std::vector<std::string> notes;
  std::string offered;
};

told told_by(connection c, const handshake& h) {
  told t{h.extensions, c.extensions().value_or(std::vector<active_extension>{}), {}, h.extensions_offered};
  for (const core::negotiation_note& n : h.extension_notes)
    t.notes.push_back(n.text);
  return t;
}

struct both {
  told client;
  told server;
};

both connect_with(const char* level) {
  running_server server;
  std::promise<told> there;
  server->extensions().add(levelled{"1"}).add(unchanged("x-same")).add(unchanged("x-only-here"));
  server->route("/").on_connect([&](connection c, const handshake& h) { there.set_value(told_by(c, h)); });
  server.start();
  client peer(server.url());
  std::promise<told> here;
  peer.extensions().add(unchanged("x-unknown")).add(levelled{level}).add(unchanged("x-same"));
  peer.on_connect([&](connection c, const handshake& h) { here.set_value(told_by(c, h)); });
  EXPECT_TRUE(peer.start());
  both b{here.get_future().get(), there.get_future().get()};
  return b;
}

TEST(extensions_agreed, both_ends_know_what_is_at_work_with_which_parameters) {
  const both b = connect_with("3");
  const std::vector<active_extension> wanted = {{"x-level", {{"level", "3"}, {"plain", std::nullopt}}}, {"x-same", {}}};
  for (const told* t : {&b.client, &b.server}) {
    EXPECT_EQ(t->by_handshake, wanted);
    EXPECT_EQ(t->by_connection, wanted);
    EXPECT_EQ(t->offered, "x-unknown, x-level; level=3; plain, x-same");
  }
  const active_extension& e = b.client.by_connection[0];
  EXPECT_EQ(e.text(), "x-level; level=3; plain");
  ASSERT_NE(e.find("level"), nullptr);
  EXPECT_EQ(e.find("level")->value, "3");
  ASSERT_NE(e.find("plain"), nullptr);
  EXPECT_EQ(e.find("plain")->value, std::nullopt);
  EXPECT_EQ(e.find("other"), nullptr);
}

TEST(extensions_agreed, both_ends_know_what_became_of_the_others_and_why) {
  const both b = connect_with("12");
  const std::vector<std::string> at_server = {"x-unknown: not known here, ignored",
                                              "x-level: declined: level is over 9", "x-same: accepted as x-same",
                                              "x-only-here: not offered by the client"};
  EXPECT_EQ(b.server.notes, at_server);
  const std::vector<std::string> at_client = {"x-same: agreed as x-same", "x-unknown: declined by the server",
                                              "x-level: declined by the server"};
  EXPECT_EQ(b.client.notes, at_client);
}

}  // namespace
}  // namespace hawser::test
