// What is said about one message reaches the stages from every handle and every thread.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/core/extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

constexpr send_options wishes{.compress = false, .priority = 3};

/// Tells a journal of every message that goes out: "size/priority/flags".
struct telling_stage {
  static constexpr unsigned hooks = hook::none;
  journal* told;
  verdict begin(direction way, head& h, context&) {
    if (way == direction::out)
      told->add(std::to_string(h.size) + "/" + std::to_string(h.priority) + "/" + std::to_string(h.flags));
    return verdict::bypass;
  }
};
struct telling {
  journal* told;
  static std::string_view name() { return "x-telling"; }
  static std::vector<params> offers() { return {params{}}; }
  [[nodiscard]] std::optional<accepted<telling_stage>> accept(const std::vector<params>&) const {
    return accepted<telling_stage>{{}, {}, {told}};
  }
  [[nodiscard]] std::optional<accepted<telling_stage>> confirm(const params&) const {
    return accepted<telling_stage>{{}, {}, {told}};
  }
};

TEST(send_options, from_the_loop_another_thread_and_a_blocking_client) {
  journal at_server;
  journal at_client;
  std::promise<connection> opened;
  running_server server;
  server->extensions().add(telling{&at_server});
  server->route("/")
      .on_connect([&](connection c, const handshake&) { opened.set_value(c); })
      .on_message([](connection c, const message& m) {
        EXPECT_EQ(c.send("1", wishes), errc::ok);
        EXPECT_EQ(c.send(as_bytes("22"), wishes), errc::ok);
        EXPECT_EQ(c.send(m, wishes), errc::ok);
        EXPECT_EQ(c.send(message(m).take(), wishes), errc::ok);
        EXPECT_EQ(c.begin_text(wishes), errc::ok);
        EXPECT_EQ(c.send_part({}, true), errc::ok);
        EXPECT_EQ(c.send("\xFF", wishes), errc::invalid_utf8);
      });
  server.start();
  extension_list extensions;
  extensions.add(telling{&at_client});
  result<blocking_connection> client = connect(server.url(), {}, extensions);
  ASSERT_TRUE(client);
  ASSERT_TRUE(client->send("333", wishes));
  ASSERT_TRUE(client->send(as_bytes("4444")));
  ASSERT_TRUE(at_client.wait(2));
  EXPECT_EQ(at_client.text(), "3/3/1 4/0/0");

  const connection elsewhere = opened.get_future().get();
  ASSERT_TRUE(at_server.wait(10));
  EXPECT_EQ(elsewhere.send("55555", wishes), errc::ok);
  EXPECT_EQ(elsewhere.send("666666"), errc::ok);
  ASSERT_TRUE(at_server.wait(12));
  EXPECT_EQ(at_server.text(), "1/3/1 2/3/1 3/3/1 3/3/1 0/3/1 1/3/1 2/3/1 4/3/1 4/3/1 0/3/1 5/3/1 6/0/0");
}

// What another thread sends between the parts of a message waits, and goes on with what was said about it.
TEST(send_options, stay_with_what_waits_behind_a_message_in_parts) {
  journal told;
  std::promise<connection> opened;
  running_server server;
  server->extensions().add(telling{&told});
  server->route("/").on_connect([&](connection c, const handshake&) {
    EXPECT_EQ(c.begin_text(), errc::ok);
    opened.set_value(c);
  });
  server.start();
  extension_list extensions;
  extensions.add(telling{&told});
  result<blocking_connection> client = connect(server.url(), {}, extensions);
  ASSERT_TRUE(client);
  const connection c = opened.get_future().get();
  EXPECT_EQ(c.send("waits", wishes), errc::ok);
  EXPECT_EQ(c.post([c] { EXPECT_EQ(c.send_part(as_bytes("end"), true), errc::ok); }), errc::ok);
  ASSERT_TRUE(told.wait(2));
  EXPECT_EQ(told.text(), "0/0/0 5/3/1");
}

}  // namespace
}  // namespace hawser::test
