// TLS between two filters in memory: RFC 8446, RFC 5246. F1: whose certificate is accepted, and what is said of others.

#include "pair.h"
#include "raw_end.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

struct world {
  authority root = authority::root();
  client_tls client;
  server_tls server;

  explicit world(const certificate_wish& wish = certificate_wish("example.org")) {
    client.ca = pem::text(root.certificate());
    server.identity = root.issue(wish).identity();
  }

  [[nodiscard]] std::unique_ptr<tls_pair> meet(std::string_view host = "example.org",
                                               std::size_t cut = SIZE_MAX) const {
    auto pair = std::make_unique<tls_pair>(client_context(client), server_context(server), host, cut);
    pair->settle();
    return pair;
  }
};

TEST(tls_filter, both_ways_in_any_pieces) {
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
    for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
      world w;
      w.client.least = least;
      const auto pair = w.meet("example.org", cut);
      ASSERT_TRUE(pair->client.is_open()) << pair->client.why();
      ASSERT_TRUE(pair->server.is_open()) << pair->server.why();
      EXPECT_EQ(pair->client.alpn(), "http/1.1");
      const std::string big(100'000, 'x');
      EXPECT_TRUE(pair->client.write(as_bytes("hello"), pair->to_server));
      EXPECT_TRUE(pair->server.write(as_bytes(big), pair->to_client));
      pair->settle();
      EXPECT_EQ(pair->at_server, "hello");
      EXPECT_EQ(pair->at_client, big);
      pair->client.close(pair->to_server);
      pair->settle();
      EXPECT_TRUE(pair->server.peer_ended());
      EXPECT_EQ(pair->server.error(), errc::ok);
    }
  }
}

struct host_case {
  const char* what;
  certificate_wish wish;
  const char* host;
  const char* complaint;  // Null: accepted.
};

certificate_wish named(
    std::string one, void (*change)(certificate_wish&) = [](certificate_wish&) {}) {
  certificate_wish wish(std::move(one));
  change(wish);
  return wish;
}

TEST(tls_filter, F1_whose_certificate_is_accepted) {
  const host_case cases[] = {
      {"its name", named("example.org"), "example.org", nullptr},
      {"in capitals", named("Example.ORG"), "example.org", nullptr},
      {"the root behind it", named("example.org"), "example.org.", nullptr},
      {"a wildcard", named("*.example.org"), "a.example.org", nullptr},
      {"a wildcard for two labels", named("*.example.org"), "a.b.example.org", "it is for *.example.org"},
      {"a wildcard for none", named("*.example.org"), "example.org", "it is for *.example.org"},
      {"a wildcard in a label", named("ex*.example.org"), "exa.example.org", "it is for ex*.example.org"},
      {"another name", named("example.com"), "example.org", "it is for example.com, not for example.org"},
      {"an address", named("IP:127.0.0.1"), "127.0.0.1", nullptr},
      {"another address", named("IP:127.0.0.2"), "127.0.0.1", "it is for 127.0.0.2, not for 127.0.0.1"},
      {"an IPv6 address", named("IP:::1"), "::1", nullptr},
      {"an address as a name", named("127.0.0.1"), "127.0.0.1", "not for 127.0.0.1"},
      {"the common name only",
       named("x",
             [](certificate_wish& w) {
               w.names.clear();
               w.common_name = "example.org";
             }),
       "example.org", "it names no host"},
      {"expired", named("example.org", [](certificate_wish& w) { w.valid_until = -60; }), "example.org", "has expired"},
      {"not valid yet", named("example.org", [](certificate_wish& w) { w.valid_from = 3600; }), "example.org",
       "not valid yet"},
      {"for clients only", named("example.org", [](certificate_wish& w) { w.extended_usage = "clientAuth"; }),
       "example.org", "not made for servers"},
  };
  for (const host_case& c : cases) {
    const world w(c.wish);
    const auto pair = w.meet(c.host);
    EXPECT_EQ(pair->client.is_open(), c.complaint == nullptr) << c.what << ": " << pair->client.why();
    if (c.complaint == nullptr) continue;
    EXPECT_EQ(pair->client.error(), errc::certificate_refused) << c.what;
    EXPECT_NE(pair->client.why().find(c.complaint), std::string::npos) << c.what << ": " << pair->client.why();
    // The server hears why: an alert, in words.
    EXPECT_EQ(pair->server.error(), errc::tls_failed) << c.what;
    EXPECT_NE(pair->server.why().find("alert"), std::string::npos) << pair->server.why();
  }
}

