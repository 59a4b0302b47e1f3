#include "support/cutter.h"

#include <gtest/gtest.h>
#include <hawser/core/http.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using hawser::as_bytes;
using hawser::byte_span;
using hawser::byte_view;
using hawser::errc;
using hawser::head_parser;
using hawser::headers;
using hawser::http_head;
using hawser::http_limits;
using state = head_parser::state;
using expects = head_parser::expects;

struct outcome {
  state at = state::need_more;
  errc error = errc::ok;
  std::size_t consumed = 0;
  std::size_t looked_at = 0;
  http_head head;
};

outcome parse_pieces(std::span<const byte_span> pieces, expects what, const http_limits& limits) {
  outcome out;
  head_parser parser(what, limits);
  for (const byte_span piece : pieces) {
    std::size_t consumed = 0;
    out.at = parser.feed(piece, consumed);
    out.consumed += consumed;
    EXPECT_LE(consumed, piece.size());
    if (out.at != state::need_more) break;
    EXPECT_EQ(consumed, piece.size()) << "a parser that needs more takes all there is";
  }
  out.error = parser.error();
  out.looked_at = parser.looked_at();
  out.head = std::move(parser.head());
  EXPECT_EQ(out.error != errc::ok, out.at == state::failed);
  return out;
}

void expect_same(const outcome& a, const outcome& b) {
  EXPECT_EQ(a.at, b.at);
  EXPECT_EQ(a.error, b.error);
  if (a.at != state::complete || b.at != state::complete) return;
  EXPECT_EQ(a.consumed, b.consumed);
  EXPECT_EQ(a.head.method, b.head.method);
  EXPECT_EQ(a.head.target, b.head.target);
  EXPECT_EQ(a.head.status, b.head.status);
  EXPECT_EQ(a.head.reason, b.head.reason);
  ASSERT_EQ(a.head.fields.size(), b.head.fields.size());
  for (std::size_t i = 0; i < a.head.fields.size(); ++i)
    EXPECT_EQ(a.head.fields[i], b.head.fields[i]);
}

// Parses whole, byte by byte and in random cuts; all agree, and the work stays linear (E1). Gives the whole's outcome.
outcome parse(std::string_view text, expects what = expects::request, const http_limits& limits = {}) {
  std::vector<outcome> all;
  hawser::test::in_every_cutting(
      as_bytes(text),
      [&](std::span<const byte_span> pieces) {
        all.push_back(parse_pieces(pieces, what, limits));
        expect_same(all.front(), all.back());
        EXPECT_LE(all.back().looked_at, 2 * text.size());
      },
      8);
  return std::move(all.front());
}

http_head good(std::string_view text, expects what = expects::request) {
  outcome out = parse(text, what);
  EXPECT_EQ(out.at, state::complete) << text;
  EXPECT_EQ(out.consumed, text.size());
  return std::move(out.head);
}

void refused(std::string_view text, errc expected, expects what = expects::request) {
  EXPECT_EQ(parse(text, what).error, expected) << text;
}

std::string request_with(std::string_view lines) { return "GET / HTTP/1.1\r\n" + std::string(lines) + "\r\n"; }

bool is_tchar(int byte) {
  const std::string_view set = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return byte > 0 && set.find(static_cast<char>(byte)) != std::string_view::npos;
}

bool is_value_byte(int byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7F); }

std::string one(int byte) { return std::string(1, static_cast<char>(byte)); }

// ---- headers --------------------------------------------------------------------------------------------------------

