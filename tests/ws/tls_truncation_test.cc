// I5: the ways in which a connection behind TLS ends, in both roles. TLS is spoken by hand over a real socket; 1006 and
// errc::truncated are for an end that nobody said.
#include "support/authority.h"
#include "ws/on_loop.h"
#include "ws/raw_peer.h"
#include "ws/running_server.h"
#include "ws/tls_by_hand.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>
#include <hawser/tls/filter.h>

#include <string>
#include <thread>
#include <utility>

namespace hawser {
namespace {

using test::authority;
using test::certificate_wish;
using test::tls_by_hand;

struct ending {
  const char* what;
  void (*end)(tls_by_hand&, role);
  unsigned code;
  errc error;
};

void close_frame(tls_by_hand& peer, role side) {
  test::frame_writer out(side);
  peer.send(as_text(byte_view(out.close(1000).take())));
  EXPECT_NE(peer.until(side == role::client ? "\x88\x02\x03\xE8" : "\x88\x82"), "") << "our answer";
}

std::string closing(role side) {
  test::frame_writer out(side);
  return std::string(as_text(byte_view(out.close(1000).take())));
}

// Has the other end close first.
void be_closed(tls_by_hand& peer, role side) {
  test::frame_writer out(side);
  peer.send(as_text(byte_view(out.text("close").take())));
  EXPECT_NE(peer.until(side == role::client ? "\x88\x02" : "\x88\x82"), "");
}

const ending endings[] = {
    {"FIN", [](tls_by_hand& p, role) { p.socket().finish(); }, 1006, errc::truncated},
    {"RST", [](tls_by_hand& p, role) { p.socket().reset(); }, 1006, errc::connection_lost},
    {"close_notify",
     [](tls_by_hand& p, role) {
       p.say_end();
       p.socket().finish();
     },
     1006, errc::connection_lost},
    {"FIN in the middle of a record",
     [](tls_by_hand& p, role) {
       p.socket().send(std::string_view("\x17\x03\x03\x00\x40half", 9));
       p.socket().finish();
     },
     1006, errc::truncated},
    {"a closing handshake, and FIN without close_notify",
     [](tls_by_hand& p, role side) {
       close_frame(p, side);
       p.socket().finish();
     },
     1000, errc::ok},
    {"a closing handshake, and close_notify",
     [](tls_by_hand& p, role side) {
       close_frame(p, side);
       p.say_end();
       p.socket().finish();
     },
     1000, errc::ok},
    {"an answer to our close, and FIN without close_notify",
     [](tls_by_hand& p, role side) {
       be_closed(p, side);
       p.send(closing(side));
       p.socket().finish();
     },
     1000, errc::ok},
    {"an answer to our close and close_notify in one piece",
     [](tls_by_hand& p, role side) {
       be_closed(p, side);
       p.send_last(closing(side));
       p.socket().finish();
     },
     1000, errc::ok},
    {"FIN without close_notify in place of an answer to our close",
     [](tls_by_hand& p, role side) {
       be_closed(p, side);
       p.socket().finish();
     },
     1006, errc::truncated},
    {"half an answer to our close, and FIN",
     [](tls_by_hand& p, role side) {
       be_closed(p, side);
       p.send_cut(closing(side), 12);
       p.socket().finish();
     },
     1006, errc::truncated},
    {"close_notify in place of an answer to our close",
     [](tls_by_hand& p, role side) {
       be_closed(p, side);
       p.say_end();
       p.socket().finish();
     },
     1006, errc::connection_lost},
};

TEST(tls_truncation, I5_ends_that_a_server_meets) {
  const authority root = authority::root();
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  const tls::context of_client = *tls::context::client(trust);
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  test::running_server server;
  server.it().use_tls(own).value();
  test::journal told;
  server.it()
      .route("/")
      .on_message([](connection c, const message&) { c.close(); })
      .on_error([&](connection, const failure& f) { told.add("error " + std::to_string(f.code().value())); })
      .on_close([&](connection, close_code code, std::string_view) {
        told.add("closed " + std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  std::size_t lines = 0;
  for (const ending& e : endings) {
    tls_by_hand peer(test::raw_peer(server.at()), of_client, "127.0.0.1");
    peer.send(test::raw_peer::request());
    EXPECT_NE(peer.until("\r\n\r\n").find(" 101 "), std::string::npos);
    e.end(peer, role::client);
    const std::size_t more = e.error == errc::ok ? 1 : 2;
    ASSERT_TRUE(told.wait(lines + more)) << e.what;
    if (e.error != errc::ok) {
      EXPECT_EQ(told.lines()[lines], "error " + std::to_string(make_error_code(e.error).value())) << e.what;
    }
    EXPECT_EQ(told.lines()[lines + more - 1], "closed " + std::to_string(e.code)) << e.what;
    lines += more;
  }
  server.stop();
  EXPECT_EQ(told.lines().size(), lines) << told.text();
}

TEST(tls_truncation, I5_ends_that_a_client_meets) {
  const authority root = authority::root();
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  const tls::context of_server = *tls::context::server(own);
  for (const ending& e : endings) {
    test::raw_listener listener;
    std::thread other([&] {
      tls_by_hand peer(listener.accept(), of_server, {});
      const std::string asked = peer.until("\r\n\r\n");
      peer.send(test::raw_peer::agreement(asked));
      e.end(peer, role::server);
      while (peer.socket().fd() >= 0 && peer.socket().receive())
        continue;
    });
    client_options options;
    options.tls.ca = pem::text(root.certificate());
    options.reconnect.enabled = false;
    client ws("wss" + listener.url().substr(2), options);
    errc met = errc::ok;
    unsigned code = 0;
    ws.on_message([](connection c, const message&) { c.close(); });
    ws.on_error([&](const failure& f) { met = to_errc(f.code()); });
    ws.on_close([&](close_code c, std::string_view) { code = static_cast<unsigned>(c); });
    ws.run_forever();
    other.join();
    EXPECT_EQ(met, e.error) << e.what;
    EXPECT_EQ(code, e.code) << e.what;
  }
}

// One that sends `many` messages and an end at once, to a server that is over after all of them.
void hear_tail(test::running_server& server, int many, bool pauses, errc end, const tls::context& of_client) {
  test::journal told;
  int heard = 0;
  connection slow;
  const auto after = [&](std::string what) { told.add(std::move(what) + " after " + std::to_string(heard)); };
  server.it()
      .route("/")
      .on_message([&](connection c, const message&) {
        if (heard++ == 0 && pauses) {
          slow = c;
          c.pause();
          told.add("paused");
        }
      })
      .on_error([&](connection, const failure& f) { after(std::to_string(f.code().value())); })
      .on_close([&](connection, close_code code, std::string_view) { after(std::to_string(static_cast<int>(code))); });
  server.start();
  tls_by_hand peer(test::raw_peer(server.at()), of_client, "127.0.0.1");
  peer.send(test::raw_peer::request());
  EXPECT_NE(peer.until("\r\n\r\n").find(" 101 "), std::string::npos);
  test::frame_writer out(role::client);
  for (int i = 0; i < many; ++i)
    out.text(std::string(1000, 'm'));
  if (end == errc::ok) out.close(1000);
  const test::byte_string tail = out.take();
  if (end == errc::truncated)
    peer.send(as_text(byte_view(tail)));
  else
    peer.send_last(as_text(byte_view(tail)));
  peer.socket().finish();
  if (pauses) {
    ASSERT_TRUE(told.wait_for("paused")) << told.text();
    // By then the loop has met the end most of the time: that is what this is for, and nothing depends on it.
    test::on_loop(server.it(), [](worker&) { return true; });
    EXPECT_EQ(slow.post([slow] { slow.resume(); }), errc::ok);
  }
  const std::string all = " after " + std::to_string(many);
  if (end != errc::ok) {
    EXPECT_TRUE(told.wait_for(std::to_string(make_error_code(end).value()) + all)) << told.text();
  }
  EXPECT_TRUE(told.wait_for((end == errc::ok ? "1000" : "1006") + all)) << told.text();
  server.stop();
}

// What a peer sent before its end is heard before the end is, also by who reads slowly.
TEST(tls_truncation, I5_what_came_before_the_end_is_delivered) {
  const authority root = authority::root();
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  const tls::context of_client = *tls::context::client(trust);
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  for (const int many : {10, 300}) {  // At once, and in several reads.
    for (const bool pauses : {false, true}) {
      for (const errc end : {errc::ok, errc::truncated, errc::connection_lost}) {
        SCOPED_TRACE(std::to_string(many) + (pauses ? ", pausing: " : ": ") + std::string(describe(end)));
        test::running_server server;
        server.it().use_tls(own).value();
        hear_tail(server, many, pauses, end, of_client);
      }
    }
  }
}

// Behind its alert a server has nothing to say, and does not wait for who breaks TLS to end.
TEST(tls_truncation, I5_who_breaks_TLS_is_left_at_once) {
  const authority root = authority::root();
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  server_options options;
  options.close_timeout = std::chrono::hours(1);
  test::running_server server(options);
  server.it().use_tls(own).value();
  test::journal told;
  server.it().route("/").on_error([&](connection, const failure& f) { told.add(f.what()); });
  server.start();
  tls_by_hand peer(test::raw_peer(server.at()), *tls::context::client(trust), "127.0.0.1");
  peer.send(test::raw_peer::request());
  EXPECT_NE(peer.until("\r\n\r\n").find(" 101 "), std::string::npos);
  peer.send_damaged("no record");
  EXPECT_EQ(peer.until("more"), "");
  EXPECT_NE(peer.filter().why().find("bad record mac"), std::string::npos) << peer.filter().why();
  peer.socket().to_end();
  peer.socket().finish();
  EXPECT_TRUE(test::comes_true(server.it(), [](worker& w) { return w.sessions().empty(); }));
  ASSERT_TRUE(told.wait(1));
  EXPECT_NE(told.text().find("bad record mac"), std::string::npos) << told.text();
}

// A server that takes the connection and says nothing is left when the time is over, and it is said what was going on.
TEST(tls_truncation, E5_a_server_that_stalls_in_tls) {
  test::raw_listener listener;
  client_options options;
  options.handshake_timeout = std::chrono::milliseconds(50);
  std::thread other([&] {
    test::raw_peer peer = listener.accept();
    peer.to_end();
  });
  std::string why;
  EXPECT_EQ(to_errc(connect("wss" + listener.url().substr(2), options, {}, {}, &why).error()), errc::handshake_timeout);
  EXPECT_EQ(why.find("TLS handshake with 127.0.0.1:"), 0U) << why;
  other.join();
}

}  // namespace
}  // namespace hawser
