// The program on the front page.

#include <hawser/hawser.h>

#include <iostream>

int main() {
  hawser::client ws("ws://127.0.0.1:9001/websocket");
  ws.on_connect([](hawser::connection c, const hawser::handshake&) { c.send("hello"); });
  ws.on_message([](hawser::connection, const hawser::message& m) { std::cout << m.text() << '\n'; });
  ws.on_error([](const hawser::failure& f) { std::cerr << f.what() << '\n'; });
  return ws.run_forever();
}