TEST(headers, are_found_without_case_counted_joined_and_kept_in_order) {
  headers h;
  ASSERT_TRUE(h.add("Cookie", "a=1"));
  ASSERT_TRUE(h.add("X-Token", "t"));
  ASSERT_TRUE(h.add("cookie", "b=2"));
  EXPECT_EQ(h.find("COOKIE"), "a=1");
  EXPECT_EQ(h.find("absent"), std::nullopt);
  EXPECT_EQ(h.count("Cookie"), 2U);
  EXPECT_EQ(h.count("absent"), 0U);
  EXPECT_EQ(h.joined("Cookie"), "a=1, b=2");
  EXPECT_EQ(h.joined("absent"), "");
  std::string all;
  for (const headers::field& f : h)
    all += std::string(f.name) + "=" + std::string(f.value) + ";";
  EXPECT_EQ(all, "Cookie=a=1;X-Token=t;cookie=b=2;");
  EXPECT_EQ(h.size(), 3U);
}

TEST(headers, an_empty_value_is_not_an_absent_one) {
  headers h;
  EXPECT_TRUE(h.empty());
  ASSERT_TRUE(h.add("A", ""));
  EXPECT_EQ(h.find("A"), "");
  EXPECT_FALSE(h.empty());
}

TEST(headers, copies_and_moved_ones_stand_alone) {
  headers a;
  ASSERT_TRUE(a.add("A", "1"));
  headers b = a;
  ASSERT_TRUE(b.add("B", std::string(100, 'x')));
  EXPECT_EQ(a.size(), 1U);
  const headers c = std::move(b);
  EXPECT_EQ(c.find("A"), "1");
  EXPECT_EQ(c.find("B"), std::string(100, 'x'));
}

TEST(headers, a_field_can_be_added_from_a_view_of_another_one) {
  headers h;
  ASSERT_TRUE(h.add("A", "v"));
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(h.add(h[0].name, h[h.size() - 1].value));
  for (const headers::field& f : h) {
    EXPECT_EQ(f.name, "A");
    EXPECT_EQ(f.value, "v");
  }
}

TEST(headers, lists_looks_into_every_field_of_the_name) {
  headers h;
  ASSERT_TRUE(h.add("Connection", "keep-alive, close"));
  ASSERT_TRUE(h.add("connection", " , UPGRADE ,"));
  EXPECT_TRUE(h.lists("Connection", "upgrade"));
  EXPECT_TRUE(h.lists("Connection", "close"));
  EXPECT_FALSE(h.lists("Connection", "grade"));
  EXPECT_FALSE(h.lists("Upgrade", "upgrade"));
}

// E6, E7: refused at set time, never stripped; a refused field leaves no trace.
TEST(headers, e6_e7_every_byte_in_a_name_and_in_a_value) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    for (const std::string& name : {one(byte), one(byte) + "b", "a" + one(byte) + "b", "a" + one(byte)}) {
      headers h;
      EXPECT_EQ(h.add(name, "v").has_value(), is_tchar(byte));
      EXPECT_EQ(h.size(), is_tchar(byte) ? 1U : 0U);
    }
    for (const std::string& value : {one(byte), one(byte) + "b", "a" + one(byte) + "b", "a" + one(byte)}) {
      headers h;
      EXPECT_EQ(h.add("n", value).has_value(), is_value_byte(byte));
      EXPECT_EQ(h.size(), is_value_byte(byte) ? 1U : 0U);
      EXPECT_EQ(hawser::is_field_value(value), is_value_byte(byte));
    }
    EXPECT_EQ(hawser::is_token(one(byte)), is_tchar(byte));
  }
  headers h;
  EXPECT_EQ(h.add("", "v").error(), make_error_code(errc::invalid_header));
  EXPECT_EQ(h.add("n", "v\r\nX-Evil: 1").error(), make_error_code(errc::invalid_header));
}

TEST(tokens, list_contains_and_equal_no_case) {
  EXPECT_TRUE(hawser::list_contains("keep-alive, Upgrade", "upgrade"));
  EXPECT_TRUE(hawser::list_contains("\tUpgrade\t", "upgrade"));
  EXPECT_TRUE(hawser::list_contains(",,upgrade", "Upgrade"));
  EXPECT_FALSE(hawser::list_contains("", "upgrade"));
  EXPECT_FALSE(hawser::list_contains("upgrades, up grade", "upgrade"));
  EXPECT_FALSE(hawser::is_token(""));
  EXPECT_TRUE(hawser::equal_no_case("aZ09-_", "Az09-_"));
  EXPECT_FALSE(hawser::equal_no_case("a", "ab"));
  EXPECT_FALSE(hawser::equal_no_case("@[`{", "`{@["));
}

