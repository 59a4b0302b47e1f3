#include "net/address_access.h"

#include <gtest/gtest.h>
#include <hawser/net/address.h>

#include <string>

namespace {

using hawser::errc;
using hawser::net::address;
using hawser::net::address_access;

address parsed(std::string_view text) { return address::parse(text).value(); }

TEST(address, reads_and_writes_each_family) {
  for (const char* text : {"127.0.0.1:9001", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
                           "[2001:db8::1:2]:443", "unix:/run/hawser.sock", "unix:@hidden", "unix:relative"})
    EXPECT_EQ(parsed(text).text(), text);
  EXPECT_EQ(parsed("localhost:8080").text(), "127.0.0.1:8080");
  EXPECT_EQ(parsed("[2001:DB8:0:0::1]:1").text(), "[2001:db8::1]:1");
}

TEST(address, says_in_words_why_it_refuses) {
  const struct {
    const char* text;
    const char* word;
  } cases[] = {{"127.0.0.1", "no port"},
               {"", "no port"},
               {":80", "no host"},
               {"127.0.0.1:", "not a number"},
               {"127.0.0.1:65536", "65535"},
               {"127.0.0.1:-1", "not a number"},
               {"127.0.0.1:8 ", "not a number"},
               {"127.0.0.1:+8", "not a number"},
               {"::1:80", "brackets"},
               {"[127.0.0.1]:80", "brackets"},
               {"[::1:80", "brackets"},
               {"[]:80", "neither"},
               {"example.com:80", "neither"},
               {"1.2.3:80", "neither"},
               {"01.2.3.4.5:80", "neither"},
               {"unix:", "empty"}};
  for (const auto& c : cases) {
    std::string why;
    const auto made = address::parse(c.text, &why);
    ASSERT_FALSE(made) << c.text;
    EXPECT_EQ(made.error(), errc::address_invalid);
    EXPECT_NE(why.find(c.word), std::string::npos) << c.text << ": " << why;
  }
}

TEST(address, a_literal_may_hold_no_nul) {
  EXPECT_FALSE(address::ip(std::string_view("127.0.0.1\0", 10), 1));
  EXPECT_FALSE(address::unix_socket(std::string_view("a\0b", 3)));
}

TEST(address, paths_up_to_what_the_system_takes) {
  EXPECT_TRUE(address::unix_socket(std::string(107, 'p')));
  EXPECT_FALSE(address::unix_socket(std::string(108, 'p')));
  EXPECT_TRUE(address::unix_socket("@" + std::string(107, 'p')));
  EXPECT_FALSE(address::unix_socket("@" + std::string(108, 'p')));
}

TEST(address, loopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "unix:x", "[::ffff:127.0.0.1]:1"})
    EXPECT_TRUE(parsed(text).loopback()) << text;
  for (const char* text : {"0.0.0.0:1", "126.0.0.1:1", "[::]:1", "[::2]:1", "[::ffff:10.0.0.1]:1"})
    EXPECT_FALSE(parsed(text).loopback()) << text;
  EXPECT_FALSE(address().loopback());
}

// A listener on [::] sees IPv4 peers as mapped addresses; limits and logs must count them as what they are.
TEST(address, an_ipv4_address_mapped_into_ipv6_is_ipv4) {
  EXPECT_EQ(parsed("[::ffff:10.1.2.3]:7"), parsed("10.1.2.3:7"));
  EXPECT_EQ(parsed("[::ffff:10.1.2.3]:7").family(), address::kind::ipv4);
}

TEST(address, host_bytes_name_the_host_without_the_port) {
  EXPECT_EQ(parsed("1.2.3.4:5").host_bytes(), std::string_view("\1\2\3\4", 4));
  EXPECT_EQ(parsed("[102:304::f]:5").host_bytes(), std::string_view("\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\xF", 16));
  EXPECT_EQ(parsed("unix:/a/b").host_bytes(), "/a/b");
}

TEST(address, equality_counts_family_host_and_port) {
  EXPECT_EQ(parsed("1.2.3.4:5"), parsed("1.2.3.4:5"));
  EXPECT_FALSE(parsed("1.2.3.4:5") == parsed("1.2.3.4:6"));
  EXPECT_FALSE(parsed("1.2.3.4:5") == parsed("1.2.3.5:5"));
  EXPECT_FALSE(parsed("0.0.0.0:5") == parsed("[::]:5"));
  EXPECT_EQ(address(), address());
}

TEST(address, link_local_keeps_its_interface) {
  const address made = address::ip("fe80::1%7", 80).value();
  EXPECT_EQ(made.host(), "fe80::1%7");
  EXPECT_EQ(made.text(), "[fe80::1%7]:80");
  EXPECT_FALSE(made == address::ip("fe80::1%8", 80).value());
  EXPECT_FALSE(address::ip("fe80::1%", 80));
  EXPECT_FALSE(address::ip("fe80::1%no such interface", 80));
  EXPECT_FALSE(address::ip("127.0.0.1%1", 80));
}

TEST(address, survives_the_way_to_the_system_and_back) {
  for (const char* text : {"127.0.0.1:9001", "[2001:db8::1]:443", "[fe80::1%3]:1", "unix:/run/x", "unix:@hidden"})
    EXPECT_EQ(address_access::from_system(address_access::to_system(parsed(text))), parsed(text)) << text;
  const std::string longest = "unix:" + std::string(107, 'p');
  EXPECT_EQ(address_access::from_system(address_access::to_system(parsed(longest))).text(), longest);
  EXPECT_EQ(address_access::from_system(address_access::to_system(address())), address());
}

}  // namespace