TEST(tls_filter, F1_who_signed_it) {
  world w;
  w.client.ca = pem::text(authority::root("another root").certificate());
  auto pair = w.meet();
  EXPECT_EQ(pair->client.error(), errc::certificate_refused);
  EXPECT_NE(pair->client.why().find("hawser test root"), std::string::npos) << pair->client.why();
  EXPECT_NE(pair->client.why().find("--ca"), std::string::npos) << pair->client.why();
  EXPECT_NE(pair->server.why().find("does not trust the authority"), std::string::npos) << pair->server.why();

  certificate_wish own("example.org");
  w.server.identity = authority(own).identity();
  pair = w.meet();
  EXPECT_EQ(pair->client.error(), errc::certificate_refused);
  EXPECT_NE(pair->client.why().find("signed by itself"), std::string::npos) << pair->client.why();

  w.client.dangerously_accept_any_certificate = true;
  const auto taken = w.meet();
  EXPECT_TRUE(taken->client.is_open());
  EXPECT_EQ(taken->client.why(), "");
  // What breaks later has nothing to do with the certificate.
  const std::string garbage(100, '\x17');
  tls::record_sink answers;
  std::byte room[100];
  taken->client.feed(as_bytes(garbage), {});
  EXPECT_EQ(taken->client.read(room, answers), 0U);
  EXPECT_EQ(taken->client.error(), errc::tls_failed);
  w.client.dangerously_accept_any_certificate = false;
  w.client.ca = w.server.identity.certificate;  // Trusted by name.
  EXPECT_TRUE(w.meet()->client.is_open());
}

TEST(tls_filter, F1_a_chain_needs_what_is_between) {
  world w;
  certificate_wish between;
  between.is_authority = true;
  between.common_name = "between";
  const authority middle = w.root.issue(between);
  const authority leaf = middle.issue(certificate_wish("example.org"));
  w.server.identity = leaf.identity();
  EXPECT_FALSE(w.meet()->client.is_open());
  w.server.identity.certificate = pem::text(leaf.certificate() + middle.certificate());
  EXPECT_TRUE(w.meet()->client.is_open());
  // One who is no authority signs nothing.
  const authority no_authority = w.root.issue(certificate_wish("mallory.org"));
  const authority forged = no_authority.issue(certificate_wish("example.org"));
  w.server.identity = forged.identity();
  w.server.identity.certificate = pem::text(forged.certificate() + no_authority.certificate());
  EXPECT_EQ(w.meet()->client.error(), errc::certificate_refused);
}

TEST(tls_filter, F1_the_name_that_the_options_say) {
  world w(certificate_wish("inside.example"));
  w.client.server_name = "inside.example";
  EXPECT_TRUE(w.meet("10.0.0.1")->client.is_open());
}