// ---- requests -------------------------------------------------------------------------------------------------------

const std::string sample =
    "GET /chat?x=1 HTTP/1.1\r\n"
    "Host: server.example.com\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Origin: http://example.com\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";

TEST(http_request, the_sample_of_the_rfc) {
  const http_head head = good(sample);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?x=1");
  ASSERT_EQ(head.fields.size(), 7U);
  EXPECT_EQ(head.fields[0], (headers::field{"Host", "server.example.com"}));
  EXPECT_EQ(head.fields.find("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(head.fields.find("sec-websocket-version"), "13");
}

TEST(http_request, every_prefix_of_a_head_needs_more) {
  for (std::size_t n = 0; n < sample.size(); ++n)
    EXPECT_EQ(parse(sample.substr(0, n)).at, state::need_more) << n;
}

TEST(http_request, pipelined_bytes_after_the_head_are_not_touched) {
  for (const std::string& after :
       {std::string("\x81\x85mask"), sample, std::string("\r\n\r\n"), std::string(1, '\0')}) {
    const outcome out = parse(sample + after);
    EXPECT_EQ(out.at, state::complete);
    EXPECT_EQ(out.consumed, sample.size());
  }
}

TEST(http_request, after_the_end_nothing_more_is_taken) {
  head_parser parser(expects::request);
  std::size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes(sample), consumed), state::complete);
  EXPECT_EQ(parser.feed(as_bytes("more"), consumed), state::complete);
  EXPECT_EQ(consumed, 0U);
  head_parser failing(expects::request);
  ASSERT_EQ(failing.feed(as_bytes("GET\r\n"), consumed), state::failed);
  EXPECT_EQ(failing.feed(as_bytes(sample), consumed), state::failed);
  EXPECT_EQ(consumed, 0U);
}

TEST(http_request, a_parsed_head_can_grow_and_move) {
  http_head head = good(sample);
  ASSERT_TRUE(head.fields.add("X-Added", "later"));
  const http_head moved = std::move(head);
  EXPECT_EQ(moved.fields.find("host"), "server.example.com");
  EXPECT_EQ(moved.fields.find("x-added"), "later");
}

TEST(http_request, blanks_around_values_are_not_part_of_them) {
  const http_head head = good(request_with("A:1\r\nB: \t 2 3 \t\r\nC:\r\nD: \t \r\nE::\r\n"));
  EXPECT_EQ(head.fields.find("A"), "1");
  EXPECT_EQ(head.fields.find("B"), "2 3");
  EXPECT_EQ(head.fields.find("C"), "");
  EXPECT_EQ(head.fields.find("D"), "");
  EXPECT_EQ(head.fields.find("E"), ":");
}

TEST(http_request, only_http_1_1) {
  for (const char* version : {"HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/9.9"})
    refused("GET / " + std::string(version) + "\r\nHost: h\r\n\r\n", errc::http_version);
  for (const char* version : {"", "http/1.1", "HTTP/1.1 ", " HTTP/1.1", "HTTP/11", "HTTP/1.10", "HTTP/1,1", "HTTPS/1.1",
                              "HTTP/x.1", "HTTP 1.1", "HTTP/1.", "HTTP/1.1\t"})
    refused("GET / " + std::string(version) + "\r\nHost: h\r\n\r\n", errc::http_malformed);
}

TEST(http_request, the_preface_of_http_2_is_another_version) {
  refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errc::http_version);
}

TEST(http_request, http_0_9_and_broken_request_lines) {
  for (const char* line :
       {"GET /", "GET", "GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
        "GET  HTTP/1.1", "G@T / HTTP/1.1", "GET / x HTTP/1.1", "/ HTTP/1.1", "GET:/ HTTP/1.1"})
    refused(std::string(line) + "\r\n\r\n", errc::http_malformed);
}

