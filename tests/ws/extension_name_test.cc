// An extension that could never be negotiated is refused where it would start to matter.
#include <gtest/gtest.h>
#include <hawser/hawser.h>

namespace hawser {
namespace {

ext::message_extension unnamed() {
  return ext::message_extension("x rot13", rsv::two).encode([](byte_span) {}).decode([](byte_span) {});
}

TEST(extension_name, a_client_does_not_start_with_a_name_that_is_no_token) {
  client ws("ws://127.0.0.1:1/");
  ws.extensions().add(unnamed());
  const result<void> started = ws.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), errc::invalid_extension);

  extension_list list;
  list.add(unnamed());
  std::string why;
  const auto blocking = connect("ws://127.0.0.1:1/", {}, list, {}, &why);
  ASSERT_FALSE(blocking);
  EXPECT_EQ(blocking.error(), errc::invalid_extension);
  EXPECT_EQ(why, "the extension name \"x rot13\" is not a token: use letters, digits and dashes");
}

TEST(extension_name, a_server_does_not_listen_or_run_with_a_name_that_is_no_token) {
  server early;
  early.extensions().add(unnamed());
  EXPECT_EQ(early.listen("127.0.0.1", 0).error(), errc::invalid_extension);

  server late;
  ASSERT_TRUE(late.listen("127.0.0.1", 0));
  late.extensions().add(unnamed());
  const result<void> ran = late.run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), errc::invalid_extension);
}

}  // namespace
}  // namespace hawser
