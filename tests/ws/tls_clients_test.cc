// Who a client is, by its certificate: what docs/tls.md shows, and who tries to get around it.
#include "support/authority.h"
#include "ws/running_server.h"
#include "ws/tls_by_hand.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>
#include <openssl/x509.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace hawser {
namespace {

using test::authority;
using test::certificate_wish;
using test::raw_peer;

/// The common name in a certificate of our authority; empty where there is not exactly one.
std::string common_name(const std::vector<std::byte>& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509, decltype(&X509_free)> read(d2i_X509(nullptr, &at, long(der.size())), X509_free);
  if (!read) return {};
  X509_NAME* const subject = X509_get_subject_name(read.get());
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return {};
  const ASN1_STRING* const name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)), std::size_t(ASN1_STRING_length(name))};
}

struct writer {
  std::string name;
};

template <class Frames>
std::string as_sent(Frames frames) {
  test::frame_writer out(role::client);
  frames(out);
  return std::string(as_text(out.bytes()));
}

/// What was written, and by whom, on a server that lets in everybody.
class tls_clients : public testing::Test {
 protected:
  tls_clients() {
    server& server = run.it();
    server_tls how;
    how.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
    how.client_ca = pem::text(root.certificate());
    how.clients = client_certificates::optional;
    server.use_tls(how).value();
    const std::set<std::string> may_write = {"alice"};
    server.route("/")
        .on_connect([may_write](hawser::connection c, const hawser::handshake& h) {
          const auto& shown = h.tls_peer_certificates;
          const std::string who = shown.empty() ? "" : common_name(shown.front());
          if (!may_write.contains(who))
            c.close(hawser::close_code::policy_violation, "you may not write here");
          else
            c.set_data(std::make_unique<writer>(writer{who}));
        })
        .on_message([this](hawser::connection c, const hawser::message& m) {
          const writer* who = c.data<writer>();
          if (who != nullptr) board.add(who->name + ": " + std::string(m.text()));
        });
    run.start();
  }
  ~tls_clients() override { run.stop(); }

  [[nodiscard]] client_tls called(const std::string& name) const {
    client_tls how;
    how.ca = pem::text(root.certificate());
    certificate_wish wish("client");
    wish.common_name = name;
    if (!name.empty()) how.identity = root.issue(wish).identity();
    return how;
  }

  const authority root = authority::root();
  test::journal board;
  test::running_server run;
};

TEST_F(tls_clients, the_page_tells_them_apart) {
  for (const char* const name : {"alice", "mallory", "", "alice, but longer"}) {
    client_options options;
    options.tls = called(name);
    std::string why;
    auto c = connect("wss" + run.url().substr(2), options, {}, {}, &why);
    ASSERT_TRUE(c) << why;
    // What the client sees is the server's.
    ASSERT_EQ(c->agreed().tls_peer_certificates.size(), 2U);
    EXPECT_EQ(common_name(c->agreed().tls_peer_certificates[0]), certificate_wish("").common_name);
    EXPECT_EQ(c->agreed().tls_peer_certificates[1], root.der());
    static_cast<void>(c->send("it is me"));
    if (std::string_view(name) == "alice") {
      EXPECT_TRUE(board.wait(1));
      EXPECT_TRUE(c->close());
    } else {
      EXPECT_FALSE(c->receive());
      EXPECT_NE(c->farewell().find("you may not write here"), std::string::npos) << name << ": " << c->farewell();
    }
  }
  EXPECT_EQ(board.lines(), std::vector<std::string>{"alice: it is me"});
}

// A message that comes with the request is there before the server's close can be answered.
TEST_F(tls_clients, who_may_not_write_does_not_get_ahead_of_the_close) {
  for (const char* const name : {"mallory", "alice"}) {
    const auto how = tls::context::client(called(name));
    ASSERT_TRUE(how);
    test::tls_by_hand peer(raw_peer(run.at()), *how, "127.0.0.1");
    ASSERT_TRUE(peer.is_open());
    peer.send(raw_peer::request() + as_sent([](test::frame_writer& out) { out.text("in haste"); }));
    EXPECT_NE(peer.until("\r\n\r\n"), "") << name;
    peer.send(as_sent([](test::frame_writer& out) { out.close(1000); }));
    peer.until("the end");
  }
  run.stop();
  EXPECT_EQ(board.lines(), std::vector<std::string>{"alice: in haste"});
}

}  // namespace
}  // namespace hawser
