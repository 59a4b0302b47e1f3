#include <gtest/gtest.h>
#include <hawser/core/url.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using hawser::errc;
using hawser::parse_url;
using hawser::result;
using hawser::url;

url good(std::string_view text) {
  std::string why;
  result<url> parsed = parse_url(text, &why);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << why;
  EXPECT_EQ(why, "");
  return parsed ? *parsed : url{};
}

// Every refusal has a sentence of one line, and the URL's own control bytes never reach it.
std::string refused(std::string_view text, errc expected = errc::invalid_url) {
  std::string why;
  const result<url> parsed = parse_url(text, &why);
  EXPECT_FALSE(parsed.has_value()) << text;
  EXPECT_EQ(parsed.error(), make_error_code(expected)) << text;
  EXPECT_NE(why, "") << text;
  for (const char c : why)
    EXPECT_TRUE(c >= ' ' && c <= '~') << text << ": " << why;
  return why;
}

std::string with_byte(std::string_view before, int byte, std::string_view after) {
  return std::string(before) + static_cast<char>(byte) + std::string(after);
}

// ---- the parts: RFC 6455, 3 -----------------------------------------------------------------------------------------

TEST(url, takes_the_parts_apart) {
  const url u = good("ws://example.com:9001/chat/room?name=x&y=1");
  EXPECT_FALSE(u.secure);
  EXPECT_EQ(u.host, "example.com");
  EXPECT_EQ(u.port, 9001);
  EXPECT_EQ(u.target, "/chat/room?name=x&y=1");
  EXPECT_FALSE(u.ipv6);
}

TEST(url, default_ports_follow_the_scheme) {
  EXPECT_EQ(good("ws://example.com/").port, 80);
  EXPECT_EQ(good("wss://example.com/").port, 443);
  EXPECT_TRUE(good("wss://example.com/").secure);
  EXPECT_EQ(good("wss://example.com:80/").port, 80);
  EXPECT_EQ(good("ws://example.com:/").port, 80);
}

TEST(url, scheme_and_host_have_no_case) {
  const url u = good("WsS://EXAMPLE.Com/Path");
  EXPECT_TRUE(u.secure);
  EXPECT_EQ(u.host, "example.com");
  EXPECT_EQ(u.target, "/Path");
}

TEST(url, an_empty_path_becomes_a_slash_and_an_empty_query_vanishes) {
  EXPECT_EQ(good("ws://h").target, "/");
  EXPECT_EQ(good("ws://h:1").target, "/");
  EXPECT_EQ(good("ws://h?q=1").target, "/?q=1");
  EXPECT_EQ(good("ws://h?").target, "/");
  EXPECT_EQ(good("ws://h/p?").target, "/p");
  EXPECT_EQ(good("ws://h/p??").target, "/p??");
  EXPECT_EQ(good("ws://h/p?a?").target, "/p?a?");
  EXPECT_EQ(good("ws://h//x").target, "//x");
}

TEST(url, authority_names_the_port_only_when_it_is_not_the_schemes_own) {
  EXPECT_EQ(good("ws://Example.com:80/").authority(), "example.com");
  EXPECT_EQ(good("ws://example.com:443/").authority(), "example.com:443");
  EXPECT_EQ(good("wss://example.com:443/").authority(), "example.com");
  EXPECT_EQ(good("wss://example.com:80/").authority(), "example.com:80");
  EXPECT_EQ(good("ws://[::1]:9001/").authority(), "[::1]:9001");
  EXPECT_EQ(good("ws://[::1]/").authority(), "[::1]");
}

TEST(url, why_is_optional) { EXPECT_FALSE(parse_url("nothing").has_value()); }

// ---- schemes --------------------------------------------------------------------------------------------------------

TEST(url, other_schemes_are_named_and_the_right_one_is_offered) {
  EXPECT_NE(refused("http://h/", errc::unsupported_scheme).find("ws://"), std::string::npos);
  EXPECT_NE(refused("https://h/", errc::unsupported_scheme).find("wss://"), std::string::npos);
  for (const char* text : {"ftp://h/", "wsss://h/", "w://h/", "ws+unix://h/", "file:///etc"})
    refused(text, errc::unsupported_scheme);
}

TEST(url, text_without_a_scheme_is_no_url) {
  for (const char* text : {"", "h", "localhost:9001", "//h/", "://h/", "ws", "ws:", "ws:/", "ws:/h", "ws:h", " ws://h/",
                           "ws ://h/", "1ws://h/", "ws:\\\\h\\", "\tws://h", "http:/h"})
    refused(text);
}

