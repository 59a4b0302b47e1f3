// What a peer is counted by: IPv4 by its address, IPv6 by the network of 64 bits in which it can choose addresses
// (A10).

#include "ws/admission.h"

#include "net/address_access.h"
#include "ws/raw_peer.h"
#include "ws/running_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {
namespace {

net::address host(std::string_view literal, std::uint16_t port = 1) {
  return net::address::ip(literal, port).value_or(net::address{});
}

// One is let in for each host: two count as the same when the second is not.
bool count_together(const net::address& a, const net::address& b) {
  admission door({.connections = 10, .per_host = 1, .rate = 10, .handshakes = 10, .per_host_on_loopback = true});
  admission_ticket first{};
  admission_ticket second{};
  const tick now{std::chrono::hours(1)};
  EXPECT_TRUE(door.admit(a, now, first));
  const bool let_in = door.admit(b, now, second);
  // Once the first has left there is room for it.
  door.left(first);
  if (!let_in) {
    EXPECT_EQ(second, admission_ticket::refused);
    EXPECT_TRUE(door.admit(b, now, first));
  }
  return !let_in;
}

TEST(admission, ipv6_hosts_count_by_their_64_bits) {
  EXPECT_TRUE(count_together(host("2001:db8:1:2::1"), host("2001:db8:1:2::1", 9)));
  EXPECT_TRUE(count_together(host("2001:db8:1:2::1"), host("2001:db8:1:2:ffff:ffff:ffff:ffff")));
  EXPECT_TRUE(count_together(host("2001:db8:1:2:8000::"), host("2001:db8:1:2::")));
  EXPECT_FALSE(count_together(host("2001:db8:1:2::1"), host("2001:db8:1:3::1"))) << "the last bit of the 64";
  EXPECT_FALSE(count_together(host("2001:db8:1:2::1"), host("a001:db8:1:2::1"))) << "the first";
  EXPECT_FALSE(count_together(host("::1"), host("127.0.0.1")));
}

TEST(admission, ipv4_hosts_count_by_their_address_also_when_they_come_over_ipv6) {
  const auto mapped = [](std::string_view literal) {
    net::system_address system;
    auto& v6 = reinterpret_cast<sockaddr_in6&>(system.storage);
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, ("::ffff:" + std::string(literal)).c_str(), &v6.sin6_addr), 1);
    system.size = sizeof v6;
    return net::address_access::from_system(system);
  };
  EXPECT_TRUE(count_together(host("192.0.2.1"), host("192.0.2.1", 9)));
  EXPECT_FALSE(count_together(host("192.0.2.1"), host("192.0.2.2")));
  EXPECT_TRUE(count_together(mapped("192.0.2.1"), host("192.0.2.1")));
  EXPECT_FALSE(count_together(mapped("192.0.2.1"), mapped("192.0.2.2")));
}

// Through a real socket: what the system says of a peer is what it is counted by.
TEST(admission, a_server_on_ipv6_refuses_one_more_from_the_same_network) {
  server_options options;
  options.max_per_host = 1;
  options.max_per_host_on_loopback = options.accept_rate_on_loopback = true;
  running_server server(options);
  server->route("/");
  server.start("[::1]:0");
  raw_peer in(server.at());
  EXPECT_NE(in.upgrade().find(" 101 "), std::string::npos);
  raw_peer over(server.at());
  EXPECT_NE(over.upgrade().find(" 503 "), std::string::npos);
}

}  // namespace
}  // namespace hawser::test