TEST(tls_filter, weak_keys_are_refused_on_both_ends) {
  certificate_wish weak("example.org");
  weak.rsa_bits = 1024;
  const authority root = authority::root();
  server_tls server;
  server.identity = root.issue(weak).identity();
  std::string why;
  EXPECT_EQ(to_errc(tls::context::server(server, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("its key is too weak; it takes ECDSA P-256, or RSA of 2048 bits"), std::string::npos) << why;
}

TEST(tls_filter, clients_with_certificates) {
  world w;
  w.server.clients = client_certificates::required;
  w.server.client_ca = pem::text(w.root.certificate());
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    w.client.least = least;
    w.client.identity = {};
    auto pair = w.meet();
    EXPECT_EQ(pair->server.error(), errc::certificate_refused);
    EXPECT_NE(pair->server.why().find("no certificate"), std::string::npos) << pair->server.why();
    EXPECT_NE(pair->client.why().find("certificate"), std::string::npos) << pair->client.why();

    w.client.identity = w.root.issue(certificate_wish("a client")).identity();
    pair = w.meet();
    EXPECT_TRUE(pair->client.is_open() && pair->server.is_open()) << pair->server.why();
    EXPECT_NE(pair->server.describe().find("hawser test"), std::string::npos) << pair->server.describe();

    w.client.identity = authority::root("stranger").issue(certificate_wish("a client")).identity();
    pair = w.meet();
    EXPECT_EQ(pair->server.error(), errc::certificate_refused);
    EXPECT_NE(pair->server.why().find("stranger"), std::string::npos) << pair->server.why();
  }
  w.server.clients = client_certificates::optional;
  w.client.identity = {};
  EXPECT_TRUE(w.meet()->server.is_open());
}

TEST(tls_filter, sessions_are_taken_up_once_and_only_with_the_same_server) {
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    world w;
    w.client.least = least;
    if (least == tls_version::v1_2) w.server.least = least;
    const tls::context client = client_context(w.client);
    const tls::context server = server_context(w.server);
    const auto meet = [&](std::string_view host) {
      tls_pair pair(client, server, host);
      pair.settle();
      EXPECT_TRUE(pair.client.is_open()) << pair.client.why();
      EXPECT_EQ(pair.client.resumed(), pair.server.resumed());
      return pair.client.resumed();
    };
    EXPECT_FALSE(meet("example.org"));
    EXPECT_TRUE(meet("example.org"));
    EXPECT_TRUE(meet("example.org"));
    // A server with other keys does not know them: a full handshake, and no harm.
    tls_pair other(client, server_context(w.server), "example.org");
    other.settle();
    EXPECT_TRUE(other.client.is_open());
    EXPECT_FALSE(other.client.resumed());
    w.client.tickets = false;
    tls_pair without(client_context(w.client), server, "example.org");
    without.settle();
    EXPECT_TRUE(without.client.is_open());
  }
}

// A session that is taken up is one whose certificate nobody looks at again, however long ago it expired.
TEST(tls_filter, F1_clients_that_show_certificates_are_verified_each_time) {
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    world w;
    const authority clients = authority::root("clients");
    w.client.least = w.server.least = least;
    w.client.identity = clients.issue(certificate_wish("somebody")).identity();
    w.server.clients = client_certificates::optional;
    w.server.client_ca = pem::text(clients.certificate());
    const tls::context client = client_context(w.client);
    const tls::context server = server_context(w.server);
    for (int i = 0; i < 3; ++i) {
      tls_pair pair(client, server, "example.org");
      pair.settle();
      EXPECT_TRUE(pair.client.is_open()) << pair.client.why();
      EXPECT_FALSE(pair.server.resumed());
      EXPECT_NE(pair.server.describe().find("hawser test"), std::string::npos) << pair.server.describe();
    }
  }
}

// The same at a client: the session of a server whose certificate has expired since is not taken up. One that accepts
// any certificate has a session with such a server at once.
TEST(tls_filter, F1_no_session_outlives_the_certificate_of_its_server) {
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    for (const bool expired : {false, true}) {
      world w;
      certificate_wish wish("example.org");
      if (expired) wish.valid_until = -60;
      w.client.least = w.server.least = least;
      w.client.dangerously_accept_any_certificate = true;
      w.server.identity = w.root.issue(wish).identity();
      const tls::context client = client_context(w.client);
      const tls::context server = server_context(w.server);
      for (const bool again : {false, true}) {
        tls_pair pair(client, server, "example.org");
        pair.settle();
        ASSERT_TRUE(pair.client.is_open()) << pair.client.why();
        EXPECT_EQ(pair.client.resumed(), again && !expired);
      }
    }
  }
}

TEST(tls_filter, a_ticket_of_two_hours_ago_is_of_no_use) {
  world w;
  const tls::context client = client_context(w.client);
  const tls::context server = server_context(w.server);
  tick now{};
  const auto resumes = [&](ticks passed) {
    now += passed;
    tls_pair pair(client, server, "example.org");
    pair.now = now;
    pair.settle();
    return pair.client.is_open() && pair.client.resumed();
  };
  EXPECT_FALSE(resumes(std::chrono::seconds(1)));
  EXPECT_TRUE(resumes(std::chrono::minutes(59)));
  EXPECT_TRUE(resumes(std::chrono::minutes(59)));
  EXPECT_FALSE(resumes(std::chrono::hours(3)));
}

