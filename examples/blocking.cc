// The same without handlers: calls that wait. Usage: blocking [URL]

#include <hawser/hawser.h>

#include <iostream>

int main(int argc, char** argv) {
  std::string why;
  hawser::result<hawser::blocking_connection> ws =
      hawser::connect(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/websocket", {}, {}, {}, &why);
  if (!ws) {
    std::cerr << "error: " << why << '\n';
    return 1;
  }
  if (const hawser::result<void> sent = ws->send("hello"); !sent) {
    std::cerr << "error: " << sent.error().message() << '\n';
    return 1;
  }
  const hawser::result<hawser::message> m = ws->receive(std::chrono::seconds(5));
  if (!m) {
    std::cerr << "error: " << m.error().message() << '\n';
    return 1;
  }
  std::cout << "received: " << m->text() << '\n';
  return ws->close() ? 0 : 1;
}
