// The server of docs/tutorial_server.md: thermometers report, browsers watch. Usage: weather_server [HOST:PORT]

#include "tutorial/weather_page.h"

#include <hawser/hawser.h>

#include <iostream>
#include <memory>
#include <string>

namespace {

struct station {
  std::string name;
  int reports = 0;
};

}  // namespace

int main(int argc, char** argv) {
  hawser::server_options options;
  options.threads = 2;
  options.bounds.max_message = 1024;
  hawser::server server(options);
  server.extensions().add(hawser::ext::deflate());

  server.route("/report")
      .subprotocols({"weather.v1"})
      .on_connect([](hawser::connection c, const hawser::handshake& h) {
        if (const auto name = h.peer.fields.find("X-Station"))
          c.set_data(std::make_unique<station>(station{std::string(*name)}));
        else
          c.close(hawser::close_code::policy_violation, "say who you are");
      })
      .on_message([](hawser::connection c, const hawser::message& m) {
        auto* from = c.data<station>();
        if (from == nullptr) return;
        c.publish("weather", from->name + ": " + std::string(m.text()));
        if (++from->reports == 50) c.send("go home");
      })
      .on_close([](hawser::connection c, hawser::close_code code, std::string_view) {
        if (const auto* who = c.data<station>())
          std::cout << who->name << " left: " << static_cast<int>(code) << std::endl;
      });
  server.route("/watch").on_connect([](hawser::connection c, const hawser::handshake&) { c.subscribe("weather"); });
  server.page("/", "text/html; charset=utf-8", tutorial::weather_page);
  server.metrics_page();
  server.on_error([](const hawser::failure& f) { std::cerr << f.what() << std::endl; });

  const auto at = server.listen(argc > 1 ? argv[1] : "127.0.0.1:9001");
  if (!at) {
    std::cerr << "cannot listen: " << at.error().message() << std::endl;
    return 1;
  }
  std::cout << "watch at http://" << at->text() << "/" << std::endl;
  return server.run_forever() ? 0 : 1;
}