// Of more servers than it keeps sessions of, a client forgets the one that it has not met for longest.
TEST(tls_filter, the_oldest_session_is_forgotten_first) {
  world w;
  w.client.dangerously_accept_any_certificate = true;
  const tls::context client = client_context(w.client);
  const tls::context server = server_context(w.server);
  const auto meets_again = [&](const std::string& host) {
    tls_pair pair(client, server, host);
    pair.settle();
    EXPECT_TRUE(pair.client.is_open()) << pair.client.why();
    return pair.client.resumed();
  };
  for (int i = 0; i < 64; ++i)
    EXPECT_FALSE(meets_again("z" + std::to_string(i)));
  EXPECT_TRUE(meets_again("z0")) << "it is the newest now";
  EXPECT_FALSE(meets_again("a")) << "for which z1 goes";
  EXPECT_TRUE(meets_again("a"));
  EXPECT_TRUE(meets_again("z0"));
  EXPECT_TRUE(meets_again("z63"));
  EXPECT_TRUE(meets_again("z2"));
  EXPECT_FALSE(meets_again("z1"));
}

// What only OpenSSL would have words for is said in ours: what was wrong, whose fault it is, what to do.
TEST(tls_filter, alerts_have_words_for_who_hears_them) {
  struct alert_case {
    unsigned code;
    const char* to_client;
    const char* to_server;
  };
  const char* const only_servers = "only servers have a reason to send it, so that client is defective";
  const alert_case cases[] = {
      {40, "or it wanted a certificate from here.",
       "\"handshake failure\" (40): the two have no cipher or key exchange in common; it must be updated."},
      {46, "it wants a client's certificate; give one as tls.identity",
       "it does not accept the certificate of this end"},
      {48, "it wants a client's certificate; give one as tls.identity", "it does not trust the authority"},
      {50, "(50): what was sent from here was wrong for it", "(50): what was sent from here was wrong for it"},
      {86, "\"inappropriate fallback\" (86): it was asked for an older version", only_servers},
      {100, "it will not renegotiate", "it will not renegotiate"},
      {109, "\"missing extension\" (109): it misses something", "\"missing extension\" (109): it misses something"},
      {112, "it serves no host of that name", only_servers},
      {116, "give one as tls.identity", only_servers},
      {120, "it does not speak HTTP/1.1", only_servers},
  };
  world w;
  for (const alert_case& c : cases) {
    const std::byte alert[] = {std::byte{21},
                               std::byte{3},
                               std::byte{3},
                               std::byte{0},
                               std::byte{2},
                               std::byte{2},
                               static_cast<std::byte>(c.code)};
    tls_pair pair(client_context(w.client), server_context(w.server), "example.org");
    pair.client.handshake(pair.to_server);
    pair.hand_over(pair.to_server, pair.server, pair.to_client, pair.at_server);
    pair.give(pair.client, alert, pair.to_server, pair.at_client);
    pair.give(pair.server, alert, pair.to_client, pair.at_server);
    EXPECT_NE(pair.client.why().find(c.to_client), std::string::npos) << pair.client.why();
    EXPECT_NE(pair.server.why().find(c.to_server), std::string::npos) << pair.server.why();
  }
}

TEST(tls_filter, what_is_no_tls) {
  world w;
  {
    tls_pair pair(client_context(w.client), server_context(w.server), "example.org");
    pair.give(pair.server, as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), pair.to_client, pair.at_server);
    EXPECT_EQ(pair.server.error(), errc::tls_failed);
    EXPECT_NE(pair.server.why().find("wss://"), std::string::npos) << pair.server.why();
  }
  {
    tls_pair pair(client_context(w.client), server_context(w.server), "example.org");
    pair.client.handshake(pair.to_server);
    pair.give(pair.client, as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), pair.to_server, pair.at_client);
    EXPECT_EQ(pair.client.error(), errc::tls_failed);
    EXPECT_NE(pair.client.why().find("use ws://"), std::string::npos) << pair.client.why();
  }
}

