// docs/limits.md against the code: every option and no other, and the default of each.
#include "docs/table.h"
#include "ws/slot_table.h"

#include <gtest/gtest.h>
#include <hawser/core/close_code.h>
#include <hawser/core/extension_header.h>
#include <hawser/core/handshake.h>
#include <hawser/core/notes.h>
#include <hawser/core/stage.h>
#include <hawser/ws/options.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace hawser::test {
namespace {

// As the page writes values.
std::string number(std::uint64_t n) {
  if (n == std::uint64_t{1} << 62) return "2^62";
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3;)
    digits.insert(at -= 3, ",");
  return digits;
}
std::string bytes(std::uint64_t n) {
  if (n == std::uint64_t{1} << 62) return number(n);
  if (n >= 1 << 20 && n % (1 << 20) == 0) return std::to_string(n >> 20) + " MiB";
  if (n >= 1 << 10 && n % (1 << 10) == 0) return std::to_string(n >> 10) + " KiB";
  return number(n);
}
std::string span(ticks t) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(t).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}
std::string yes(bool b) { return b ? "yes" : "no"; }
template <class T>
std::string none(const T& t) {
  return t.empty() ? "none" : "some";
}
template <class T>
std::string none(T* const& p) {
  return p == nullptr ? "none" : "some";
}
std::string none(const tls_identity& who) {
  return who.certificate.empty() && who.key.empty() && who.passphrase.empty() ? "none" : "some";
}
std::string least(tls_version v) { return v == tls_version::v1_2 ? "TLS 1.2" : "TLS 1.3"; }

using values = std::map<std::string, std::string>;

values of(const limits& l, const limits& clients) {
  return {{"max_message", bytes(l.max_message) + "; clients " + bytes(clients.max_message)},
          {"max_frame", bytes(l.max_frame)},
          {"max_outgoing_frame", bytes(l.max_outgoing_frame)},
          {"max_fragments", number(l.max_fragments)},
          {"max_glitches", number(l.max_glitches)},
          {"write_soft", bytes(l.write_soft)},
          {"write_resume", bytes(l.write_resume)},
          {"write_hard", bytes(l.write_hard)},
          {"min_rate", number(l.min_rate)},
          {"rate_grace", span(l.rate_grace)},
          {"extension_memory", bytes(l.extension_memory)},
          {"max_subscriptions", number(l.max_subscriptions)}};
}

values of(const keepalive& k) {
  return {{"ping_interval", span(k.ping_interval)}, {"pong_timeout", span(k.pong_timeout)}};
}

values of(const http_limits& h) {
  return {
      {"head", bytes(h.head)}, {"line", bytes(h.line)}, {"target", bytes(h.target)}, {"headers", number(h.headers)}};
}

values of(const reconnect_policy& r) {
  return {{"enabled", yes(r.enabled)},
          {"first", span(r.first)},
          {"cap", span(r.cap)},
          {"stable_after", span(r.stable_after)},
          {"max_attempts", number(r.max_attempts)}};
}

// What servers and clients are both told.
template <class Options>
values common(const Options& o) {
  return {{"bounds", ""},
          {"alive", ""},
          {"http", ""},
          {"close_timeout", span(o.close_timeout)},
          {"handshake_timeout", span(o.handshake_timeout)},
          {"io", o.io == driver::automatic ? "automatic" : "another"},
          {"busy_poll", span(o.busy_poll)},
          {"in_parts", yes(o.in_parts)},
          {"keep_request", yes(o.keep_request)},
          {"timings", yes(o.timings)},
          {"inband_extensions", yes(o.inband_extensions)},
          {"log", none(o.log)},
          {"watch", none(o.watch)}};
}

values of(const server_options& o) {
  values all = common(o);
  all.merge(values{{"threads", number(o.threads)},
                   {"max_connections", number(o.max_connections)},
                   {"max_per_host", number(o.max_per_host)},
                   {"accept_rate", number(o.accept_rate)},
                   {"max_handshakes", number(o.max_handshakes)},
                   {"max_per_host_on_loopback", yes(o.max_per_host_on_loopback)},
                   {"accept_rate_on_loopback", yes(o.accept_rate_on_loopback)},
                   {"allowed_hosts", none(o.allowed_hosts)},
                   {"allowed_origins", none(o.allowed_origins)},
                   {"insecure_any_origin", yes(o.insecure_any_origin)}});
  return all;
}

values of(const client_options& o) {
  values all = common(o);
  all.merge(values{{"reconnect", ""},
                   {"connect_timeout", span(o.connect_timeout)},
                   {"subprotocols", none(o.subprotocols)},
                   {"tls", ""},
                   {"unix_path", none(o.unix_path)},
                   {"origin", none(o.origin)},
                   {"strict_extensions_header", yes(o.strict_extensions_header)}});
  return all;
}

