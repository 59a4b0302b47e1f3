#include "core/extension_grammar.h"

#include <gtest/gtest.h>
#include <hawser/core/extension_header.h>
#include <hawser/core/http.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using hawser::errc;
using hawser::core::extension_element;
using hawser::core::format_extensions;
using hawser::core::max_extension_elements;
using hawser::core::max_extension_parameters;
using hawser::core::parse_extensions;
using list = std::vector<extension_element>;

list good(std::string_view text) {
  std::string why;
  auto parsed = parse_extensions(text, &why);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << why;
  EXPECT_EQ(why, "");
  return parsed ? *parsed : list{};
}

std::string refused(std::string_view text) {
  std::string why;
  const auto parsed = parse_extensions(text, &why);
  EXPECT_FALSE(parsed.has_value()) << text;
  EXPECT_EQ(parsed.error(), make_error_code(errc::extension_header_malformed));
  EXPECT_NE(why, "");
  return why;
}

std::string one(int byte) { return std::string(1, static_cast<char>(byte)); }

// ---- N-01: the grammar ----------------------------------------------------------------------------------------------

TEST(extension_header, n_01_the_examples_of_the_rfc) {
  EXPECT_EQ(good("deflate-stream"), (list{{"deflate-stream", {}}}));
  EXPECT_EQ(good("mux; max-channels=4; flow-control, deflate-stream"),
            (list{{"mux", {{"max-channels", "4"}, {"flow-control", std::nullopt}}}, {"deflate-stream", {}}}));
  EXPECT_EQ(good("foo, bar; baz=2"), (list{{"foo", {}}, {"bar", {{"baz", "2"}}}}));
}

TEST(extension_header, n_01_order_and_doubles_are_kept) {
  EXPECT_EQ(good("b;y=1;x;y=2, a, b"),
            (list{{"b", {{"y", "1"}, {"x", std::nullopt}, {"y", "2"}}}, {"a", {}}, {"b", {}}}));
}

TEST(extension_header, n_01_malformed_values) {
  for (const char* text : {";",       "=",      "a;",   "a;,b",    "a;;b",    "a=b", "a b",        "a;b c",   "a;b=",
                           "a;b=,c",  "a;b=;c", "a;=c", "a;b=c d", "a;b=c=d", "a/b", "a;b=c/d",    "a;\"b\"", "\"a\"",
                           "\"a\";b", "a,b;",   "a:b",  "(a)",     "a;b=(c)", "a@b", "a;b=c\"d\"", "{a}"})
    refused(text);
}

TEST(extension_header, n_01_the_sentence_names_the_byte) {
  EXPECT_NE(refused("foo; bar baz").find("byte 10:"), std::string::npos);
  EXPECT_NE(refused("foo;").find("byte 5:"), std::string::npos);
}

TEST(extension_header, n_01_every_byte_in_every_place) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const std::string b = one(byte);
    const bool token = hawser::is_token(b);
    const bool blank = byte == ' ' || byte == '\t';
    const bool split = byte == ',' || byte == ';';
    // Inside a name, a parameter's name, a value and a quoted value.
    EXPECT_EQ(parse_extensions("a" + b + "c").has_value(), token || split);
    EXPECT_EQ(parse_extensions("a;b" + b + "c").has_value(), token || split || byte == '=');
    EXPECT_EQ(parse_extensions("a;b=c" + b + "d").has_value(), token || split);
    EXPECT_EQ(parse_extensions("a;b=\"c" + b + "d\"").has_value(), token || byte == '\\');
    EXPECT_EQ(parse_extensions("a;b=\"c\\" + b + "d\"").has_value(), token);
    // In front and behind.
    EXPECT_EQ(parse_extensions(b + "a").has_value(), token || blank || byte == ',');
    EXPECT_EQ(parse_extensions("a" + b).has_value(), token || blank || byte == ',');
  }
}

// ---- N-02: quoted strings -------------------------------------------------------------------------------------------

TEST(extension_header, n_02_a_quoted_value_equals_the_token_it_holds) {
  EXPECT_EQ(good("a; x=\"10\""), good("a; x=10"));
  EXPECT_EQ(good(R"(a; x="1\0")"), good("a; x=10"));
  EXPECT_EQ(good(R"(a; x="\1\0")"), good("a; x=10"));
  EXPECT_EQ(good("a ; x = \"10\" , b"), good("a;x=10,b"));
}

TEST(extension_header, n_02_after_unquoting_it_must_still_be_a_token) {
  for (const char* text : {R"(a;x="")", R"(a;x="a b")", R"(a;x="a,b")", R"(a;x="a;b")", R"(a;x="a=b")", R"(a;x="\"")",
                           R"(a;x="\\")", R"(a;x="a\ b")", R"(a;x="a)", R"(a;x=")", R"(a;x="\)", R"(a;x="\")",
                           R"(a;x="a"b)", R"(a;x="a""b")", R"(a;x=b"a")"})
    refused(text);
}

// ---- N-03, N-04, N-06: lists ----------------------------------------------------------------------------------------

TEST(extension_header, n_03_blanks_stand_around_every_separator) {
  EXPECT_EQ(good(" \ta\t; x \t=\t 1 ;\ty \t,\t b \t"), good("a;x=1;y,b"));
}

