// Sends messages and prints what comes back; leaves when everything has come. Usage: messages [URL]

#include <hawser/hawser.h>

#include <array>
#include <iostream>

int main(int argc, char** argv) {
  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/websocket");
  int awaited = 0;

  ws.on_connect([&awaited](hawser::connection c, const hawser::handshake&) {
    constexpr std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
    c.send("hello");
    c.send("你好，世界");
    c.send(bytes);
    awaited = 3;
  });
  ws.on_message([&awaited](hawser::connection c, const hawser::message& m) {
    if (m.is_text())
      std::cout << "received text: " << m.text() << '\n';
    else
      std::cout << "received " << m.size() << " bytes\n";
    if (--awaited == 0) c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << "error: " << f.what() << '\n'; });

  return ws.run_forever();
}
