// Hears of everything that can go wrong, and of how each attempt ends. Usage: errors [URL] [ATTEMPTS]
//
// The default URL has nobody behind it. An error says what happened, whose fault it was and what to do.

#include <hawser/hawser.h>

#include <cstdlib>
#include <iostream>

namespace {

const char* blame(hawser::fault f) {
  switch (f) {
    case hawser::fault::caller_mistake:
      return "the caller's";
    case hawser::fault::peer_violation:
      return "the peer's";
    case hawser::fault::transport:
      return "the network's";
    default:
      return "nobody's";
  }
}

}  // namespace

int main(int argc, char** argv) {
  hawser::client_options options;
  options.reconnect.max_attempts = argc > 2 ? static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)) : 1;
  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:1/websocket", options);

  ws.on_connect([](hawser::connection c, const hawser::handshake&) {
    std::cout << "connected\n";
    c.send("hello");
  });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    std::cout << "message: " << m.text() << '\n';
    c.close(hawser::close_code::normal, "seen enough");
  });
  ws.on_error([](const hawser::failure& f) {
    std::cout << "error: " << f.what() << " The fault is " << blame(f.fault()) << ".\n";
  });
  ws.on_close([](hawser::close_code code, std::string_view reason) {
    std::cout << "closed: " << static_cast<int>(code) << ' ' << reason << '\n';
  });
  ws.on_disconnect([](const hawser::disconnect& d) {
    std::cout << "disconnected after attempt " << d.attempt << (d.will_retry ? ", will try again\n" : "\n");
  });

  return ws.run_forever();
}