// ---- ports ----------------------------------------------------------------------------------------------------------

TEST(url, every_port_from_1_to_65535_and_no_other) {
  for (unsigned port = 1; port <= 65535; ++port) {
    const result<url> parsed = parse_url("ws://h:" + std::to_string(port) + "/");
    ASSERT_TRUE(parsed.has_value()) << port;
    ASSERT_EQ(parsed->port, port);
  }
  EXPECT_NE(refused("ws://h:0/").find("1 to 65535"), std::string::npos);
  for (const char* port : {"65536", "65537", "99999", "131073", "4294967297", "18446744073709551617",
                           "99999999999999999999999999999999999999", "-1", "+80", " 80", "80 ", "0x50", "8o", "8_0"})
    refused("ws://h:" + std::string(port) + "/");
  EXPECT_EQ(good("ws://h:00080/").port, 80);
}

// ---- hosts ----------------------------------------------------------------------------------------------------------

TEST(url, hosts_that_are_missing_or_malformed_are_refused) {
  for (const char* text : {"ws://", "ws:///", "ws:///chat", "ws://:80", "ws://:80/", "ws://?q", "ws://.", "ws://./",
                           "ws://a..b/", "ws://.a/", "ws://a../", "ws://a b/", "ws://a%20b/", "ws://a,b/"})
    refused(text);
  refused("ws://" + std::string(254, 'a') + "/");
  EXPECT_EQ(good("ws://" + std::string(253, 'a') + "/").host.size(), 253U);
  EXPECT_EQ(good("ws://" + std::string(253, 'a') + "./").host.size(), 254U);
}

TEST(url, names_may_have_digits_hyphens_underscores_and_an_end_dot) {
  for (const char* host : {"a", "a-b.c_d.example", "example.com.", "1a.2b", "a1", "xn--bcher-kva.example", "0xyz"})
    EXPECT_EQ(good("ws://" + std::string(host) + "/").host, host);
}

TEST(url, a_host_beyond_ascii_asks_for_its_xn_form) {
  EXPECT_NE(refused("ws://b\303\274cher.example/").find("xn--"), std::string::npos);
}

// Resolvers read these as addresses; a name filter does not.
TEST(url, a_host_that_ends_like_a_number_is_a_whole_ipv4_address) {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4"})
    EXPECT_EQ(good("ws://" + std::string(host) + "/").host, host);
  for (const char* host : {"1", "127.1", "127.0.1", "1.2.3.256", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "2130706433",
                           "0x7f.0.0.0x1", "0x7f000001", "0X7F000001", "127.0.0.1.", "a.1", "a.0x1", "1.2.3.0x",
                           "999.0.0.1", "1.2.3.1000", "017700000001"})
    refused("ws://" + std::string(host) + "/");
}

TEST(url, user_information_is_refused_and_a_header_is_offered) {
  for (const char* text : {"ws://user@h/", "ws://user:secret@h/", "ws://@h/", "ws://h@/", "ws://a@b@c/"}) {
    const std::string why = refused(text);
    EXPECT_NE(why.find("Authorization"), std::string::npos) << why;
    EXPECT_EQ(why.find("secret"), std::string::npos) << why;
  }
  EXPECT_EQ(good("ws://h/a@b").target, "/a@b");
}

// ---- IPv6: RFC 3986, 3.2.2 ------------------------------------------------------------------------------------------

TEST(url, ipv6_literals) {
  for (const char* host :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "1:2::7:8",
        "fe80::dead:beef", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::1.2.3.4", "0000:0001::ffff"}) {
    const url u = good("ws://[" + std::string(host) + "]:1/");
    EXPECT_TRUE(u.ipv6) << host;
    EXPECT_EQ(u.host, host);
    EXPECT_EQ(u.authority(), "[" + std::string(host) + "]:1");
  }
  EXPECT_EQ(good("ws://[FE80::ABCD]/").host, "fe80::abcd");
}

TEST(url, malformed_ipv6_literals) {
  for (const char* host : {"",
                           ":",
                           ":::",
                           "1",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           ":1:2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:7:",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "12345::",
                           "::12345",
                           "::g",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "::1.2.3.256",
                           "1.2.3.4",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::01.2.3.4",
                           "v1.x",
                           "::1 ",
                           " ::1",
                           "1:::2",
                           "::1:",
                           "1:2:3:4::5:6:7:1.2.3.4"})
    refused("ws://[" + std::string(host) + "]/");
  for (const char* text : {"ws://[::1/", "ws://[", "ws://::1/", "ws://1:2:3:4:5:6:7:8/", "ws://[::1]x/", "ws://[::1]]/",
                           "ws://[::1]:x/", "ws://x[::1]/", "ws://[[::1]]/"})
    refused(text);
  EXPECT_NE(refused("ws://::1/").find("brackets"), std::string::npos);
  EXPECT_NE(refused("ws://[fe80::1%25eth0]/").find("zone"), std::string::npos);
}

