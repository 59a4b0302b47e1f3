// A user's program: only the public headers, only the targets that the package exports. A server and a client of its
// own exchange one message through an extension of its own, which has passed the kit, and one out of a plug-in, whose
// file it is called with.
#include <hawser/hawser.h>
#include <hawser/testkit/testkit.h>

#include <iostream>
#include <string>
#include <thread>

namespace {

void invert(hawser::byte_span message) {
  for (std::byte& b : message)
    b = ~b;
}

auto inverted() { return hawser::ext::message_extension("x-inverted", hawser::rsv::two).encode(invert).decode(invert); }

std::string echo_of(std::string_view text, const std::string& url, const hawser::any_factory& loaded,
                    std::string& agreed) {
  std::string answer;
  hawser::client ws(url);
  ws.extensions().add(inverted()).add(loaded);
  ws.on_connect([&](hawser::connection c, const hawser::handshake& h) {
    agreed = h.extensions_header;
    c.send(text);
  });
  ws.on_message([&](hawser::connection c, const hawser::message& m) {
    answer = m.text();
    c.close();
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << f.what() << '\n'; });
  ws.run_forever();
  return answer;
}

}  // namespace

int main(int, char** argv) {
  const hawser::any_factory loaded = hawser::load_plugin(argv[1]).value();
  const hawser::testkit::report kit = hawser::testkit::run(inverted());
  if (!kit.passed()) {
    std::cerr << kit.text();
    return 1;
  }
  hawser::server server;
  server.extensions().add(inverted()).add(loaded);
  server.route("*").on_message([](hawser::connection c, const hawser::message& m) { c.send(m); });
  const auto at = server.listen("127.0.0.1", 0);
  if (!at) {
    std::cerr << at.error().message() << '\n';
    return 1;
  }
  std::thread loop([&server] { (void)server.run(); });
  std::string agreed;
  const std::string answer = echo_of("hello", "ws://" + at->text() + "/", loaded, agreed);
  server.stop();
  loop.join();
  std::cout << "hawser " << hawser::version() << ", " << agreed << ": " << answer << '\n';
}
