// The option `io`: what is named is taken, whatever a loop would choose by itself, or refused in words.

#include "ws/access.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <memory>
#include <string>

namespace hawser::test {
namespace {

int chosen = 0;

// Stands for another driver, which would be the better one here.
std::unique_ptr<net::driver> choose(net::loop& owner) {
  ++chosen;
  return net::make_epoll_driver(owner);
}

TEST(driver_option, a_server_takes_the_driver_that_is_named) {
  for (const driver named : {driver::automatic, driver::epoll}) {
    server_options options;
    options.io = named;
    server one(options);
    server_access::loops(one).make_driver = choose;
    chosen = 0;
    ASSERT_TRUE(one.listen("127.0.0.1", 0));
    EXPECT_EQ(chosen, named == driver::automatic ? 1 : 0);
  }
}

TEST(driver_option, a_client_takes_the_driver_that_is_named) {
  for (const driver named : {driver::automatic, driver::epoll}) {
    client_options options;
    options.io = named;
    options.reconnect.enabled = false;
    client one("ws://127.0.0.1:1/", options);
    client_access::loop(one).make_driver = choose;
    chosen = 0;
    EXPECT_EQ(one.run_forever(), 1);
    EXPECT_EQ(chosen, named == driver::automatic ? 1 : 0);
  }
}

TEST(driver_option, one_that_this_build_does_not_have_is_refused) {
  server_options options;
  options.io = static_cast<driver>(200);
  server served(options);
  EXPECT_EQ(to_errc(served.listen("127.0.0.1", 0).error()), errc::not_supported);
  client_options asked;
  asked.io = static_cast<driver>(200);
  std::string why;
  EXPECT_EQ(to_errc(connect("ws://127.0.0.1:1/", asked, {}, {}, &why).error()), errc::not_supported);
  EXPECT_NE(why.find("driver::automatic"), std::string::npos) << why;
  client it("ws://127.0.0.1:1/", asked);
  std::string told;
  it.on_error([&](const failure& f) { told = f.what(); });
  EXPECT_EQ(to_errc(it.start().error()), errc::not_supported);
  EXPECT_EQ(told, why);
  EXPECT_EQ(it.run_forever(), 2);
}

}  // namespace
}  // namespace hawser::test