// ---- E6: all 256 bytes at every place -------------------------------------------------------------------------------

const std::string_view unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
const std::string_view path_extra = "!$&'()*+,;=:@/?";

bool in(std::string_view set, int byte) {
  return byte != 0 && set.find(static_cast<char>(byte)) != std::string_view::npos;
}

TEST(url_bytes, e6_in_the_host_only_name_bytes) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = with_byte("ws://a", byte, "b.example/");
    SCOPED_TRACE(byte);
    if (in(unreserved, byte)) {
      EXPECT_EQ(good(text).host.size(), 11U);
    } else if (byte == '/' || byte == '?') {
      EXPECT_EQ(good(text).host, "a");
    } else {
      refused(text);
    }
  }
}

TEST(url_bytes, e6_in_the_path_and_the_query_as_is_or_percent_encoded_or_refused) {
  for (const char* before : {"ws://h/a", "ws://h/p?a"}) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = with_byte(before, byte, "bc");
      SCOPED_TRACE(byte);
      if (in(unreserved, byte) || in(path_extra, byte)) {
        EXPECT_EQ(good(text).target, text.substr(6));
      } else if (byte == '%') {
        EXPECT_EQ(good(text).target, text.substr(6));
      } else if (byte >= 0x80) {
        char encoded[8];
        std::snprintf(encoded, sizeof encoded, "%%%02X", static_cast<unsigned>(byte));
        EXPECT_EQ(good(text).target, std::string(before).substr(6) + encoded + "bc");
      } else {
        refused(text);
      }
    }
  }
}

TEST(url_bytes, e6_after_the_scheme_in_the_port_and_at_both_ends) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const bool digit = byte >= '0' && byte <= '9';
    if (digit) {
      good(with_byte("ws://h:8", byte, "/"));
    } else if (byte != '/' && byte != '?') {
      refused(with_byte("ws://h:8", byte, "/"));
    }
    const bool scheme_byte = in("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.", byte);
    if (byte == 's' || byte == 'S') {
      good(with_byte("w", byte, "://h/"));
    } else {
      refused(with_byte("w", byte, "://h/"), scheme_byte ? errc::unsupported_scheme : errc::invalid_url);
    }
    refused(with_byte("", byte, "ws://h/"), scheme_byte && !digit && byte != '+' && byte != '-' && byte != '.'
                                                ? errc::unsupported_scheme
                                                : errc::invalid_url);
  }
}

// Whatever comes out goes into a request line: nothing in it may end the line or the target.
TEST(url_bytes, e6_what_is_accepted_can_never_break_a_request_line) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = "ws://h/?";
      text += static_cast<char>(first);
      text += static_cast<char>(second);
      const result<url> parsed = parse_url(text);
      if (!parsed) continue;
      for (const char c : parsed->target)
        ASSERT_TRUE(c > ' ' && c <= '~') << first << ' ' << second;
    }
  }
}

TEST(url_bytes, a_percent_sign_needs_two_digits) {
  EXPECT_EQ(good("ws://h/%00%fF%20").target, "/%00%fF%20");
  for (const char* text : {"ws://h/%", "ws://h/%2", "ws://h/%2g", "ws://h/%g2", "ws://h/%%20", "ws://h/?%"})
    EXPECT_NE(refused(text).find("%25"), std::string::npos);
}

TEST(url_bytes, fragments_are_refused_and_23_is_offered) {
  for (const char* text : {"ws://h#f", "ws://h/#", "ws://h/p#f", "ws://h/p?q#f", "ws://h:80#"})
    EXPECT_NE(refused(text).find("%23"), std::string::npos);
  EXPECT_EQ(good("ws://h/%23").target, "/%23");
}

TEST(url_bytes, the_sentence_names_the_byte) {
  EXPECT_NE(refused("ws://h/a b").find("byte 9"), std::string::npos);
  EXPECT_NE(refused("ws://h/a b").find("%20"), std::string::npos);
  EXPECT_NE(refused("ws://h:99999/").find("byte 8"), std::string::npos);
  EXPECT_NE(refused("ws://ho st/").find("byte 8"), std::string::npos);
}

}  // namespace
