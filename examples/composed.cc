// Two extensions composed: letters are rotated, then a checksum of the rotated message is put behind it; the other end
// undoes both in the opposite order. Usage: composed [URL]

#include "checksum.h"

#include <hawser/hawser.h>

#include <iostream>

namespace {

void rotate(hawser::byte_span message) {
  for (std::byte& b : message) {
    const auto c = static_cast<unsigned char>(b);
    if (c >= 'a' && c <= 'z') b = static_cast<std::byte>('a' + (c - 'a' + 13) % 26);
    if (c >= 'A' && c <= 'Z') b = static_cast<std::byte>('A' + (c - 'A' + 13) % 26);
  }
}

}  // namespace

int main(int argc, char** argv) {
  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/websocket");
  ws.extensions()
      .add(hawser::ext::message_extension("x-rot13", hawser::rsv::two).encode(rotate).decode(rotate))
      .add(checksum{});

  ws.on_connect([](hawser::connection c, const hawser::handshake& h) {
    std::cout << "agreed: " << (h.extensions_header.empty() ? "no extension" : h.extensions_header) << '\n';
    c.send("two extensions carry this");
  });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    std::cout << "received: " << m.text() << '\n';
    c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << "error: " << f.what() << '\n'; });

  return ws.run_forever();
}
