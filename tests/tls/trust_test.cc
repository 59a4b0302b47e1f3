// F1: whose certificate is accepted, in both roles and both versions of TLS, and the whole sentence about every other:
// it names the certificate, the host, and what mends it. The other end is OpenSSL itself, which shows anything.

#include "pair.h"
#include "raw_end.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>

namespace hawser::test {
namespace {

constexpr int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

std::string without_times(const std::string& text) {
  static const std::regex time("(ended|begins) [A-Z][a-z]{2} .\\d \\d\\d:\\d\\d:\\d\\d \\d{4} GMT");
  return std::regex_replace(text, time, "$1 TIME");
}

certificate_wish wish(const std::function<void(certificate_wish&)>& change = {}) {
  certificate_wish made("example.org");
  made.common_name = "leaf";
  if (change) change(made);
  return made;
}

certificate_wish authority_called(std::string name) {
  certificate_wish made;
  made.is_authority = true;
  made.common_name = std::move(name);
  return made;
}

// What both roles may be shown, signed by an authority that is trusted, or not.
struct shown_case {
  const char* what;
  std::function<shown_identity(const authority& root)> make;
  int alert;              // That the other end gets; 0: accepted.
  const char* of_server;  // The sentence about a server ...
  const char* of_client;  // ... and that about a client.
};

const shown_case shown_cases[] = {
    {"as it should be", [](const authority& root) { return shown_identity(root.issue(wish())); }, 0, "", ""},
    {"RSA of 2,048 bits",
     [](const authority& root) { return shown_identity(root.issue(wish([](auto& w) { w.rsa_bits = 2048; }))); }, 0, "",
     ""},
    {"expired",
     [](const authority& root) { return shown_identity(root.issue(wish([](auto& w) { w.valid_until = -60; }))); },
     SSL_AD_CERTIFICATE_EXPIRED,
     "The certificate of example.org (CN = leaf) is refused: it has expired: its time ended TIME. It must be renewed; "
     "check the clock here as well.",
     "The certificate of the client (CN = leaf) is refused: it has expired: its time ended TIME. It must be renewed; "
     "check the clock here as well."},
    {"not valid yet",
     [](const authority& root) { return shown_identity(root.issue(wish([](auto& w) { w.valid_from = 3600; }))); },
     SSL_AD_BAD_CERTIFICATE,
     "The certificate of example.org (CN = leaf) is refused: it is not valid yet: its time begins TIME. Check the "
     "clock "
     "here.",
     "The certificate of the client (CN = leaf) is refused: it is not valid yet: its time begins TIME. Check the clock "
     "here."},
    {"signed by itself", [](const authority&) { return shown_identity(authority(wish())); }, SSL_AD_UNKNOWN_CA,
     "The certificate of example.org (CN = leaf) is refused: it is signed by itself. If it is the right one, give it "
     "as "
     "tls.ca (--ca).",
     "The certificate of the client (CN = leaf) is refused: it is signed by itself. If it is the right one, give it as "
     "tls.client_ca (--client-ca)."},
    {"by an authority that nobody knows",
     [](const authority&) { return shown_identity(authority::root("a stranger").issue(wish())); }, SSL_AD_UNKNOWN_CA,
     "The certificate of example.org (CN = leaf) is refused: its authority, CN = a stranger, is not among those "
     "trusted "
     "here, or a certificate between them was not sent. If it is the right one, give the authority's certificate as "
     "tls.ca (--ca).",
     "The certificate of the client (CN = leaf) is refused: its authority, CN = a stranger, is not among those trusted "
     "here, or a certificate between them was not sent. If it is the right one, give the authority's certificate as "
     "tls.client_ca (--client-ca)."},
    {"by an authority that nobody knows, and sends",
     [](const authority&) {
       const authority stranger = authority::root("a stranger");
       return shown_identity(stranger.issue(wish()), stranger.certificate());
     },
     SSL_AD_UNKNOWN_CA,
     "A certificate in the chain of example.org (CN = a stranger) is refused: the authority at the end of the chain is "
     "not among those trusted here. If it is the right one, give the authority's certificate as tls.ca (--ca).",
     "A certificate in the chain of the client (CN = a stranger) is refused: the authority at the end of the chain is "
     "not among those trusted here. If it is the right one, give the authority's certificate as tls.client_ca "
     "(--client-ca)."},
    {"by an authority called as the right one",
     [](const authority&) { return shown_identity(authority::root("hawser test root").issue(wish())); },
     SSL_AD_DECRYPT_ERROR,
     "The certificate of example.org (CN = leaf) is refused: its signature is not that of its authority, CN = hawser "
     "test root. It was changed or forged, or another authority has that name.",
     "The certificate of the client (CN = leaf) is refused: its signature is not that of its authority, CN = hawser "
     "test root. It was changed or forged, or another authority has that name."},
    {"without the certificate between",
     [](const authority& root) { return shown_identity(root.issue(authority_called("between")).issue(wish())); },
     SSL_AD_UNKNOWN_CA,
     "The certificate of example.org (CN = leaf) is refused: its authority, CN = between, is not among those trusted "
     "here, or a certificate between them was not sent. If it is the right one, give the authority's certificate as "
     "tls.ca (--ca).",
     "The certificate of the client (CN = leaf) is refused: its authority, CN = between, is not among those trusted "
     "here, or a certificate between them was not sent. If it is the right one, give the authority's certificate as "
     "tls.client_ca (--client-ca)."},
    {"with the certificate between",
     [](const authority& root) {
       const authority between = root.issue(authority_called("between"));
       return shown_identity(between.issue(wish()), between.certificate());
     },
     0, "", ""},
    {"with one between that has expired",
     [](const authority& root) {
       certificate_wish old = authority_called("between");
       old.valid_until = -60;
       const authority between = root.issue(old);
       return shown_identity(between.issue(wish()), between.certificate());
     },
     SSL_AD_CERTIFICATE_EXPIRED,
     "A certificate in the chain of example.org (CN = between) is refused: it has expired: its time ended TIME. It "
     "must "
     "be renewed; check the clock here as well.",
     "A certificate in the chain of the client (CN = between) is refused: it has expired: its time ended TIME. It must "
     "be renewed; check the clock here as well."},
    {"by one who is no authority",
     [](const authority& root) {
       certificate_wish mallory("mallory.example");
       mallory.common_name = "mallory";
       const authority no_authority = root.issue(mallory);
       return shown_identity(no_authority.issue(wish()), no_authority.certificate());
     },
     SSL_AD_UNKNOWN_CA,
     "A certificate in the chain of example.org (CN = mallory) is refused: it was not made to sign others. Only an "
     "authority's certificate may stand there.",
     "A certificate in the chain of the client (CN = mallory) is refused: it was not made to sign others. Only an "
     "authority's certificate may stand there."},
    {"a weak key",
     [](const authority& root) { return shown_identity(root.issue(wish([](auto& w) { w.rsa_bits = 1024; }))); },
     SSL_AD_BAD_CERTIFICATE,
     "The certificate of example.org (CN = leaf) is refused: its key or its signature is too weak to protect anything. "
     "It "
     "must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256.",
     "The certificate of the client (CN = leaf) is refused: its key or its signature is too weak to protect anything. "
     "It "
     "must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256."},
    {"a weak signature",
     [](const authority& root) { return shown_identity(root.issue(wish([](auto& w) { w.sha1 = true; }))); },
     SSL_AD_BAD_CERTIFICATE,
     "The certificate of example.org (CN = leaf) is refused: its key or its signature is too weak to protect anything. "
     "It "
     "must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256.",
     "The certificate of the client (CN = leaf) is refused: its key or its signature is too weak to protect anything. "
     "It "
     "must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256."},
    {"an authority with a weak key between",
     [](const authority& root) {
       certificate_wish weak = authority_called("between");
       weak.rsa_bits = 1024;
       const authority between = root.issue(weak);
       return shown_identity(between.issue(wish()), between.certificate());
     },
     SSL_AD_BAD_CERTIFICATE,
     "A certificate in the chain of example.org (CN = between) is refused: its key or its signature is too weak to "
     "protect anything. It must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256.",
     "A certificate in the chain of the client (CN = between) is refused: its key or its signature is too weak to "
     "protect anything. It must be made anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256."},
};

// Keys of RSA take their time: each is made once.
struct trust_world {
  authority root = authority::root();
  std::vector<shown_identity> shown;

