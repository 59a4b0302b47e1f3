#include <gtest/gtest.h>
#include <hawser/core/handshake.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using hawser::as_bytes;
using hawser::errc;
using hawser::head_parser;
using hawser::http_head;
using hawser::url;
using hawser::core::check_client_request;
using hawser::core::check_response;
using hawser::core::client_request;
using hawser::core::upgrade_response;

using field_list = std::vector<std::pair<std::string, std::string>>;

const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
const field_list sample = {
    {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};

field_list with(std::string name, std::string value) {
  field_list fields = sample;
  std::erase_if(fields, [&](const auto& f) { return f.first == name; });
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

field_list plus(std::string name, std::string value) {
  field_list fields = sample;
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

field_list without(std::string_view name) {
  field_list fields = sample;
  std::erase_if(fields, [&](const auto& f) { return f.first == name; });
  return fields;
}

http_head head_of(const field_list& fields, int status = 101, std::string reason = "Switching Protocols") {
  http_head head;
  head.status = status;
  head.reason = std::move(reason);
  for (const auto& [name, value] : fields)
    EXPECT_TRUE(head.fields.add(name, value));
  return head;
}

client_request asking(std::vector<std::string> subprotocols = {}) {
  client_request request;
  request.subprotocols = std::move(subprotocols);
  return request;
}

void expect_sentence(const std::string& text) {
  EXPECT_NE(text, "");
  EXPECT_LT(text.size(), 400U);
  for (const char c : text)
    EXPECT_TRUE(c >= ' ' && c <= '~') << text;
}

std::string refused(const field_list& fields, errc error, const client_request& asked = {}, bool strict = false) {
  const http_head head = head_of(fields);
  upgrade_response out;
  std::string why;
  EXPECT_EQ(check_response(head, key, asked, strict, out, why).error(), make_error_code(error)) << why;
  expect_sentence(why);
  return why;
}

upgrade_response accepted(const http_head& head, const client_request& asked = {}, bool strict = false) {
  upgrade_response out;
  std::string why;
  EXPECT_TRUE(check_response(head, key, asked, strict, out, why)) << why;
  EXPECT_EQ(why, "");
  return out;
}

// ---- the request: RFC 6455, 4.1 -------------------------------------------------------------------------------------

http_head request_of(std::string_view address, const client_request& request) {
  const url to = hawser::parse_url(address).value();
  const std::string text = upgrade_request_text(to, key, request);
  head_parser parser(head_parser::expects::request);
  std::size_t consumed = 0;
  EXPECT_EQ(parser.feed(as_bytes(text), consumed), head_parser::state::complete) << text;
  EXPECT_EQ(consumed, text.size());
  return std::move(parser.head());
}

std::string value_of(const http_head& head, std::string_view name) {
  return std::string(head.fields.find(name).value_or("absent"));
}

// RFC 6455, 4.1 prints "...EC==", which is not what any encoder makes of these bytes (errata).
TEST(client_handshake, make_key_is_the_rfcs_example) {
  std::array<std::byte, 16> random{};
  for (std::size_t i = 0; i < random.size(); ++i)
    random[i] = static_cast<std::byte>(i + 1);
  EXPECT_EQ(hawser::core::make_key(random), "AQIDBAUGBwgJCgsMDQ4PEA==");
}

TEST(client_handshake, the_request_byte_by_byte) {
  client_request request = asking({"chat", "superchat"});
  request.extensions = "foo; x=1, bar";
  ASSERT_TRUE(request.extra.add("Cookie", "a=b"));
  EXPECT_EQ(upgrade_request_text(hawser::parse_url("ws://h:9001/chat?x").value(), key, request),
            "GET /chat?x HTTP/1.1\r\n"
            "Host: h:9001\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: chat, superchat\r\n"
            "Sec-WebSocket-Extensions: foo; x=1, bar\r\n"
            "Cookie: a=b\r\n"
            "\r\n");
}

TEST(client_handshake, n_06_nothing_asked_adds_no_field) {
  const http_head head = request_of("wss://h/", {});
  EXPECT_EQ(head.fields.size(), 5U);
  EXPECT_EQ(head.fields.find("Host"), "h");
}

TEST(client_handshake, host_may_be_replaced) {
  client_request request;
  ASSERT_TRUE(request.extra.add("host", "other.test"));
  ASSERT_TRUE(request.extra.add("X-A", "1"));
  const http_head head = request_of("ws://h/", request);
  EXPECT_EQ(head.fields.count("Host"), 1U);
  EXPECT_EQ(head.fields.find("Host"), "other.test");
  EXPECT_EQ(head.fields.find("X-A"), "1");
}

TEST(client_handshake, our_own_server_checks_pass_it) {
  client_request request = asking({"a", "b"});
  request.extensions = "x-rot13";
  const http_head head = request_of("ws://[::1]:9001/chat", request);
  hawser::core::upgrade_request read;
  hawser::core::refusal why;
  EXPECT_TRUE(hawser::core::check_policy(head, {}, false, why)) << why.text;
  EXPECT_TRUE(hawser::core::check_upgrade(head, read, why)) << why.text;
  EXPECT_EQ(read.extensions, "x-rot13");
  EXPECT_EQ(read.subprotocols, (std::vector<std::string_view>{"a", "b"}));
}

// ---- what a caller may set: E6, E7 ----------------------------------------------------------------------------------

errc check(const client_request& request) {
  std::string why;
  const hawser::result<void> checked = check_client_request(request, &why);
  EXPECT_EQ(why.empty(), checked.has_value());
  if (!checked) expect_sentence(why);
  EXPECT_EQ(check_client_request(request).has_value(), checked.has_value());
  return checked ? errc::ok : hawser::to_errc(checked.error());
}

TEST(client_request, subprotocols_are_distinct_tokens_at_most_sixteen) {
  EXPECT_EQ(check({}), errc::ok);
  EXPECT_EQ(check(asking({"a", "A", "b.c-d_e"})), errc::ok);
  EXPECT_EQ(check(asking({"a", "b", "a"})), errc::invalid_subprotocol);
  for (const char* name : {"", " ", "a b", "a,b", "a/b", "a\r\nX: y", "\xC3\xA9"})
    EXPECT_EQ(check(asking({name})), errc::invalid_subprotocol) << name;
  std::vector<std::string> many;
  for (int i = 0; i < 16; ++i)
    many.push_back("p" + std::to_string(i));
  EXPECT_EQ(check(asking(many)), errc::ok);
  many.push_back("p16");
  EXPECT_EQ(check(asking(many)), errc::invalid_subprotocol);
}

TEST(client_request, the_librarys_own_fields_are_refused) {
  for (const char* name : {"Upgrade", "Connection", "Sec-WebSocket-Key", "sec-websocket-version", "Content-Length"}) {
    client_request request;
    ASSERT_TRUE(request.extra.add(name, "x"));
    EXPECT_EQ(check(request), errc::invalid_header) << name;
  }
}

// All 256 bytes in every string a caller sets: refused at set time, or on the wire exactly as they were set.
TEST(client_request, e6_every_byte_in_every_settable_field) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "b";
    const bool token = hawser::is_token(text);

    client_request subprotocol = asking({text});
    EXPECT_EQ(check(subprotocol), token ? errc::ok : errc::invalid_subprotocol);
    if (token) {
      EXPECT_EQ(value_of(request_of("ws://h/", subprotocol), "Sec-WebSocket-Protocol"), text);
    }

    client_request extension;
    extension.extensions = text;
    const errc offered = check(extension);
    EXPECT_EQ(offered, token || byte == ',' || byte == ';' ? errc::ok : errc::invalid_header);
    if (offered == errc::ok) {
      EXPECT_EQ(value_of(request_of("ws://h/", extension), "Sec-WebSocket-Extensions"), text);
    }

    client_request name;
    EXPECT_EQ(name.extra.add(text, "v").has_value(), token);
    EXPECT_EQ(request_of("ws://h/", name).fields.count(text), token ? 1U : 0U);

    client_request value;
    const bool allowed = byte == '\t' || (byte >= ' ' && byte != 0x7F);
    EXPECT_EQ(value.extra.add("X-Value", text).has_value(), allowed);
    EXPECT_EQ(request_of("ws://h/", value).fields.count("X-Value"), allowed ? 1U : 0U);

    client_request host;
    if (host.extra.add("Host", text)) {
      EXPECT_EQ(value_of(request_of("ws://h/", host), "Host"), text);
    }
  }
}

// ---- the answer -----------------------------------------------------------------------------------------------------

TEST(check_response, the_sample_of_the_rfc) {
  const upgrade_response out = accepted(head_of(sample));
  EXPECT_EQ(out.subprotocol, "");
  EXPECT_EQ(out.extensions, "");
  accepted(head_of(plus("Server", "anything")));
  accepted(head_of(sample, 101, ""));
}

TEST(check_response, every_other_status_is_refused_and_named) {
  for (int status = 100; status < 1000; ++status) {
    if (status == 101) continue;
    const http_head head = head_of(sample, status, "Reason");
    upgrade_response out;
    std::string why;
    EXPECT_EQ(check_response(head, key, {}, false, out, why).error(), make_error_code(errc::http_refused));
    EXPECT_NE(why.find(std::to_string(status) + " Reason"), std::string::npos) << why;
    expect_sentence(why);
  }
}

TEST(check_response, the_sentence_says_what_to_do) {
  const std::vector<std::pair<int, std::string>> table = {
      {200, "a page"},   {400, "malformed"}, {401, "Authorization"}, {403, "Origin"},
      {404, "the URL"},  {421, "host name"}, {426, "version 13"},    {503, "later"},
      {500, "operator"}, {418, "want"},      {301, "redirects"}};
  for (const auto& [status, word] : table) {
    upgrade_response out;
    std::string why;
    EXPECT_FALSE(check_response(head_of({}, status, "x"), key, {}, false, out, why));
    EXPECT_NE(why.find(word), std::string::npos) << status << ": " << why;
  }
}

// F2: redirects are off; the place is named, and a hostile one cannot forge the line.
TEST(check_response, f2_a_redirect_names_its_place) {
  upgrade_response out;
  std::string why;
  EXPECT_FALSE(check_response(head_of({{"Location", "wss://new.example/"}}, 302, "Found"), key, {}, false, out, why));
  EXPECT_NE(why.find("wss://new.example/"), std::string::npos);
  EXPECT_FALSE(check_response(head_of({{"Location", "\x80\xFF" + std::string(9000, 'x')}}, 302, "\x80\t"), key, {},
                              false, out, why));
  expect_sentence(why);
}

TEST(check_response, upgrade_is_exactly_websocket) {
  for (const char* value : {"websocket", "WebSocket", "WEBSOCKET"})
    accepted(head_of(with("Upgrade", value)));
  for (const char* value : {"", "websocket, h2c", "h2c", "websocket/13", "web socket"})
    refused(with("Upgrade", value), errc::not_an_upgrade);
  refused(without("Upgrade"), errc::not_an_upgrade);
  refused(plus("Upgrade", "websocket"), errc::not_an_upgrade);
}

TEST(check_response, connection_lists_upgrade) {
  for (const char* value : {"upgrade", "UPGRADE", "keep-alive, upgrade"})
    accepted(head_of(with("Connection", value)));
  for (const char* value : {"", "close", "upgraded", "keep-alive"})
    refused(with("Connection", value), errc::not_an_upgrade);
  refused(without("Connection"), errc::not_an_upgrade);
}

TEST(check_response, the_accept_key_fits_to_the_byte) {
  const std::string right = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  for (std::size_t at = 0; at < right.size(); ++at) {
    std::string wrong = right;
    wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
    refused(with("Sec-WebSocket-Accept", wrong), errc::accept_invalid);
  }
  for (const std::string& value : {std::string(), right + "=", right.substr(1), right + ", " + right,
                                   "\"" + right + "\"", std::string("S3PPLMBITXAQ9KYGZZHZRBK+XOO=")})
    refused(with("Sec-WebSocket-Accept", value), errc::accept_invalid);
  refused(without("Sec-WebSocket-Accept"), errc::accept_invalid);
  refused(plus("sec-websocket-accept", right), errc::accept_invalid);
  accepted(head_of(with("Sec-WebSocket-Accept", " " + right + "\t")));
}

TEST(check_response, e11_only_one_subprotocol_and_only_an_offered_one) {
  const client_request asked = asking({"chat", "superchat"});
  const http_head head = head_of(plus("Sec-WebSocket-Protocol", "superchat"));
  EXPECT_EQ(accepted(head, asked).subprotocol, "superchat");
  EXPECT_EQ(accepted(head_of(sample), asked).subprotocol, "");
  for (const char* value : {"", "Chat", "other", "chat, superchat", "chat,", "\"chat\"", "chat superchat"})
    refused(plus("Sec-WebSocket-Protocol", value), errc::subprotocol_not_offered, asked);
  refused(plus("Sec-WebSocket-Protocol", "chat"), errc::subprotocol_not_offered);
  field_list twice = plus("Sec-WebSocket-Protocol", "chat");
  twice.emplace_back("sec-websocket-protocol", "chat");
  refused(twice, errc::subprotocol_not_offered, asked);
}

TEST(check_response, n_05_a_split_extension_field_is_joined_or_refused) {
  field_list split = plus("Sec-WebSocket-Extensions", "foo");
  split.emplace_back("sec-websocket-extensions", "bar; baz=2");
  EXPECT_EQ(accepted(head_of(split)).extensions, "foo, bar; baz=2");
  refused(split, errc::extension_header_malformed, {}, true);
  EXPECT_EQ(accepted(head_of(plus("Sec-WebSocket-Extensions", "foo, bar; baz=2")), {}, true).extensions,
            "foo, bar; baz=2");
}

TEST(check_response, n_06_an_empty_extension_field_is_refused) {
  for (const char* value : {"", " ", ",", " , ,"})
    refused(plus("Sec-WebSocket-Extensions", value), errc::extension_header_malformed);
  field_list split = plus("Sec-WebSocket-Extensions", "");
  split.emplace_back("Sec-WebSocket-Extensions", "");
  refused(split, errc::extension_header_malformed);
}

TEST(check_response, every_check_of_a_refusal_leaves_nothing_behind) {
  upgrade_response out;
  out.extensions = "old";
  out.subprotocol = "old";
  std::string why;
  EXPECT_FALSE(check_response(head_of({}), key, {}, false, out, why));
  EXPECT_EQ(out.extensions, "");
  EXPECT_EQ(out.subprotocol, "");
}

}  // namespace
