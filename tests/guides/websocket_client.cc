// The C++ of docs/from_websocket_client.md; websocket_client_theirs.py does the same. Usage: ... app|calls|thread URL

#include <hawser/hawser.h>

#include <array>
#include <future>
#include <iostream>
#include <string>
#include <string_view>

namespace {

int app(std::string_view url) {
  hawser::client_options options;
  options.subprotocols = {"chat.v1"};
  options.alive.ping_interval = std::chrono::seconds(20);
  options.alive.pong_timeout = std::chrono::seconds(10);

  hawser::client ws(url, options);
  ws.headers().add("X-Token", "secret").value();
  ws.on_connect([](hawser::connection c, const hawser::handshake&) { c.send("hello"); });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    std::cout << "message: " << m.text() << '\n';
    c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cout << "error: " << f.what() << '\n'; });
  ws.on_close([](hawser::close_code, std::string_view) { std::cout << "closed\n"; });
  return ws.run_forever();
}

void calls(std::string_view url) {
  auto ws = hawser::connect(url).value();
  ws.send("hello").value();
  const hawser::message text = ws.receive().value();
  std::cout << "message: " << text.text() << '\n';
  constexpr std::array<std::byte, 3> bytes{std::byte{0}, std::byte{1}, std::byte{2}};
  ws.send(bytes).value();
  const hawser::message echo = ws.receive().value();
  std::cout << "bytes: " << echo.size() << '\n';
  ws.close().value();
}

void thread(std::string_view url) {
  std::promise<void> heard;
  std::promise<void> opened;

  hawser::client ws(url);
  ws.on_connect([&](hawser::connection, const hawser::handshake&) { opened.set_value(); });
  ws.on_message([&](hawser::connection, const hawser::message& m) {
    std::cout << "message: " << m.text() << '\n';
    heard.set_value();
  });
  ws.start().value();
  opened.get_future().wait();
  ws.current().send("hello");
  heard.get_future().wait();
  ws.stop();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what == "app") return app(argv[2]);
  if (what == "calls") calls(argv[2]);
  if (what == "thread") thread(argv[2]);
}