TEST(http_request, another_protocol_is_known_by_its_first_byte) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = one(byte);
    head_parser parser(expects::request);
    std::size_t consumed = 0;
    const bool possible = is_tchar(byte) || byte == '\r';
    EXPECT_EQ(parser.feed(as_bytes(text), consumed), possible ? state::need_more : state::failed) << byte;
    head_parser client(expects::response);
    EXPECT_EQ(client.feed(as_bytes(text), consumed), byte == 'H' ? state::need_more : state::failed) << byte;
  }
}

// RFC 9112, 2.2.
TEST(http_request, one_empty_line_in_front_is_passed_over) {
  EXPECT_EQ(good("\r\n" + sample).target, "/chat?x=1");
  refused("\r\n\r\n" + sample, errc::http_malformed);
  refused("\n" + sample, errc::http_malformed);
  refused("\r\nHTTP/1.1 101 x\r\n\r\n", errc::http_malformed, expects::response);
}

TEST(http_request, bare_line_ends_are_refused) {
  refused("GET / HTTP/1.1\nHost: h\n\n", errc::http_malformed);
  refused("GET / HTTP/1.1\r\nHost: h\n\r\n", errc::http_malformed);
  refused("GET / HTTP/1.1\r\nHost: h\r\n\n", errc::http_malformed);
  refused("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", errc::http_malformed);
  refused("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", errc::http_malformed);
  refused("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", errc::http_malformed);
}

TEST(http_request, folding_and_blanks_before_the_colon_are_refused) {
  for (const char* lines : {"A: 1\r\n 2\r\n", "A: 1\r\n\t2\r\n", " A: 1\r\n", "A : 1\r\n", "A\t: 1\r\n", "A\r\n",
                            ": 1\r\n", "A 1\r\n", "A B: 1\r\n", " \r\n"})
    refused(request_with(lines), errc::http_malformed);
}

TEST(http_request, every_byte_in_a_header_name_and_value) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const outcome name = parse(request_with("X" + one(byte) + "Y: v\r\n"));
    // A colon only ends the name earlier; a line feed ends the line without its CR.
    EXPECT_EQ(name.error, is_tchar(byte) || byte == ':' ? errc::ok : errc::http_malformed);
    for (const std::string& value : {one(byte), one(byte) + "b", "a" + one(byte) + "b", "a" + one(byte)}) {
      const outcome out = parse(request_with("X: " + value + "\r\n"));
      EXPECT_EQ(out.error, is_value_byte(byte) ? errc::ok : errc::http_malformed);
      if (out.error != errc::ok) continue;
      const bool blank = byte == ' ' || byte == '\t';
      EXPECT_EQ(out.head.fields.find("X")->size(), value.size() - (blank && value.size() < 3 ? 1U : 0U));
    }
  }
}

TEST(http_request, every_byte_in_a_method_and_a_target) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const errc method = parse("G" + one(byte) + "T / HTTP/1.1\r\n\r\n").error;
    EXPECT_EQ(method, is_tchar(byte) ? errc::ok : errc::http_malformed);
    const errc target = parse("GET /a" + one(byte) + "b HTTP/1.1\r\n\r\n").error;
    EXPECT_EQ(target, byte > ' ' && byte < 0x7F ? errc::ok : errc::http_malformed);
  }
}

// ---- responses ------------------------------------------------------------------------------------------------------

TEST(http_response, status_and_reason) {
  http_head head = good("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", expects::response);
  EXPECT_EQ(head.status, 101);
  EXPECT_EQ(head.reason, "Switching Protocols");
  EXPECT_EQ(head.fields.find("upgrade"), "websocket");
  EXPECT_EQ(good("HTTP/1.1 404 \r\n\r\n", expects::response).reason, "");
  EXPECT_EQ(good("HTTP/1.1 404\r\n\r\n", expects::response).status, 404);
  EXPECT_EQ(good("HTTP/1.1 999 \xC3\xA9t\xC3\xA9\r\n\r\n", expects::response).status, 999);
}