TEST(tls_filter, alerts_of_all_codes_end_it_with_a_clear_line) {
  world w;
  for (unsigned code = 0; code < 256; ++code) {
    tls_pair pair(client_context(w.client), server_context(w.server), "example.org");
    pair.client.handshake(pair.to_server);
    const std::byte alert[] = {std::byte{21},
                               std::byte{3},
                               std::byte{3},
                               std::byte{0},
                               std::byte{2},
                               std::byte{2},
                               static_cast<std::byte>(code)};
    pair.give(pair.client, alert, pair.to_server, pair.at_client);
    if (code == 0) continue;  // close_notify: an end, tested elsewhere.
    EXPECT_EQ(pair.client.error(), errc::tls_failed) << code;
    EXPECT_NE(pair.client.why().find(std::to_string(code)), std::string::npos) << pair.client.why();
  }
}

// It spoke TLS, so that is not what it is told to do.
TEST(tls_filter, what_is_no_tls_behind_some_that_was) {
  world w;
  tls_pair pair(client_context(w.client), server_context(w.server), "example.org");
  pair.client.handshake(pair.to_server);
  pair.hand_over(pair.to_server, pair.server, pair.to_client, pair.at_server);
  pair.give(pair.server, as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), pair.to_client, pair.at_server);
  EXPECT_EQ(pair.server.why().find("The client sent what is no sound TLS, in the handshake ("), 0U)
      << pair.server.why();
}

TEST(tls_filter, who_has_nothing_in_common_is_told_what_there_is) {
  const world w;
  struct offer_case {
    int version;
    const char* ciphers;
    const char* groups;
    const char* words;
  };
  const offer_case cases[] = {
      {TLS1_2_VERSION, "AES128-SHA", nullptr, "The client offers no cipher or signature that is allowed here"},
      {TLS1_3_VERSION, nullptr, "P-521", "The client offers no key exchange that is allowed here"},
  };
  for (const offer_case& c : cases) {
    raw_end client(false, c.version);
    EXPECT_TRUE(c.ciphers == nullptr || SSL_set_cipher_list(client.ssl(), c.ciphers) == 1);
    EXPECT_TRUE(c.groups == nullptr ||
                SSL_ctrl(client.ssl(), SSL_CTRL_SET_GROUPS_LIST, 0, const_cast<char*>(c.groups)) ==
                    1);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    tls::filter server(server_context(w.server), "");
    client.talk(server);
    EXPECT_EQ(server.why().find(c.words), 0U) << server.why();
  }
}

TEST(tls_filter, a_key_without_its_certificate_is_refused) {
  client_tls how;
  how.identity.key = pem::text("any");
  std::string why;
  EXPECT_EQ(to_errc(tls::context::client(how, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("without tls.identity.certificate (--cert)"), std::string::npos) << why;
}

TEST(tls_filter, damaged_records_end_it) {
  world w;
  const auto pair = w.meet();
  ASSERT_TRUE(pair->client.write(as_bytes("hello"), pair->to_server));
  pair->to_server.back() ^= std::byte{1};
  pair->settle();
  EXPECT_EQ(pair->server.error(), errc::tls_failed);
  EXPECT_EQ(pair->at_server, "");
  EXPECT_FALSE(pair->server.write(as_bytes("x"), pair->to_client));
}

// A client's first message may come in one piece with the end of its handshake, and with the end of all.
TEST(tls_filter, a_message_in_one_piece_with_the_handshake) {
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    world w;
    tls_pair pair(client_context(w.client), server_context(w.server), "example.org", cut);
    pair.client.handshake(pair.to_server);
    pair.hand_over(pair.to_server, pair.server, pair.to_client, pair.at_server);
    pair.hand_over(pair.to_client, pair.client, pair.to_server, pair.at_client);
    ASSERT_TRUE(pair.client.is_open()) << pair.client.why();
    ASSERT_TRUE(pair.client.write(as_bytes("hello"), pair.to_server));
    pair.client.close(pair.to_server);
    ASSERT_FALSE(pair.server.is_open());
    pair.settle();
    EXPECT_EQ(pair.at_server, "hello") << pair.server.why();
    EXPECT_TRUE(pair.server.peer_ended());
    EXPECT_EQ(pair.server.error(), errc::ok);
  }
}

// What other code of the program left in OpenSSL's list of errors is not ours, wherever a message is cut.
TEST(tls_filter, errors_of_others_are_not_taken_for_ours) {
  world w;
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    const auto pair = w.meet("example.org", cut);
    leave_an_openssl_error();
    ASSERT_TRUE(pair->client.write(as_bytes("hello"), pair->to_server)) << pair->client.why();
    pair->settle();
    EXPECT_EQ(pair->at_server, "hello") << pair->server.why();
    leave_an_openssl_error();
    pair->client.close(pair->to_server);
    leave_an_openssl_error();
    pair->settle();
    EXPECT_TRUE(pair->server.peer_ended());
    EXPECT_EQ(pair->server.error(), errc::ok) << pair->server.why();
  }
}

