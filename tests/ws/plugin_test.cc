// Plug-ins in files: what is loaded, what is refused and why, and what one that is wrong does to the rest: nothing.
#include "ws/running_server.h"

#include <fcntl.h>
#include <hawser/testkit/testkit.h>
#include <hawser/ws/client.h>
#include <hawser/ws/plugin.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

namespace hawser::test {
namespace {

// Beside this program: build/PRESET/tests/plugins/.
std::string plugin_file(const std::string& name) {
  std::array<char, 4096> self{};
  const auto n = ::readlink("/proc/self/exe", self.data(), self.size());
  EXPECT_GT(n, 0);
  const std::string program(self.data(), static_cast<std::size_t>(n));
  return program.substr(0, program.rfind('/')) + "/plugins/" + name;
}

std::string refusal_of(const std::string& path, const params& given = {}) {
  std::string why;
  const result<ext::plugin> made = load_plugin(path, given, &why);
  if (made) return "it was loaded";
  EXPECT_EQ(made.error(), errc::invalid_plugin);
  EXPECT_FALSE(load_plugin(path, given)) << "without a place for words";
  EXPECT_EQ(why.rfind(path + ": ", 0), 0U) << why;
  return why.substr(path.size() + 2);
}

/// A file of this content, for the length of a test.
class scratch_file {
 public:
  explicit scratch_file(std::string_view content) {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    ::close(fd);
  }
  ~scratch_file() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_ = "/tmp/hawser_plugin_XXXXXX";
};

TEST(plugin_file_test, what_is_no_plugin_is_refused_in_words) {
  EXPECT_EQ(refusal_of(plugin_file("nowhere.so")), "there is no such file");
  EXPECT_EQ(refusal_of("nowhere.so"), "there is no such file");
  EXPECT_EQ(refusal_of("/tmp"), "there is no such file");
  EXPECT_EQ(refusal_of("/dev/null"), "there is no such file");
  EXPECT_EQ(refusal_of(scratch_file("").path()).rfind("it cannot be loaded: ", 0), 0U);
  EXPECT_EQ(refusal_of(scratch_file("#include <stdio.h>\n").path()).rfind("it cannot be loaded: ", 0), 0U);
  EXPECT_EQ(refusal_of(scratch_file(std::string("\x7F") + "ELF" + std::string(200, 'x')).path()).rfind("it cannot", 0),
            0U);
  EXPECT_EQ(refusal_of(plugin_file("no_entry.so")), "it is no plug-in: it has no function hawser_plugin_v1");
}

TEST(plugin_file_test, a_wrong_table_is_refused_in_words) {
  EXPECT_EQ(refusal_of(plugin_file("no_table.so")), "hawser_plugin_v1 gave no table: it cannot work here");
  EXPECT_EQ(refusal_of(plugin_file("throwing_entry.so")), "hawser_plugin_v1 threw an exception");
  EXPECT_EQ(refusal_of(plugin_file("wrong_abi.so")),
            "the plug-in is built for version 99 of the boundary, and this is version 1");
  EXPECT_EQ(refusal_of(plugin_file("short_table.so")),
            "the plug-in says that its table has 12 bytes; 80 are needed and 4096 are the most");
  EXPECT_EQ(refusal_of(plugin_file("bad_name.so")),
            "the plug-in has a name that is no token: use letters, digits and dashes");
  EXPECT_EQ(refusal_of(plugin_file("null_hook.so")), "x-broken says that it has the hook in_place, which is null");
  EXPECT_EQ(refusal_of(plugin_file("no_accept.so")), "x-broken has no accept");
  EXPECT_EQ(refusal_of(plugin_file("sound.so"), {{"a", "1"}}), "x-broken takes no parameters");
  EXPECT_EQ(refusal_of(plugin_file("xor.so"), {{"key", "256"}}),
            "x-xor refuses its parameters: key is a number from 1 to 255");
}

testkit::report kit_on(const std::string& file) {
  std::string why;
  const result<ext::plugin> made = load_plugin(plugin_file(file), {}, &why);
  EXPECT_TRUE(made) << why;
  testkit::options how;
  how.rounds = 20;
  if (file == "xor.so") how.wire = {{"abc", "\x3B\x38\x39", 2}};
  return testkit::run(*made, how);
}

TEST(plugin_file_test, the_example_in_c_passes_the_kit) {
  const testkit::report r = kit_on("xor.so");
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(plugin_file_test, one_with_a_data_opcode_of_its_own_passes_the_kit) {
  const testkit::report r = kit_on("parcel.so");
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(plugin_file_test, the_kit_finds_what_is_wrong) {
  for (const char* file :
       {"lying_step.so", "no_verdict.so", "stolen_bit.so", "wild_claims.so", "double_release.so", "throwing_hook.so"})
    EXPECT_FALSE(kit_on(file).passed()) << file;
}

// ---- a server that has loaded one

/// A server with the plug-in of this file, that echoes.
struct serving {
  lines log;
  running_server server;

  explicit serving(const std::string& file) : server(options_with(log)) {
    std::string why;
    const result<ext::plugin> made = load_plugin(plugin_file(file), {}, &why);
    EXPECT_TRUE(made) << why;
    server->extensions().add(*made);
    server->route("/").on_message([](connection c, const message& m) { c.send(m); });
    server.start();
  }
  static server_options options_with(lines& log) {
    server_options o;
    o.log = &log;
    return o;
  }
  /// Sends a message marked as the extension's; the code and the reason of the close that comes back.
  std::string end_of(std::string_view name) {
    raw_peer peer(server.at());
    peer.upgrade("/", "Sec-WebSocket-Extensions: " + std::string(name) + "\r\n");
    peer.out().frame(0xA1, "Hello");
    const raw_frame close = peer.flush().frame_of(8);
    return std::to_string(close_code_of(close)) + " " + close.payload.substr(2);
  }
};

TEST(plugin_server_test, one_that_breaks_the_rules_fails_its_connection_and_nothing_else) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"lying_step.so", "1011 x-broken: its transform consumed more than it was given"},
      {"no_verdict.so", "1011 x-broken: its begin gave no known verdict"},
      {"stolen_bit.so", "1011 x-broken: its begin changed the opcode or an RSV bit that is not its own"},
      {"double_release.so", "1011 x-broken: used a body that it gave away, gave back or never had"},
      {"throwing_hook.so", "1011 x-throwing: its begin threw"}};
  for (const auto& [file, end] : rows) {
    SCOPED_TRACE(file);
    serving it(file);
    raw_peer bystander(it.server.at());
    bystander.upgrade("/");
    EXPECT_EQ(it.end_of(file == "throwing_hook.so" ? "x-throwing" : "x-broken"), end);
    ASSERT_TRUE(it.log.kept.wait(1));
    const std::string name = end.substr(5, end.find(':') - 5);
    const std::string line = "the extension " + name + " at this end broke its contract" + end.substr(5 + name.size());
    EXPECT_NE(it.log.kept.lines()[0].find(line), std::string::npos) << it.log.kept.text();
    bystander.text("still there");
    EXPECT_EQ(bystander.frame().payload, "still there");
  }
}

// Its claims cannot stand, so it is declined, and the connection goes on without it.
TEST(plugin_server_test, one_whose_claims_cannot_be_is_declined) {
  serving it("wild_claims.so");
  raw_peer peer(it.server.at());
  const std::string head = peer.upgrade("/", "Sec-WebSocket-Extensions: x-broken\r\n");
  EXPECT_EQ(head.find("x-broken"), std::string::npos) << head;
  peer.text("plain");
  EXPECT_EQ(peer.frame().payload, "plain");
}

// One connection uses the context of another, when no hook of that runs, and when it is gone.
TEST(plugin_server_test, the_context_of_another_connection_does_nothing) {
  serving it("kept_context.so");
  const std::string offer = "Sec-WebSocket-Extensions: x-broken\r\n";
  const auto echoed = [](raw_peer& peer) {
    peer.out().frame(0xA1, "Hello");
    return peer.flush().frame().payload;
  };
  raw_peer first(it.server.at());
  first.upgrade("/", offer);
  {
    raw_peer second(it.server.at());
    second.upgrade("/", offer);
    for (raw_peer* peer : {&first, &second, &first, &second})
      EXPECT_EQ(echoed(*peer), "Hello");
  }
  EXPECT_EQ(echoed(first), "Hello");
}

// Factories go, the connection stays: the code must not be unloaded under it.
TEST(plugin_client_test, a_connection_outlives_the_factory_that_made_its_stage) {
  serving it("xor.so");
  extension_list list;
  std::string why;
  list.add(load_plugin(plugin_file("xor.so"), {{"key", "7"}}, &why).value());
  result<blocking_connection> c = connect(it.server.url(), {}, list, {}, &why);
  ASSERT_TRUE(c) << why;
  list = {};
  EXPECT_EQ(c->agreed().extensions_header, "x-xor; key=7");
  for (const std::string& text : {std::string("short"), std::string(200'000, 'l')}) {
    ASSERT_TRUE(c->send(text));
    EXPECT_EQ(c->receive()->text(), text);
  }
  EXPECT_EQ(c->close().value(), close_code::normal);
}

}  // namespace
}  // namespace hawser::test