TEST(http_response, every_status_of_three_digits) {
  for (int status = 0; status < 1000; ++status) {
    char text[64];
    std::snprintf(text, sizeof text, "HTTP/1.1 %03d x\r\n\r\n", status);
    head_parser parser(expects::response);
    std::size_t consumed = 0;
    const state at = parser.feed(as_bytes(text), consumed);
    const bool interim = status >= 100 && status < 200 && status != 101;
    EXPECT_EQ(at, status < 100 ? state::failed : interim ? state::need_more : state::complete) << status;
    if (at == state::complete) {
      EXPECT_EQ(parser.head().status, status);
    }
  }
}

TEST(http_response, broken_status_lines) {
  for (const char* line :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 1", "HTTP/1.1 10", "HTTP/1.1 1010", "HTTP/1.1 1x1 OK", "HTTP/1.1  101 OK",
        "HTTP/1.1 -10 OK", "HTTP/1.1\t101 OK", "HTTP/1.1 101\tOK", "HTP/1.1 101 OK", "HTTP/1.1101 OK", "H", "HELLO"})
    refused(std::string(line) + "\r\n\r\n", errc::http_malformed, expects::response);
  refused(std::string("HTTP/1.1 101 a\0b\r\n\r\n", 20), errc::http_malformed, expects::response);
  for (const char* version : {"HTTP/1.0", "HTTP/2.0", "HTTP/1.2"})
    refused(std::string(version) + " 101 OK\r\n\r\n", errc::http_version, expects::response);
}

// RFC 9110, 15.2: a client reads past them though it never asked.
TEST(http_response, interim_responses_are_passed_over_within_the_limit) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  const std::string last = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  const http_head head = good("HTTP/1.1 100 Continue\r\n\r\n" + hints + last, expects::response);
  EXPECT_EQ(head.status, 101);
  EXPECT_EQ(head.fields.size(), 1U);
  std::string endless;
  while (endless.size() <= http_limits{}.head)
    endless += hints;
  refused(endless, errc::http_head_too_large, expects::response);
}

// ---- limits: exactly the limit is accepted, one more is not ---------------------------------------------------------

// A request of exactly `size` bytes.
std::string head_of(std::size_t size) {
  std::string text = "GET / HTTP/1.1\r\n";
  while (size - text.size() > 4096)
    text += "A: " + std::string(1019, 'a') + "\r\n";
  const std::size_t rest = size - text.size() - 2;
  const std::size_t half = rest / 2;
  text += "B: " + std::string(half - 5, 'b') + "\r\n";
  text += "C: " + std::string(rest - half - 5, 'c') + "\r\n\r\n";
  EXPECT_EQ(text.size(), size);
  return text;
}

TEST(http_limits, head_16_kib_to_the_byte) {
  EXPECT_EQ(parse(head_of(16 * 1024)).at, state::complete);
  EXPECT_EQ(parse(head_of(16 * 1024 + 1)).error, errc::http_head_too_large);
  EXPECT_EQ(parse(head_of(64 * 1024)).error, errc::http_head_too_large);
}

TEST(http_limits, line_8_kib_to_the_byte) {
  const auto with_line = [](std::size_t size) { return request_with("A: " + std::string(size - 5, 'a') + "\r\n"); };
  EXPECT_EQ(parse(with_line(8 * 1024)).at, state::complete);
  EXPECT_EQ(parse(with_line(8 * 1024 + 1)).error, errc::http_head_too_large);
  // Also while the line has not ended: the 8193rd byte decides, and no more are waited for.
  const std::string open = "GET / HTTP/1.1\r\n" + std::string(8 * 1024, 'a');
  EXPECT_EQ(parse(open).at, state::need_more);
  EXPECT_EQ(parse(open + "a").error, errc::http_head_too_large);
}

