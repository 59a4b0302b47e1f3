// Connects, says so, and leaves again. Usage: connect [URL]

#include <hawser/hawser.h>

#include <iostream>

int main(int argc, char** argv) {
  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/websocket");

  ws.on_connect([](hawser::connection c, const hawser::handshake& h) {
    std::cout << "WebSocket connected to " << h.remote.text() << '\n';
    c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << "error: " << f.what() << '\n'; });
  ws.on_disconnect([](const hawser::disconnect& d) {
    std::cout << "WebSocket disconnected" << (d.will_retry ? ", will try again" : "") << '\n';
  });

  return ws.run_forever();
}