TEST(extension_header, n_03_empty_elements_are_passed_over) {
  EXPECT_EQ(good("foo, ,bar"), good("foo,bar"));
  EXPECT_EQ(good(",,foo,,"), good("foo"));
  EXPECT_EQ(good(" , \t,foo"), good("foo"));
}

TEST(extension_header, n_04_a_split_field_equals_the_joined_list) {
  hawser::headers h;
  ASSERT_TRUE(h.add("Sec-WebSocket-Extensions", "foo"));
  ASSERT_TRUE(h.add("Host", "h"));
  ASSERT_TRUE(h.add("sec-websocket-extensions", "bar; baz=2"));
  EXPECT_EQ(good(h.joined("Sec-WebSocket-Extensions")), good("foo, bar; baz=2"));
}

TEST(extension_header, n_06_an_empty_field_is_malformed) {
  for (const char* text : {"", " ", "\t", ",", " , , "})
    refused(text);
}

TEST(extension_header, n_15_names_keep_their_case) {
  EXPECT_NE(good("Foo"), good("foo"));
  EXPECT_EQ(good("FoO;BaR=BaZ"), (list{{"FoO", {{"BaR", "BaZ"}}}}));
}

// ---- limits: exactly the limit is accepted --------------------------------------------------------------------------

TEST(extension_header, eight_elements_and_sixteen_parameters) {
  std::string elements = "a";
  for (std::size_t i = 1; i < max_extension_elements; ++i)
    elements += ",a";
  EXPECT_EQ(good(elements).size(), max_extension_elements);
  EXPECT_EQ(good(elements + ",").size(), max_extension_elements);
  refused(elements + ",a");
  std::string parameters = "a";
  for (std::size_t i = 0; i < max_extension_parameters; ++i)
    parameters += ";b";
  EXPECT_EQ(good(parameters)[0].parameters.size(), max_extension_parameters);
  refused(parameters + ";b");
}

// ---- E2: hostile input stays linear, by counting every look at a byte -----------------------------------------------

class counting_input {
 public:
  explicit counting_input(std::string_view text) : in_(text) {}
  bool done() const { return in_.done(); }
  char peek() const {
    ++looks_;
    return in_.peek();
  }
  void next() { in_.next(); }
  std::size_t looks() const { return looks_; }

 private:
  hawser::detail::text_input in_;
  mutable std::size_t looks_ = 0;
};

TEST(extension_header, e2_hostile_input_of_16_kib_stays_linear) {
  const auto repeat = [](std::string_view unit, std::string_view end) {
    std::string text;
    while (text.size() < 16 * 1024)
      text += unit;
    return text += end;
  };
  const std::string blanks = "b" + repeat(" ", "x");
  for (const std::string& text :
       {blanks, repeat("b", "\x01"), repeat(",", ""), repeat(" ,", "\""), repeat(";", ""), repeat("\"", ""),
        repeat("\\", ""), "a;b=\"" + repeat("\\a", ""), "a;b=\"" + repeat("a", "\""), repeat("a;", ""),
        repeat("a,", ""), repeat("a;b=\"c\",", ""), repeat("\t", "a"), "a;" + repeat(" ", "="),
        "a;b" + repeat("\t ", ";")}) {
    counting_input in(text);
    hawser::detail::extension_grammar grammar(in);
    grammar.read();
    EXPECT_LE(in.looks(), 6 * text.size()) << text.substr(0, 16);
  }
}

// ---- writing --------------------------------------------------------------------------------------------------------

TEST(extension_header, what_is_written_reads_back) {
  for (const list& elements :
       {list{{"a", {}}},
        list{{"a", {{"x", "1"}, {"y", std::nullopt}}}, {"b", {}}, {"a", {{"x", "!#$%&'*+-.^_`|~"}}}}}) {
    const auto text = format_extensions(elements);
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(good(*text), elements);
  }
  EXPECT_EQ(*format_extensions({{"a", {{"x", "1"}, {"y", std::nullopt}}}, {"b", {}}}), "a; x=1; y, b");
}

TEST(extension_header, n_06_no_elements_give_no_text) { EXPECT_EQ(*format_extensions({}), ""); }

// E7: an extension's author sets these; what is no token is refused, never stripped.
TEST(extension_header, e7_every_byte_in_what_is_written) {
  for (int byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    const std::string text = "a" + one(byte) + "b";
    const bool token = hawser::is_token(one(byte));
    for (const list& elements : {list{{text, {}}}, list{{"a", {{text, std::nullopt}}}}, list{{"a", {{"b", text}}}}})
      EXPECT_EQ(format_extensions(elements).has_value(), token);
  }
  for (const list& elements : {list{{"", {}}}, list{{"a", {{"", std::nullopt}}}}, list{{"a", {{"b", ""}}}}})
    EXPECT_EQ(format_extensions(elements).error(), make_error_code(errc::invalid_header));
  const hawser::params most(max_extension_parameters, {"b", std::nullopt});
  EXPECT_TRUE(format_extensions(list(max_extension_elements, {"a", most})).has_value());
  EXPECT_FALSE(format_extensions(list(max_extension_elements + 1, {"a", {}})).has_value());
  EXPECT_FALSE(
      format_extensions({{"a", hawser::params(max_extension_parameters + 1, {"b", std::nullopt})}}).has_value());
}

}  // namespace
