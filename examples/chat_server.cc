// A chat server: what one says, all others in the room hear. Usage: chat_server [HOST:PORT]

#include <hawser/hawser.h>

#include <iostream>

int main(int argc, char** argv) {
  hawser::server server;
  server.route("/chat")
      .on_connect([](hawser::connection c, const hawser::handshake&) { c.subscribe("room"); })
      .on_message([](hawser::connection c, const hawser::message& m) { c.publish("room", m); })
      .on_error([](hawser::connection, const hawser::failure& f) { std::cerr << "error: " << f.what() << '\n'; });

  const hawser::result<hawser::net::address> at = server.listen(argc > 1 ? argv[1] : "127.0.0.1:9001");
  if (!at) {
    std::cerr << "cannot listen: " << at.error().message() << '\n';
    return 1;
  }
  std::cout << "listening on ws://" << at->text() << "/chat" << std::endl;
  return server.run_forever() ? 0 : 1;
}
