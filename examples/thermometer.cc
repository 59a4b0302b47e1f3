// The client of docs/tutorial_client.md: reports readings, hears warnings, comes back by itself.
// Usage: thermometer [URL [READINGS]]

#include <hawser/hawser.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

int main(int argc, char** argv) {
  const long readings = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 50;

  hawser::client_options options;
  options.subprotocols = {"weather.v1"};
  options.reconnect.cap = std::chrono::seconds(10);
  options.alive.ping_interval = std::chrono::seconds(5);

  hawser::client ws(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/report", options);
  ws.extensions().add(hawser::ext::deflate());
  ws.headers().add("X-Station", "harbour").value();

  ws.on_connect([](hawser::connection c, const hawser::handshake& h) {
    std::cout << "connected, " << (h.subprotocol.empty() ? "without a subprotocol" : h.subprotocol) << std::endl;
    c.send("here I am");
  });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    std::cout << "heard: " << m.text() << std::endl;
    if (m.text() == "go home") c.close(hawser::close_code::normal, "as you say");
  });
  ws.on_error([](const hawser::failure& f) { std::cerr << f.what() << std::endl; });
  ws.on_disconnect([](const hawser::disconnect& d) {
    if (!d.will_retry) return;
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(d.retry_after);
    std::cout << "disconnected, trying again in " << wait.count() << " ms" << std::endl;
  });

  ws.start().value();
  for (long i = 0; i < readings; ++i) {
    const std::string reading = std::to_string(20 + i % 5) + " degrees";
    if (const hawser::errc e = ws.current().send(reading); e != hawser::errc::ok)
      std::cout << "not sent: " << hawser::describe(e) << std::endl;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ws.stop();
}