TEST(http_limits, target_4_kib_to_the_byte_and_414) {
  const auto with_target = [](std::size_t size) {
    return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  EXPECT_EQ(parse(with_target(4 * 1024)).at, state::complete);
  EXPECT_EQ(parse(with_target(4 * 1024 + 1)).error, errc::http_target_too_long);
  // So long that even the line's own limit cuts it off: still 414, which names the cause.
  EXPECT_EQ(parse(with_target(12 * 1024)).error, errc::http_target_too_long);
  EXPECT_EQ(parse(with_target(20 * 1024)).error, errc::http_target_too_long);
}

// E4: an excess is refused, never cut off in silence, wherever the important field stands.
TEST(http_limits, e4_one_hundred_headers_and_not_one_more) {
  for (const std::size_t count : {1U, 2U, 99U, 100U, 101U, 102U, 500U, 2000U}) {
    for (const bool first : {true, false}) {
      std::string lines;
      if (first) lines += "Upgrade: websocket\r\n";
      for (std::size_t i = 1; i < count; ++i)
        lines += "A:b\r\n";
      if (!first) lines += "Upgrade: websocket\r\n";
      const outcome out = parse(request_with(lines));
      EXPECT_EQ(out.error, count <= 100 ? errc::ok : errc::http_head_too_large) << count;
      if (count > 100) continue;
      EXPECT_EQ(out.head.fields.size(), count);
      EXPECT_EQ(out.head.fields.find("upgrade"), "websocket");
    }
  }
}

TEST(http_limits, any_limit_may_be_set_even_zero) {
  http_limits none;
  none.headers = 0;
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n\r\n", expects::request, none).at, state::complete);
  EXPECT_EQ(parse(request_with("A: b\r\n"), expects::request, none).error, errc::http_head_too_large);
  for (std::size_t size = 0; size <= sample.size(); ++size) {
    http_limits limits;
    limits.head = size;
    const outcome out = parse(sample, expects::request, limits);
    EXPECT_EQ(out.at, size == sample.size() ? state::complete : state::failed) << size;
    EXPECT_LE(out.consumed, size);
  }
}

// E10: a hostile server's response, from one byte to 64 KiB.
TEST(http_limits, e10_responses_of_every_size_class) {
  for (const std::size_t size : {1U, 100U, 8000U, 16000U, 17000U, 65536U}) {
    std::string text = "HTTP/1.1 101 x\r\n";
    while (text.size() < size)
      text += "A: " + std::string(90, 'a') + "\r\n";
    text += "\r\n";
    const outcome out = parse(text, expects::response);
    EXPECT_EQ(out.at, size <= 8000 ? state::complete : state::failed) << size;
    if (size > 8000) {
      EXPECT_EQ(out.error, errc::http_head_too_large);
    }
  }
}

// ---- E1: linear time, by counting the looks -------------------------------------------------------------------------

TEST(http_work, e1_byte_by_byte_costs_what_whole_costs) {
  const std::string text = head_of(16 * 1024);
  const auto looks = [&](std::size_t piece) {
    head_parser parser(expects::request);
    byte_view rest = as_bytes(text);
    while (!rest.empty()) {
      std::size_t consumed = 0;
      parser.feed(rest.first(std::min(piece, rest.size())), consumed);
      rest = rest.subspan(consumed);
    }
    return parser.looked_at();
  };
  EXPECT_EQ(looks(1), looks(text.size()));
  EXPECT_EQ(looks(1), 2 * text.size());
}

// ---- damage: whatever one byte becomes, the verdict does not depend on the cuts -------------------------------------

TEST(http_damage, a_flipped_bit_anywhere_gives_one_verdict_in_every_cutting) {
  for (std::size_t at = 0; at < sample.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = sample;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1U << bit));
      SCOPED_TRACE("bit " + std::to_string(bit) + " of byte " + std::to_string(at));
      parse(damaged);
    }
  }
}

}  // namespace
