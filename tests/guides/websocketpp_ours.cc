// The right column of docs/from_websocketpp.md; websocketpp_theirs.cc is the left one, and does the same.
// Usage: websocketpp_ours server | client URL | secure URL CA

#include <hawser/hawser.h>

#include <array>
#include <iostream>
#include <string>
#include <thread>

namespace {

void serve() {
  hawser::server s;

  s.route("*")
      .subprotocols({"chat.v1"})
      .on_connect([](hawser::connection c, const hawser::handshake&) { c.subscribe("room"); })
      .on_message([](hawser::connection c, const hawser::message& m) {
        c.send(m);
        c.publish("room", m);
      });

  const hawser::net::address at = s.listen("127.0.0.1", 0).value();
  std::cout << "ws://" << at.text() << std::endl;
  s.run().value();
}

int talk(const std::string& url) {
  hawser::client_options options;
  options.subprotocols = {"chat.v1"};
  options.reconnect.enabled = false;
  hawser::client c(url, options);
  c.headers().add("X-Token", "secret").value();

  std::thread writer;
  c.on_connect([&](hawser::connection con, const hawser::handshake& h) {
    std::cout << "subprotocol: " << h.subprotocol << std::endl;

    writer = std::thread([con] { con.send("from another thread"); });
  });
  c.on_message([](hawser::connection con, const hawser::message& m) {
    if (m.is_text())
      std::cout << "text: " << m.text() << std::endl;
    else
      std::cout << "bytes: " << m.size() << std::endl;

    constexpr std::array<std::byte, 3> bytes{std::byte{0}, std::byte{1}, std::byte{2}};
    if (m.is_text())
      con.send(bytes);
    else
      con.ping(hawser::as_bytes("there?"));
  });
  c.on_pong([](hawser::connection con, hawser::byte_view payload) {
    std::cout << "pong: " << hawser::as_text(payload) << std::endl;

    con.close(hawser::close_code::normal, "done");
  });
  c.on_close([](hawser::close_code code, std::string_view) {
    std::cout << "closed: " << static_cast<int>(code) << std::endl;
  });
  c.on_error([](const hawser::failure& f) { std::cerr << "failed: " << f.what() << std::endl; });

  const int status = c.run_forever();
  if (writer.joinable()) writer.join();
  return status;
}

int talk_secretly(const std::string& url, const std::string& authority) {
  hawser::client_options options;
  options.reconnect.enabled = false;
  options.tls.ca = hawser::pem::file(authority);
  hawser::client c(url, options);

  c.on_connect([](hawser::connection con, const hawser::handshake&) { con.close(); });
  const int status = c.run_forever();
  std::cout << (status == 0 ? "closed" : "failed") << std::endl;
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "client" && argc > 2) return talk(argv[2]);
  if (what == "secure" && argc > 3) return talk_secretly(argv[2], argv[3]);
  serve();
}
