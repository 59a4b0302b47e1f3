#include <gtest/gtest.h>
#include <hawser/base/crypto.h>
#include <hawser/core/handshake.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using hawser::as_bytes;
using hawser::errc;
using hawser::head_parser;
using hawser::headers;
using hawser::http_head;
using hawser::core::check_policy;
using hawser::core::check_server_policy;
using hawser::core::check_upgrade;
using hawser::core::refusal;
using hawser::core::refusal_for;
using hawser::core::refusal_response;
using hawser::core::resource_name;
using hawser::core::server_policy;
using hawser::core::upgrade_request;

using field_list = std::vector<std::pair<std::string, std::string>>;

http_head head_of(const field_list& fields, std::string method = "GET", std::string target = "/chat") {
  http_head head;
  head.method = std::move(method);
  head.target = std::move(target);
  for (const auto& [name, value] : fields)
    EXPECT_TRUE(head.fields.add(name, value));
  return head;
}

const field_list sample = {{"Host", "server.example.com"},   {"Upgrade", "websocket"},
                           {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                           {"Origin", "http://example.com"}, {"Sec-WebSocket-Protocol", "chat, superchat"},
                           {"Sec-WebSocket-Version", "13"}};

field_list without(std::string_view name) {
  field_list fields = sample;
  std::erase_if(fields, [&](const auto& f) { return f.first == name; });
  return fields;
}

field_list with(std::string name, std::string value) {
  field_list fields = without(name);
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

field_list plus(std::string name, std::string value) {
  field_list fields = sample;
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

void expect_one_printable_line(const std::string& text) {
  EXPECT_NE(text, "");
  for (const char c : text)
    EXPECT_TRUE(c >= ' ' && c <= '~') << text;
}

void accepted(const http_head& head) {
  upgrade_request request;
  refusal why;
  EXPECT_TRUE(check_upgrade(head, request, why)) << why.text;
  EXPECT_EQ(request.key, *head.fields.find("Sec-WebSocket-Key"));
}

void refused(const http_head& head, int status, errc error) {
  upgrade_request request;
  refusal why;
  EXPECT_FALSE(check_upgrade(head, request, why));
  EXPECT_EQ(why.status, status) << why.text;
  EXPECT_EQ(why.error, error) << why.text;
  expect_one_printable_line(why.text);
}

// ---- RFC 6455, 4.2.1 ------------------------------------------------------------------------------------------------

TEST(check_upgrade, the_sample_of_the_rfc) {
  const http_head head = head_of(sample);
  upgrade_request request;
  refusal why;
  ASSERT_TRUE(check_upgrade(head, request, why)) << why.text;
  EXPECT_EQ(request.key, "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(request.subprotocols, (std::vector<std::string_view>{"chat", "superchat"}));
  EXPECT_EQ(request.extensions, "");
  EXPECT_EQ(hawser::core::accept_key(request.key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(check_upgrade, other_methods_are_405) {
  for (const char* method : {"POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "get", "Get", "GETX", "PRI"})
    refused(head_of(sample, method), 405, errc::http_method);
}

TEST(check_upgrade, a_target_that_names_no_resource_is_400) {
  for (const char* target : {"*", "chat", "example.com:80", "?q", "/a#b", "ftp://h/", "//", "http://h?q"}) {
    const bool fine = std::string_view(target) == "//";
    if (fine) {
      accepted(head_of(sample, "GET", target));
    } else {
      refused(head_of(sample, "GET", target), 400, errc::http_malformed);
    }
  }
}

// E8, E9: a body on an upgrade is how requests are smuggled.
TEST(check_upgrade, e8_e9_a_body_is_400) {
  for (const auto& [name, value] : field_list{{"Content-Length", "1"},
                                              {"Content-Length", "00"},
                                              {"Content-Length", "+0"},
                                              {"Content-Length", "0, 0"},
                                              {"Content-Length", ""},
                                              {"Transfer-Encoding", "chunked"},
                                              {"Transfer-Encoding", "identity"},
                                              {"transfer-encoding", ""}})
    refused(head_of(plus(name, value)), 400, errc::http_body);
  field_list twice = plus("Content-Length", "0");
  accepted(head_of(twice));
  twice.emplace_back("content-length", "0");
  refused(head_of(twice), 400, errc::http_body);
}

TEST(check_upgrade, upgrade_must_list_websocket) {
  for (const char* value : {"websocket", "WebSocket", "WEBSOCKET", "h2c, websocket", " websocket , x"})
    accepted(head_of(with("Upgrade", value)));
  for (const char* value : {"", "websockets", "web socket", "websocket/13", "h2c", "websocket;q=1"})
    refused(head_of(with("Upgrade", value)), 400, errc::not_an_upgrade);
  refused(head_of(without("Upgrade")), 400, errc::not_an_upgrade);
}

TEST(check_upgrade, connection_must_list_upgrade) {
  for (const char* value : {"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,"})
    accepted(head_of(with("Connection", value)));
  for (const char* value : {"", "keep-alive", "upgraded", "close", "Upgrade;x"})
    refused(head_of(with("Connection", value)), 400, errc::not_an_upgrade);
  refused(head_of(without("Connection")), 400, errc::not_an_upgrade);
  field_list split = with("Connection", "keep-alive");
  split.emplace_back("connection", "Upgrade");
  accepted(head_of(split));
}

TEST(check_upgrade, every_version_but_13_is_426) {
  for (int version = -1; version < 300; ++version) {
    const http_head head = head_of(with("Sec-WebSocket-Version", std::to_string(version)));
    if (version == 13) {
      accepted(head);
    } else {
      refused(head, 426, errc::version_unsupported);
    }
  }
  for (const char* value : {"", "013", "13.0", "0x0d", "13,", "13, 8", "+13", "1 3"})
    refused(head_of(with("Sec-WebSocket-Version", value)), 426, errc::version_unsupported);
  refused(head_of(without("Sec-WebSocket-Version")), 426, errc::version_unsupported);
  refused(head_of(plus("Sec-WebSocket-Version", "13")), 426, errc::version_unsupported);
}

TEST(check_upgrade, the_key_is_16_bytes_of_base64_and_comes_once) {
  for (const char* value : {"AQIDBAUGBwgJCgsMDQ4PEC==", "++++++++++++++++++++++==", "//////////////////////=="})
    accepted(head_of(with("Sec-WebSocket-Key", value)));
  for (std::size_t bytes = 0; bytes < 64; ++bytes) {
    const std::string key = hawser::base64(as_bytes(std::string(bytes, 'x')));
    if (bytes == 16) {
      accepted(head_of(with("Sec-WebSocket-Key", key)));
    } else {
      refused(head_of(with("Sec-WebSocket-Key", key)), 400, errc::key_invalid);
    }
  }
  for (const char* value : {"dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQAA",
                            "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBs=SBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==, x"})
    refused(head_of(with("Sec-WebSocket-Key", value)), 400, errc::key_invalid);
  refused(head_of(without("Sec-WebSocket-Key")), 400, errc::key_invalid);
  refused(head_of(plus("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")), 400, errc::key_invalid);
}

TEST(check_upgrade, every_byte_in_the_key) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
    key[10] = static_cast<char>(byte);
    http_head head = head_of(without("Sec-WebSocket-Key"));
    if (!head.fields.add("Sec-WebSocket-Key", key)) continue;
    const bool base64 = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                        byte == '+' || byte == '/';
    if (base64) {
      accepted(head);
    } else {
      refused(head, 400, errc::key_invalid);
    }
  }
}

std::vector<std::string> subprotocols_of(const http_head& head) {
  upgrade_request request;
  refusal why;
  EXPECT_TRUE(check_upgrade(head, request, why)) << why.text;
  return {request.subprotocols.begin(), request.subprotocols.end()};
}

TEST(check_upgrade, subprotocols_keep_their_order_and_may_be_split) {
  using names = std::vector<std::string>;
  EXPECT_EQ(subprotocols_of(head_of(without("Sec-WebSocket-Protocol"))), names{});
  EXPECT_EQ(subprotocols_of(head_of(with("Sec-WebSocket-Protocol", "b,\ta , , c"))), (names{"b", "a", "c"}));
  EXPECT_EQ(subprotocols_of(head_of(plus("sec-websocket-protocol", "more"))), (names{"chat", "superchat", "more"}));
  EXPECT_EQ(subprotocols_of(head_of(with("Sec-WebSocket-Protocol", "Chat, chat"))), (names{"Chat", "chat"}));
}

TEST(check_upgrade, subprotocols_that_are_empty_doubled_or_no_tokens_are_400) {
  for (const char* value : {"", " ", ",", " , ", "a b", "a;b", "a/b", "a, a", "\"a\"", "a, b=c", "a, \xC3\xA9"})
    refused(head_of(with("Sec-WebSocket-Protocol", value)), 400, errc::subprotocol_malformed);
  refused(head_of(plus("Sec-WebSocket-Protocol", "chat")), 400, errc::subprotocol_malformed);
}

TEST(check_upgrade, sixteen_subprotocols_and_not_one_more) {
  std::string names = "p0";
  for (int i = 1; i < 16; ++i)
    names += ", p" + std::to_string(i);
  EXPECT_EQ(subprotocols_of(head_of(with("Sec-WebSocket-Protocol", names))).size(), 16U);
  refused(head_of(with("Sec-WebSocket-Protocol", names + ", p16")), 400, errc::subprotocol_malformed);
}

TEST(check_upgrade, n_04_extension_fields_are_joined) {
  const http_head head = head_of([] {
    field_list fields = plus("Sec-WebSocket-Extensions", "foo");
    fields.emplace_back("sec-websocket-extensions", "bar; baz=2");
    return fields;
  }());
  upgrade_request request;
  refusal why;
  ASSERT_TRUE(check_upgrade(head, request, why));
  EXPECT_EQ(request.extensions, "foo, bar; baz=2");
}

TEST(check_upgrade, n_06_an_empty_extension_field_is_400) {
  refused(head_of(plus("Sec-WebSocket-Extensions", "")), 400, errc::extension_header_malformed);
}

TEST(check_upgrade, unknown_headers_are_ignored) {
  accepted(head_of(plus("X-Anything", "at all")));
  accepted(head_of(plus("Expect", "100-continue")));
}

TEST(is_upgrade, asks_for_an_upgrade_by_either_header) {
  EXPECT_TRUE(hawser::core::is_upgrade(head_of({{"Upgrade", "WebSocket"}})));
  EXPECT_TRUE(hawser::core::is_upgrade(head_of({{"Sec-WebSocket-Key", "x"}})));
  EXPECT_FALSE(hawser::core::is_upgrade(head_of({{"Upgrade", "h2c"}, {"Connection", "Upgrade"}})));
  EXPECT_FALSE(hawser::core::is_upgrade(head_of({})));
}

TEST(choose_subprotocol, the_clients_preference_wins_and_names_match_exactly) {
  upgrade_request request;
  request.subprotocols = {"b", "a", "C"};
  EXPECT_EQ(hawser::core::choose_subprotocol(request, {"a", "b"}), "b");
  EXPECT_EQ(hawser::core::choose_subprotocol(request, {"c", "a"}), "a");
  EXPECT_EQ(hawser::core::choose_subprotocol(request, {"c"}), "");
  EXPECT_EQ(hawser::core::choose_subprotocol(request, {}), "");
  EXPECT_EQ(hawser::core::choose_subprotocol({}, {"a", ""}), "");
}

TEST(resource_name, of_both_forms) {
  EXPECT_EQ(resource_name("/chat?x=1"), "/chat?x=1");
  EXPECT_EQ(resource_name("http://example.com/chat?x=1"), "/chat?x=1");
  EXPECT_EQ(resource_name("WSS://example.com:9/"), "/");
  EXPECT_EQ(resource_name("https://example.com"), "/");
  for (const char* target : {"", "*", "chat", "ftp://h/x", "http://h?x", "http:/h/x", "example.com:80", "/a#f"})
    EXPECT_EQ(resource_name(target), "") << target;
}

// ---- Host -----------------------------------------------------------------------------------------------------------

struct verdict {
  int status = 101;
  errc error = errc::ok;
};

verdict policy_of(const http_head& head, const server_policy& policy = {}, bool secure = false) {
  refusal why;
  if (check_policy(head, policy, secure, why)) return {};
  expect_one_printable_line(why.text);
  return {why.status, why.error};
}

void expect_policy(const http_head& head, int status, errc error, const server_policy& policy = {},
                   bool secure = false) {
  const verdict got = policy_of(head, policy, secure);
  EXPECT_EQ(got.status, status) << head.fields.joined("Host") << " from " << head.fields.joined("Origin");
  EXPECT_EQ(got.error, error);
}

void expect_served(const http_head& head, const server_policy& policy = {}, bool secure = false) {
  expect_policy(head, 101, errc::ok, policy, secure);
}

TEST(check_policy, exactly_one_well_formed_host) {
  for (const char* host : {"h", "h:80", "h:", "127.0.0.1:9001", "[::1]", "[::1]:9001", "H.example."})
    expect_served(head_of({{"Host", host}}));
  for (const char* host : {"", ":80", "h:0", "h:65536", "h:x", "a b", "h/", "u@h", "[::1", "::1", "h,i", "h#", "h?q",
                           "b\303\274cher", "h:80:80", "http://h", "127.1"})
    expect_policy(head_of({{"Host", host}}), 400, errc::host_invalid);
  expect_policy(head_of({}), 400, errc::host_invalid);
  expect_policy(head_of({{"Host", "h"}, {"host", "h"}}), 400, errc::host_invalid);
}

TEST(check_policy, a_target_in_absolute_form_names_the_same_server) {
  expect_served(head_of({{"Host", "h"}}, "GET", "http://h/chat"));
  expect_served(head_of({{"Host", "H:80"}}, "GET", "http://h/chat"));
  expect_served(head_of({{"Host", "h:9"}}, "GET", "http://h:9"));
  for (const char* target : {"http://other/chat", "http://h:81/chat", "http://u@h/chat", "http:///chat", "http://h:x/"})
    expect_policy(head_of({{"Host", "h"}}, "GET", target), 400, errc::host_invalid);
}

// G2: a page of evil.test, whose name leads to 127.0.0.1, sends its own name as Host.
TEST(check_policy, g2_hosts_that_are_not_allowed_are_421) {
  server_policy policy;
  policy.allowed_hosts = hawser::core::loopback_hosts();
  EXPECT_EQ(policy.allowed_hosts, (std::vector<std::string>{"localhost", "127.0.0.1", "[::1]"}));
  for (const char* host : {"localhost", "LocalHost:9001", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9001",
                           "[0:0:0:0:0:0:0:1]", "[::0001]"})
    expect_served(head_of({{"Host", host}}), policy);
  for (const char* host : {"evil.test", "localhost.evil.test", "evil-localhost", "127.0.0.2", "[::2]", "localhost.",
                           "[::ffff:127.0.0.1]", "0.0.0.0"})
    expect_policy(head_of({{"Host", host}}), 421, errc::host_not_served, policy);
  expect_policy(head_of({{"Host", "evil.test"}, {"Origin", "http://evil.test"}}), 421, errc::host_not_served, policy);
}

// ---- Origin ---------------------------------------------------------------------------------------------------------

http_head from(std::string origin, std::string host = "example.com") {
  return head_of({{"Host", std::move(host)}, {"Origin", std::move(origin)}});
}

TEST(check_policy, g1_no_origin_is_no_browser) { expect_served(head_of({{"Host", "example.com"}})); }

TEST(check_policy, g1_the_own_origin_is_served) {
  expect_served(from("http://example.com"));
  expect_served(from("http://example.com:80"));
  expect_served(from("HTTP://Example.COM"));
  expect_served(from("http://example.com:9001", "example.com:9001"));
  expect_served(from("http://[::1]:9001", "[0::1]:9001"));
  expect_served(from("https://example.com"), {}, true);
  expect_served(from("https://example.com:443"), {}, true);
}

TEST(check_policy, g1_any_other_origin_is_403) {
  for (const char* origin : {"null",
                             "",
                             "http://example.com:81",
                             "https://example.com",
                             "https://example.com:80",
                             "http://evil-example.com",
                             "http://example.com.evil.test",
                             "http://evil.test",
                             "http://www.example.com",
                             "http://user@example.com",
                             "http://example.com@evil.test",
                             "http://example.com/",
                             "http://example.com/path",
                             "http://example.com?q",
                             "http://example.com#f",
                             "http://ex\xC3\xA4mple.com",
                             "http://xn--exmple-cua.com",
                             "http://example.com ,x",
                             "example.com",
                             "//example.com",
                             "file://",
                             "http://",
                             "http://example.com.",
                             "http://example.com:x",
                             "http://example.com http://evil.test",
                             "ws://example.com",
                             "chrome-extension://abcdef",
                             "*"})
    expect_policy(from(origin), 403, errc::origin_denied);
  expect_policy(from("http://example.com"), 403, errc::origin_denied, {}, true);
}

TEST(check_policy, g1_two_origins_are_400) {
  expect_policy(head_of({{"Host", "example.com"}, {"Origin", "http://example.com"}, {"origin", "http://example.com"}}),
                400, errc::http_malformed);
}

TEST(check_policy, g1_allowed_origins_are_compared_as_origins) {
  server_policy policy;
  policy.allowed_origins = {"https://App.example:443", "chrome-extension://abcdef", "http://xn--bcher-kva.test"};
  for (const char* origin : {"https://app.example", "https://APP.example:443", "chrome-extension://abcdef",
                             "http://xn--bcher-kva.test", "http://example.com"})
    expect_served(from(origin), policy);
  for (const char* origin : {"http://app.example", "https://app.example:444", "https://evil-app.example",
                             "https://app.example.evil.test", "chrome-extension://abcdee", "null"})
    expect_policy(from(origin), 403, errc::origin_denied, policy);
}

TEST(check_policy, g1_any_origin_must_be_asked_for) {
  server_policy policy;
  policy.any_origin = true;
  for (const char* origin : {"null", "http://evil.test", "garbage"})
    expect_served(from(origin), policy);
}

TEST(check_policy, a_peers_bytes_are_escaped_and_cut_in_the_text) {
  refusal why;
  EXPECT_FALSE(check_policy(from("http://e\xC3\xA9" + std::string(5000, 'x')), {}, false, why));
  expect_one_printable_line(why.text);
  EXPECT_LT(why.text.size(), 300U);
  EXPECT_NE(why.text.find("\\xc3\\xa9"), std::string::npos);
}

TEST(check_server_policy, entries_that_could_never_match_are_refused) {
  std::string why;
  server_policy policy{{"h.test", "[::1]", "127.0.0.1"}, {"https://h.test", "http://h:8080", "app://x"}, false};
  EXPECT_TRUE(check_server_policy(policy, &why)) << why;
  for (const char* host : {"", "h:80", "http://h", "h/", "::1", "*.h.test", "u@h"}) {
    EXPECT_EQ(check_server_policy({{host}, {}, false}, &why).error(), make_error_code(errc::invalid_argument)) << host;
    expect_one_printable_line(why);
  }
  for (const char* origin : {"", "null", "*", "h.test", "https://h.test/", "https://u@h.test", "https://*.h.test"}) {
    EXPECT_EQ(check_server_policy({{}, {origin}, false}, &why).error(), make_error_code(errc::invalid_argument));
    expect_one_printable_line(why);
  }
  EXPECT_FALSE(check_server_policy({{""}, {}, false}));
}

// ---- what goes out --------------------------------------------------------------------------------------------------

struct answer {
  http_head head;
  std::string body;
};

answer read_answer(const std::string& text) {
  head_parser parser(head_parser::expects::response);
  std::size_t consumed = 0;
  EXPECT_EQ(parser.feed(as_bytes(text), consumed), head_parser::state::complete) << text;
  return {std::move(parser.head()), text.substr(consumed)};
}

std::string value_of(const std::string& text, std::string_view name) {
  const http_head head = read_answer(text).head;
  return std::string(head.fields.find(name).value_or("absent"));
}

TEST(switching_protocols, the_sample_of_the_rfc_byte_by_byte) {
  EXPECT_EQ(hawser::core::switching_protocols("dGhlIHNhbXBsZSBub25jZQ==", "chat", "", {}),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "Sec-WebSocket-Protocol: chat\r\n"
            "\r\n");
}

TEST(switching_protocols, n_06_what_is_empty_adds_no_field_and_extra_fields_follow) {
  headers extra;
  ASSERT_TRUE(extra.add("X-Node", "7"));
  const answer plain = read_answer(hawser::core::switching_protocols("k", "", "", {}));
  EXPECT_EQ(plain.head.fields.size(), 3U);
  const answer full = read_answer(hawser::core::switching_protocols("k", "p", "a; x=1, b", extra));
  EXPECT_EQ(full.head.fields.find("Sec-WebSocket-Protocol"), "p");
  EXPECT_EQ(full.head.fields.find("Sec-WebSocket-Extensions"), "a; x=1, b");
  EXPECT_EQ(full.head.fields.find("X-Node"), "7");
}

// The table of statuses; E8: whatever is refused, the connection is over.
TEST(refusal_response, every_error_has_its_status_and_closes) {
  const std::vector<std::pair<errc, int>> table = {
      {errc::http_malformed, 400},       {errc::http_body, 400},
      {errc::host_invalid, 400},         {errc::not_an_upgrade, 400},
      {errc::key_invalid, 400},          {errc::subprotocol_malformed, 400},
      {errc::extension_missing, 400},    {errc::extension_header_malformed, 400},
      {errc::origin_denied, 403},        {errc::not_found, 404},
      {errc::http_method, 405},          {errc::handshake_timeout, 408},
      {errc::http_target_too_long, 414}, {errc::host_not_served, 421},
      {errc::version_unsupported, 426},  {errc::http_head_too_large, 431},
      {errc::server_full, 503},          {errc::http_version, 505},
      {errc::handler_threw, 500},        {errc::ok, 500}};
  for (const auto& [error, status] : table) {
    const answer got = read_answer(refusal_response(refusal_for(error, "Because.")));
    EXPECT_EQ(got.head.status, status);
    EXPECT_TRUE(got.head.fields.lists("Connection", "close")) << status;
    EXPECT_EQ(got.head.fields.find("Content-Length"), std::to_string(got.body.size()));
    EXPECT_EQ(got.body, "Because.\n");
    EXPECT_NE(got.head.reason, "");
    EXPECT_EQ(got.head.fields.count("Allow"), status == 405 ? 1U : 0U);
    EXPECT_EQ(got.head.fields.count("Retry-After"), status == 503 ? 1U : 0U);
    EXPECT_EQ(got.head.fields.count("Sec-WebSocket-Version"), status == 426 ? 1U : 0U);
  }
}

TEST(refusal_response, what_a_status_demands) {
  const headers version = read_answer(refusal_response(refusal_for(errc::version_unsupported))).head.fields;
  EXPECT_EQ(version.find("Sec-WebSocket-Version"), "13");
  EXPECT_EQ(version.find("Upgrade"), "websocket");
  EXPECT_TRUE(version.lists("Connection", "upgrade"));
  EXPECT_EQ(value_of(refusal_response(refusal_for(errc::http_method)), "Allow"), "GET");
  EXPECT_EQ(value_of(refusal_response(refusal_for(errc::server_full)), "Retry-After"), "5");
}

TEST(refusal_response, without_a_text_the_error_speaks_for_itself) {
  EXPECT_EQ(refusal_for(errc::not_found).text, hawser::describe(errc::not_found));
}

TEST(refusal_response, an_application_may_refuse_with_fields_of_its_own) {
  refusal why;
  why.status = 401;
  why.text = "Who are you?";
  ASSERT_TRUE(why.extra.add("WWW-Authenticate", "Basic realm=\"x\""));
  const answer got = read_answer(refusal_response(why));
  EXPECT_EQ(got.head.status, 401);
  EXPECT_EQ(got.head.reason, "Unauthorized");
  EXPECT_EQ(got.head.fields.find("WWW-Authenticate"), "Basic realm=\"x\"");
}

TEST(refusal_response, a_status_that_refuses_nothing_becomes_500) {
  for (int status = -1; status <= 1000; ++status) {
    refusal why;
    why.status = status;
    const int sent = read_answer(refusal_response(why)).head.status;
    ASSERT_EQ(sent, status >= 300 && status <= 599 ? status : 500);
  }
}

TEST(page_response, has_its_length_and_cannot_be_split) {
  const answer page = read_answer(hawser::core::page_response("text/html", "<p>hi</p>"));
  EXPECT_EQ(page.head.status, 200);
  EXPECT_EQ(page.body, "<p>hi</p>");
  EXPECT_EQ(page.head.fields.find("Content-Type"), "text/html");
  EXPECT_EQ(page.head.fields.find("Content-Length"), "9");
  EXPECT_EQ(page.head.fields.find("Connection"), "close");
  EXPECT_EQ(page.head.fields.find("X-Content-Type-Options"), "nosniff");
  const answer evil = read_answer(hawser::core::page_response("text/html\r\nSet-Cookie: a=b", ""));
  EXPECT_EQ(evil.head.fields.find("Content-Type"), "application/octet-stream");
  EXPECT_EQ(evil.head.fields.count("Set-Cookie"), 0U);
}

TEST(check_extra_headers, the_librarys_own_fields_are_refused) {
  for (const char* name : {"Upgrade", "CONNECTION", "content-length", "Transfer-Encoding", "Sec-WebSocket-Key",
                           "sec-websocket-accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-"}) {
    headers extra;
    ASSERT_TRUE(extra.add(name, "x"));
    std::string why;
    EXPECT_EQ(hawser::core::check_extra_headers(extra, &why).error(), make_error_code(errc::invalid_header)) << name;
    EXPECT_NE(why.find(name), std::string::npos);
    EXPECT_FALSE(hawser::core::check_extra_headers(extra));
  }
  headers fine;
  for (const char* name : {"Host", "Cookie", "Cookie", "Authorization", "Sec-WebSocket", "Upgrade-Insecure-Requests"})
    ASSERT_TRUE(fine.add(name, "x"));
  EXPECT_TRUE(hawser::core::check_extra_headers(fine));
  ASSERT_TRUE(fine.add("host", "y"));
  EXPECT_FALSE(hawser::core::check_extra_headers(fine));
}

}  // namespace
