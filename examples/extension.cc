// An extension of our own, negotiated and at work: letters travel rotated by 13 places. Usage: extension [URL]

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

auto custom_extension() {
  return hawser::ext::message_extension("x-rot13", hawser::rsv::two).encode(rotate).decode(rotate);
}

}  // namespace

int main(int argc, char** argv) {
  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/websocket");
  ws.extensions().add(custom_extension());

  ws.on_connect([](hawser::connection c, const hawser::handshake& h) {
    std::cout << "agreed: " << (h.extensions_header.empty() ? "no extension" : h.extensions_header) << '\n';
    c.send("a custom extension carries this");
  });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    std::cout << "received: " << m.text() << '\n';
    c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << "error: " << f.what() << '\n'; });
  ws.on_close(
      [](hawser::close_code code, std::string_view) { std::cout << "closed: " << static_cast<int>(code) << '\n'; });

  return ws.run_forever();
}