TEST(tls_filter, a_damaged_record_is_told_in_its_own_words_beside_errors_of_others) {
  world w;
  const auto pair = w.meet();
  ASSERT_TRUE(pair->client.write(as_bytes("hello"), pair->to_server));
  pair->to_server.back() ^= std::byte{1};
  leave_an_openssl_error();
  pair->settle();
  EXPECT_EQ(pair->server.error(), errc::tls_failed);
  EXPECT_NE(pair->server.why().find("bad record mac"), std::string::npos) << pair->server.why();
}

std::size_t heap_in_use() {
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

// An idle connection keeps no buffers of records, and a client that says nothing is not worth those of a handshake. The
// sanitizers' allocators count nothing here, and so find nothing too much.
TEST(tls_filter, who_is_silent_costs_little) {
  constexpr std::size_t ends = 40;
  constexpr std::size_t kib = 1024;
  world w;
  const tls::context server = server_context(w.server);
  std::size_t before = heap_in_use();
  {
    std::vector<std::unique_ptr<tls::filter>> silent;
    tls::record_sink nothing;
    for (std::size_t i = 0; i < ends; ++i) {
      silent.push_back(std::make_unique<tls::filter>(server, std::string_view()));
      EXPECT_TRUE(silent.back()->handshake(nothing));
    }
    EXPECT_LT(heap_in_use(), before + ends * 12 * kib);
  }
  const tls::context client = client_context(w.client);
  before = heap_in_use();
  std::vector<std::unique_ptr<tls_pair>> idle;
  for (std::size_t i = 0; i < ends / 2; ++i) {
    tls_pair& pair = *idle.emplace_back(std::make_unique<tls_pair>(client, server, "example.org"));
    pair.settle();
    ASSERT_TRUE(pair.client.write(as_bytes("hello"), pair.to_server));
    ASSERT_TRUE(pair.server.write(as_bytes("hello"), pair.to_client));
    pair.settle();
    ASSERT_EQ(pair.at_client, "hello");
  }
  EXPECT_LT(heap_in_use(), before + ends * 20 * kib);
}

TEST(tls_filter, what_cannot_be_used_is_named) {
  const authority root = authority::root();
  const authority one = root.issue(certificate_wish("example.org"));
  const authority two = root.issue(certificate_wish("example.org"));
  const auto complaint = [](const server_tls& how) {
    std::string why;
    EXPECT_EQ(to_errc(tls::context::server(how, &why).error()), errc::invalid_certificate);
    return why;
  };
  server_tls how;
  EXPECT_NE(complaint(how).find("--cert"), std::string::npos);
  how.identity.certificate = pem::file("/nowhere/cert.pem");
  EXPECT_NE(complaint(how).find("/nowhere/cert.pem cannot be read: No such file"), std::string::npos);
  how.identity.certificate = pem::text("nonsense");
  EXPECT_NE(complaint(how).find("no certificate"), std::string::npos);
  how.identity.certificate = pem::text(one.certificate());
  how.identity.key = pem::text(two.key());
  EXPECT_NE(complaint(how).find("not the key of the certificate"), std::string::npos);
  certificate_wish other_kind("example.org");
  other_kind.rsa_bits = 2048;
  how.identity.key = pem::text(root.issue(other_kind).key());
  EXPECT_NE(complaint(how).find("not the key of the certificate"), std::string::npos);
  how.identity.key = pem::text(one.certificate());
  EXPECT_NE(complaint(how).find("no private key"), std::string::npos);
  how.identity.key = {};
  how.identity.certificate = pem::text(one.certificate() + one.key());
  EXPECT_TRUE(tls::context::server(how));
  how.clients = client_certificates::required;
  EXPECT_NE(complaint(how).find("--client-ca"), std::string::npos);
  how.clients = client_certificates::not_asked;
  how.client_ca = pem::text(root.certificate());
  EXPECT_NE(complaint(how).find("set tls.clients to required"), std::string::npos);
  how.client_ca = {};
  const std::string damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  how.identity.certificate = pem::text(one.certificate() + one.key() + damaged);
  EXPECT_NE(complaint(how).find("holds a certificate"), std::string::npos);

  client_tls client;
  std::string why;
  client.ca = pem::text(root.certificate() + damaged);
  EXPECT_EQ(to_errc(tls::context::client(client, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("holds a certificate that cannot be read"), std::string::npos) << why;
  client.ca = pem::file("/tmp");
  EXPECT_EQ(to_errc(tls::context::client(client, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("/tmp is a folder, and no file"), std::string::npos) << why;
  // An authority that was meant is none of the system's.
  for (const pem& nothing : {pem::file({}), pem::text({})}) {
    client.ca = nothing;
    EXPECT_EQ(to_errc(tls::context::client(client, &why).error()), errc::invalid_certificate);
  }
  client.ca = {};
  for (const std::string& name : {std::string(".example.org"), std::string("."), std::string(300, 'a'),
                                  std::string("example.org\0.evil.org", 21)}) {
    client.server_name = name;
    EXPECT_EQ(to_errc(tls::context::client(client, &why).error()), errc::invalid_certificate);
    EXPECT_NE(why.find("no name of one host"), std::string::npos) << why;
  }
  client.server_name.clear();
  client.ca_folder = "/nowhere";
  EXPECT_EQ(to_errc(tls::context::client(client, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("/nowhere"), std::string::npos);
}

TEST(tls_filter, an_encrypted_key_wants_its_passphrase) {
  const authority one = authority::root().issue(certificate_wish("example.org"));
  server_tls how;
  how.identity.certificate = pem::text(one.certificate());
  how.identity.key = pem::text(one.key("open sesame"));
  const auto refusal = [&how](std::string passphrase) {
    how.identity.passphrase = std::move(passphrase);
    std::string why;
    EXPECT_EQ(to_errc(tls::context::server(how, &why).error()), errc::invalid_certificate);
    EXPECT_EQ(why.find("tls.identity.key (--key) "), 0U) << why;
    return why;
  };
  EXPECT_NE(refusal({}).find("is encrypted, and tls.identity.passphrase is empty"), std::string::npos);
  EXPECT_NE(refusal("sesame").find("tls.identity.passphrase does not open: that is another one"), std::string::npos);
  how.identity.passphrase = "open sesame";
  EXPECT_TRUE(tls::context::server(how));
  // What OpenSSL would cut off is not taken for another passphrase.
  const std::string longest(1024, 'x');
  how.identity.key = pem::text(one.key(longest));
  EXPECT_NE(refusal(longest + "x").find("tls.identity.passphrase is longer than 1024 bytes"), std::string::npos);
  how.identity.passphrase = longest;
  EXPECT_TRUE(tls::context::server(how));
  // No passphrase mends these.
  std::string damaged = one.key();
  damaged.replace(damaged.find("\nM"), 2, "\n!");
  how.identity.key = pem::text(damaged);
  EXPECT_NE(refusal({}).find("holds no private key in PEM, or one that is damaged"), std::string::npos);
  how.identity.key = pem::text(one.certificate());
  EXPECT_NE(refusal("open sesame").find("whatever tls.identity.passphrase is"), std::string::npos);
}

// The store of sessions and the keys of tickets are what they share.
TEST(tls_filter, one_context_for_connections_on_many_threads) {
  const world w;
  const tls::context client = client_context(w.client);
  const tls::context server = server_context(w.server);
  std::atomic<int> resumed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        tls_pair pair(client, server, "example.org");
        pair.now = tick{} + std::chrono::minutes(10 * i + t);  // New keys of tickets meanwhile.
        pair.settle();
        ASSERT_TRUE(pair.client.is_open() && pair.server.is_open()) << pair.client.why() << pair.server.why();
        if (pair.client.resumed()) ++resumed;
        pair.client.write(as_bytes("hello"), pair.to_server);
        pair.settle();
        EXPECT_EQ(pair.at_server, "hello");
      }
    });
  }
  for (std::thread& t : threads)
    t.join();
  EXPECT_GT(resumed, 0);
}

}  // namespace
}  // namespace hawser::test