  trust_world() {
    for (const shown_case& c : shown_cases)
      shown.push_back(c.make(root));
  }
  static const trust_world& it() {
    static const trust_world made;
    return made;
  }
};

void expect_verdict(const shown_case& c, const tls::filter& filter, const raw_end& other, const char* sentence) {
  EXPECT_EQ(filter.is_open(), c.alert == 0) << c.what;
  EXPECT_EQ(without_times(filter.why()), sentence) << c.what;
  EXPECT_EQ(filter.error(), c.alert == 0 ? errc::ok : errc::certificate_refused) << c.what;
  EXPECT_EQ(std::max(other.alert(), 0), c.alert) << c.what;
}

TEST(trust, F1_what_a_server_shows) {
  const trust_world& w = trust_world::it();
  client_tls how;
  how.ca = pem::text(w.root.certificate());
  const tls::context shared = client_context(how);
  for (std::size_t i = 0; i < w.shown.size(); ++i) {
    for (const int version : versions) {
      raw_end server(true, version, w.shown[i]);
      tls::filter client(shared, "example.org");
      server.talk(client);
      expect_verdict(shown_cases[i], client, server, shown_cases[i].of_server);
    }
  }
}

TEST(trust, F1_what_a_client_shows) {
  const trust_world& w = trust_world::it();
  server_tls how;
  how.identity = w.root.issue(certificate_wish("example.org")).identity();
  how.client_ca = pem::text(w.root.certificate());
  for (const client_certificates asked : {client_certificates::required, client_certificates::optional}) {
    how.clients = asked;
    const tls::context shared = server_context(how);
    for (std::size_t i = 0; i < w.shown.size(); ++i) {
      for (const int version : versions) {
        raw_end client(false, version, w.shown[i]);
        tls::filter server(shared, {});
        client.talk(server);
        expect_verdict(shown_cases[i], server, client, shown_cases[i].of_client);
      }
    }
  }
}

TEST(trust, F1_a_client_that_shows_nothing) {
  const authority root = authority::root();
  server_tls how;
  how.identity = root.issue(certificate_wish("example.org")).identity();
  for (const client_certificates asked :
       {client_certificates::not_asked, client_certificates::optional, client_certificates::required}) {
    how.clients = asked;
    how.client_ca = asked == client_certificates::not_asked ? pem() : pem::text(root.certificate());
    const bool refused = asked == client_certificates::required;
    for (const int version : versions) {
      raw_end client(false, version);
      tls::filter server(server_context(how), {});
      client.talk(server);
      EXPECT_EQ(server.is_open(), !refused);
      EXPECT_EQ(server.why(), refused ? "The client showed no certificate, which this server requires." : "");
    }
  }
}

TEST(trust, F1_what_was_made_for_the_other_role) {
  const authority root = authority::root();
  const auto only = [&](const char* usage) {
    return shown_identity(root.issue(wish([&](auto& w) { w.extended_usage = usage; })));
  };
  client_tls of_client;
  of_client.ca = pem::text(root.certificate());
  server_tls of_server;
  of_server.identity = root.issue(certificate_wish("example.org")).identity();
  of_server.client_ca = of_client.ca;
  of_server.clients = client_certificates::required;
  for (const int version : versions) {
    raw_end server(true, version, only("clientAuth"));
    tls::filter client(client_context(of_client), "example.org");
    server.talk(client);
    EXPECT_EQ(client.why(),
              "The certificate of example.org (CN = leaf) is refused: it was not made for servers (extended "
              "key usage). It must be made anew.");
    raw_end other(false, version, only("serverAuth"));
    tls::filter listening(server_context(of_server), {});
    other.talk(listening);
    EXPECT_EQ(listening.why(),
              "The certificate of the client (CN = leaf) is refused: it was not made for clients "
              "(extended key usage). It must be made anew.");
  }
}

struct host_case {
  const char* host;
  std::vector<std::string> names;
  const char* is_for;  // What the sentence says that it is for; null: accepted.
};

TEST(trust, F1_hosts) {
  const std::string long_label(63, 'a');
  const host_case cases[] = {
      {"example.org", {"example.org"}, nullptr},
      {"EXAMPLE.org", {"example.ORG"}, nullptr},
      {"example.org.", {"example.org"}, nullptr},
      {"example.org", {"example.org."}, "example.org."},
      {"example.org", {"other.example", "example.org"}, nullptr},
      {"example.org",
       {"a.example", "b.example", "c.example", "d.example", "e.example"},
       "a.example, b.example, c.example, d.example, ..."},
      {"example.org", {"example.org.evil.example"}, "example.org.evil.example"},
      {"example.org", {"evilexample.org"}, "evilexample.org"},
      {"example.org", {"org"}, "org"},
      {"a.example.org", {"example.org"}, "example.org"},
      {"a.example.org", {"*.example.org"}, nullptr},
      {"a.b.example.org", {"*.example.org"}, "*.example.org"},
      {"example.org", {"*.example.org"}, "*.example.org"},
      {"example.org", {"*.org"}, "*.org"},
      {"example.org", {"*"}, "*"},
      {"a.b.example.org", {"*.*.example.org"}, "*.*.example.org"},
      {"a.b.example.org", {"a.*.example.org"}, "a.*.example.org"},
      {"aaa.example.org", {"a*.example.org"}, "a*.example.org"},
      {"xn--e1afmkfd.example.org", {"*.example.org"}, nullptr},
      {"xn--e1afmkfd.example.org", {"xn--*.example.org"}, "xn--*.example.org"},
      {"127.0.0.1", {"IP:127.0.0.1"}, nullptr},
      {"127.0.0.1", {"IP:127.0.0.2"}, "127.0.0.2"},
      {"127.0.0.1", {"127.0.0.1"}, "127.0.0.1 (as a name)"},
      {"127.0.0.1", {"*.0.0.1"}, "*.0.0.1"},
      {"localhost", {"IP:127.0.0.1"}, "127.0.0.1"},
      {"::1", {"IP:::1"}, nullptr},
      {"::1", {"IP:2001:db8::1"}, "2001:db8::1"},
      {"2001:db8:0:0::1", {"IP:2001:db8::1"}, nullptr},
      {"::ffff:127.0.0.1", {"IP:127.0.0.1"}, "127.0.0.1"},
      {"example.org", {"email:someone@example.org"}, ""},
      {"example.org", {}, ""},
  };
  const authority root = authority::root();
  client_tls how;
  how.ca = pem::text(root.certificate());
  const tls::context shared = client_context(how);
  for (const host_case& c : cases) {
    const authority leaf = root.issue(wish([&](auto& w) {
      w.common_name = c.host;  // Which counts for nothing.
      w.names = c.names;
    }));
    raw_end server(true, TLS1_3_VERSION, shown_identity(leaf));
    tls::filter client(shared, c.host);
    server.talk(client);
    const std::string about = std::string(c.host) + " by " + (c.names.empty() ? "none" : c.names.front());
    EXPECT_EQ(client.is_open(), c.is_for == nullptr) << about << ": " << client.why();
    if (c.is_for == nullptr) continue;
    std::string host = c.host;
    if (host.back() == '.') host.pop_back();
    const std::string is_for = c.is_for;
    EXPECT_EQ(
        client.why(),
        "The certificate of " + host + " (CN = " + c.host + ") is refused: " +
            (is_for.empty() ? "it names no host. It must be made anew, with the host as a subject alternative name: "
                              "the common name does not count."
                            : "it is for " + is_for + ", not for " + host +
                                  ". Connect by a name that it is for, or, if it is the right server, set "
                                  "tls.server_name (--server-name) to that name."))
        << about;
  }
}

// RFC 6066, 3: SNI is a DNS name, without the dot of the root; an address is not sent. The name of the options counts
// for both.
TEST(trust, F1_the_name_that_is_asked_for_is_the_one_that_is_checked) {
  struct sni_case {
    const char* host;
    const char* option;
    const char* certificate;
    const char* asked;
    bool open;
  };
  const sni_case cases[] = {
      {"example.org", "", "example.org", "example.org", true},
      {"example.org.", "", "example.org", "example.org", true},
      {"127.0.0.1", "", "IP:127.0.0.1", "", true},
      {"::1", "", "IP:::1", "", true},
      {"127.0.0.1", "example.org", "example.org", "example.org", true},
      {"example.org", "inside.example", "inside.example", "inside.example", true},
      {"example.org", "inside.example", "example.org", "inside.example", false},
      {"example.org", "127.0.0.1", "IP:127.0.0.1", "", true},
  };
  const authority root = authority::root();
  for (const sni_case& c : cases) {
    client_tls how;
    how.ca = pem::text(root.certificate());
    how.server_name = c.option;
    for (const int version : versions) {
      raw_end server(true, version, shown_identity(root.issue(certificate_wish(std::string(c.certificate)))));
      tls::filter client(client_context(how), c.host);
      server.talk(client);
      EXPECT_EQ(server.name_asked_for(), c.asked) << c.host;
      EXPECT_EQ(client.is_open(), c.open) << client.why();
    }
  }
}

// A certificate is written by anybody: its names neither fill a screen nor steer it.
TEST(trust, F1_a_sentence_stays_one_line) {
  const authority root = authority::root();
  client_tls how;
  how.ca = pem::text(root.certificate());
  const auto said_of = [&](const certificate_wish& shown) {
    raw_end server(true, TLS1_3_VERSION, shown_identity(root.issue(shown)));
    tls::filter client(client_context(how), "example.org");
    server.talk(client);
    EXPECT_EQ(client.error(), errc::certificate_refused);
    return client.why();
  };
  const std::string steering = said_of(wish([](auto& w) {
    w.common_name = "a\n\x1B[2Jb";
    w.names = {"c\n\x1B[2Jd"};
  }));
  for (const char c : steering)
    EXPECT_TRUE(c >= ' ' && c <= '~') << steering;
  const std::string long_names = said_of(wish([](auto& w) {
    w.names = {std::string(5'000, 'x'), std::string(5'000, 'y')};
  }));
  EXPECT_LT(long_names.size(), 1'000U) << long_names;
  EXPECT_NE(long_names.find("xxx..."), std::string::npos) << long_names;
  const std::string long_subject = said_of(wish([](auto& w) {
    w.names = {"other.example"};
    w.units = 200;
  }));
  EXPECT_LT(long_subject.size(), 1'000U) << long_subject;
}

using chain = std::vector<std::vector<std::byte>>;

// What both ends see of each other as data: the chain that was verified, and nothing that was only sent.
TEST(trust, F1_certificates_as_data) {
  const authority root = authority::root();
  const authority between = root.issue(authority_called("between"));
  const authority somebody = between.issue(wish());
  const authority stray = authority::root("a stranger");
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    client_tls of_client;
    of_client.least = least;
    of_client.ca = pem::text(root.certificate());
    of_client.identity.certificate = pem::text(somebody.certificate() + between.certificate() + stray.certificate());
    of_client.identity.key = pem::text(somebody.key());
    server_tls of_server;
    of_server.least = least;
    const authority host = root.issue(certificate_wish("example.org"));
    of_server.identity = host.identity();
    const tls::context client = client_context(of_client);
    // Nobody asks the client.
    const tls::context open = server_context(of_server);
    for (const bool again : {false, true}) {
      tls_pair pair(client, open, "example.org");
      EXPECT_EQ(pair.client.peer_certificates(), chain()) << "not open yet";
      pair.settle();
      ASSERT_EQ(pair.client.resumed(), again);
      EXPECT_EQ(pair.client.peer_certificates(), again ? chain({host.der()}) : chain({host.der(), root.der()}));
      EXPECT_EQ(pair.server.peer_certificates(), chain());
    }
    of_server.client_ca = of_client.ca;
    of_server.clients = client_certificates::optional;
    const tls::context asking = server_context(of_server);
    tls_pair pair(client, asking, "example.org");
    pair.settle();
    EXPECT_EQ(pair.server.peer_certificates(), chain({somebody.der(), between.der(), root.der()}));
    of_client.identity = {};
    tls_pair nobody(client_context(of_client), asking, "example.org");
    nobody.settle();
    EXPECT_TRUE(nobody.server.is_open());
    EXPECT_EQ(nobody.server.peer_certificates(), chain());
  }
}

TEST(trust, F1_where_the_authorities_come_from) {
  const authority root = authority::root();
  const authority leaf = root.issue(wish());
  const auto opens = [&](const client_tls& how) {
    raw_end server(true, TLS1_3_VERSION, shown_identity(leaf));
    tls::filter client(client_context(how), "example.org");
    server.talk(client);
    return client.is_open();
  };
  std::string folder = std::filesystem::temp_directory_path() / "hawser-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/root.pem";
  std::ofstream(file) << root.certificate();
  client_tls how;
  EXPECT_FALSE(opens(how)) << "the system's";
  how.ca = pem::file(file);
  EXPECT_TRUE(opens(how));
  how.ca = pem::text(authority::root("another").certificate() + "and some words between\n" + root.certificate());
  EXPECT_TRUE(opens(how)) << "several in one text";
  how.ca = {};
  how.ca_folder = folder;
  EXPECT_FALSE(opens(how)) << "a folder without the names that OpenSSL wants";
  ASSERT_EQ(std::system(("openssl rehash " + folder).c_str()), 0);  // NOLINT(concurrency-mt-unsafe, cert-env33-c)
  EXPECT_TRUE(opens(how));
  how.ca = pem::text(authority::root("another").certificate());
  EXPECT_TRUE(opens(how)) << "either of both";
  std::filesystem::remove_all(folder);
}

// SSL_CERT_FILE is OpenSSL's own word for the system's authorities; here it stands for them.
TEST(trust, F1_the_authorities_of_the_system) {
  const authority root = authority::root();
  std::string file = std::filesystem::temp_directory_path() / "hawser-XXXXXX";
  const int made = ::mkstemp(file.data());
  ASSERT_GE(made, 0);
  std::ofstream(file) << root.certificate();
  ASSERT_EQ(::setenv("SSL_CERT_FILE", file.c_str(), 1), 0);  // NOLINT(concurrency-mt-unsafe)
  raw_end server(true, TLS1_3_VERSION, shown_identity(root.issue(wish())));
  tls::filter client(client_context({}), "example.org");
  server.talk(client);
  EXPECT_TRUE(client.is_open()) << client.why();
  ASSERT_EQ(::unsetenv("SSL_CERT_FILE"), 0);  // NOLINT(concurrency-mt-unsafe)
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace hawser::test
