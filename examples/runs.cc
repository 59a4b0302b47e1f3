// The extension of docs/tutorial.md at work: a server and a client that agree on it, and what it saves. Usage: runs

#include "tutorial/runs.h"

#include <hawser/hawser.h>

#include <iostream>
#include <string>
#include <thread>

int main() {
  hawser::server server;
  server.extensions().add(tutorial::runs()).add(hawser::ext::checksum());
  server.route("/").on_message([](hawser::connection c, const hawser::message& m) { c.send(m); });
  const hawser::net::address at = server.listen("127.0.0.1", 0).value();
  std::thread loop([&] { server.run().value(); });

  hawser::extension_list extensions;
  extensions.add(tutorial::runs()).add(hawser::ext::checksum());
  {
    auto ws = hawser::connect("ws://" + at.text(), {}, extensions).value();
    std::cout << "agreed: " << ws.agreed().extensions_header << '\n';

    std::string frame(65536, '\0');
    frame.replace(1000, 5, "hello");
    ws.send(hawser::as_bytes(frame)).value();
    const hawser::message echo = ws.receive().value();
    std::cout << "the same came back: " << (hawser::as_text(echo.bytes()) == frame ? "yes" : "no") << '\n';
  }
  std::cout << "bytes on the wire: " << server.metrics().value().bytes_sent << '\n';
  server.stop();
  loop.join();
}