values of(const client_tls& c, const server_tls& s) {
  return {{"client_tls::ca", none(c.ca)},
          {"client_tls::ca_folder", none(c.ca_folder)},
          {"client_tls::server_name", none(c.server_name)},
          {"client_tls::identity", none(c.identity)},
          {"client_tls::least", least(c.least)},
          {"client_tls::tickets", yes(c.tickets)},
          {"client_tls::dangerously_accept_any_certificate", yes(c.dangerously_accept_any_certificate)},
          {"server_tls::identity", none(s.identity)},
          {"server_tls::client_ca", none(s.client_ca)},
          {"server_tls::clients", s.clients == client_certificates::not_asked ? "not asked" : "asked"},
          {"server_tls::least", least(s.least)},
          {"server_tls::tickets", yes(s.tickets)}};
}

/// The rows under a heading, which says what it is about behind a colon: option and default.
values page(const std::string& heading) {
  values found;
  for (const auto& [under, cells] : rows_of("docs/limits.md")) {
    if (under.substr(0, under.find(':')) != heading) continue;
    EXPECT_TRUE(found.emplace(cells[0], cells[1]).second) << cells[0];
  }
  return found;
}

TEST(limits_page, says_the_defaults) {
  EXPECT_EQ(page("limits"), of(server_options().bounds, client_options().bounds));
  EXPECT_EQ(page("keepalive"), of(keepalive()));
  EXPECT_EQ(page("http_limits"), of(http_limits()));
  EXPECT_EQ(page("reconnect_policy"), of(reconnect_policy()));
  EXPECT_EQ(page("server_options"), of(server_options()));
  EXPECT_EQ(page("client_options"), of(client_options()));
  EXPECT_EQ(page("client_tls, server_tls"), of(client_tls(), server_tls()));
}

/// The members of a struct, as its header has them.
std::set<std::string> members(const std::string& header, const std::string& name) {
  const std::string text = text_of(header);
  std::string_view rest = text;
  static_cast<void>(take_until(rest, "\nstruct " + name + " {"));
  const std::string body(take_until(rest, "\n};"));
  EXPECT_FALSE(body.empty()) << name;
  const std::regex member(
      "\\n  [\\w:<>]+ ?\\*?\\s*(\\w+)(?: =\\s|\\{|;)|\\n  std::vector<std::string>\\n\\s+(\\w+);|"
      "\\n  log_sink\\* (log)|\\n  watcher\\* (watch)");
  std::set<std::string> found;
  for (std::sregex_iterator it(body.begin(), body.end(), member), end; it != end; ++it)
    for (std::size_t i = 1; i < it->size(); ++i)
      if ((*it)[i].matched) found.insert((*it)[i]);
  return found;
}

std::set<std::string> names(const values& of) {
  std::set<std::string> found;
  for (const auto& [name, value] : of)
    found.insert(name.substr(name.rfind(':') + 1));
  return found;
}

TEST(limits_page, has_every_option) {
  const std::string core = "include/hawser/core/settings.h";
  const std::string ws = "include/hawser/ws/options.h";
  EXPECT_EQ(names(page("limits")), members(core, "limits"));
  EXPECT_EQ(names(page("keepalive")), members(core, "keepalive"));
  EXPECT_EQ(names(page("http_limits")), members("include/hawser/core/http.h", "http_limits"));
  EXPECT_EQ(names(page("reconnect_policy")), members(ws, "reconnect_policy"));
  EXPECT_EQ(names(page("server_options")), members(ws, "server_options"));
  EXPECT_EQ(names(page("client_options")), members(ws, "client_options"));
  std::set<std::string> tls = members("include/hawser/tls/options.h", "client_tls");
  tls.merge(members("include/hawser/tls/options.h", "server_tls"));
  EXPECT_EQ(names(page("client_tls, server_tls")), tls);
}

TEST(limits_page, says_what_cannot_be_changed) {
  const std::string text = text_of("docs/limits.md");
  const auto says = [&](const std::string& what, std::uint64_t value) {
    EXPECT_NE(text.find("| " + what + " | " + bytes(value) + " |"), std::string::npos) << what << ' ' << bytes(value);
  };
  says("the reason of a close", max_close_reason);
  says("extensions in one offer or answer", core::max_extension_elements);
  says("parameters of one extension", core::max_extension_parameters);
  says("a prefix or suffix of a stage", max_edge);
  says("extension data of one frame, of all stages", max_ext_data);
  says("messages half-way at a time, with `priority`", max_half_way);
  says("a note of an extension on a message", max_note);
  says("messages from other threads under way to one connection", slot::most_sent);
  says("publications under way to one loop", mailbox::most_published);
  says("bytes of a payload that a `watcher` sees", sighting_bytes);
  EXPECT_NE(text.find("in order of preference; at most " + number(core::max_subprotocols)), std::string::npos);
}

}  // namespace
}  // namespace hawser::test
