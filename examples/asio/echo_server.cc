// A WebSocket echo server in an Asio loop, with extensions. Usage: echo_server [ADDRESS [PORT [CERTIFICATE KEY]]]

#include "connection.h"

#include <hawser/core/handshake.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>

#include <cstdlib>
#include <iostream>
#include <optional>

namespace {

using embed::tcp;
using namespace hawser;

class echo final : public embed::connection {
 public:
  echo(embed::common& with, embed::stream socket) : connection(with, std::move(socket), role::server) {}

 private:
  void opening(byte_span in, tick now) override {
    std::size_t used = 0;
    const auto state = parser_.feed(in, used);
    if (state == head_parser::state::need_more) return;
    if (state == head_parser::state::failed) return answer(core::refusal_for(parser_.error()));

    const http_head& head = parser_.head();
    core::upgrade_request asked;
    core::refusal why;
    if (!core::check_policy(head, policy_, is_secure(), why) || !core::check_upgrade(head, asked, why))
      return answer(why);
    auto agreed = core::answer_extensions(asked.extensions, all().extensions, where(), why.text);
    if (!agreed) return answer(core::refusal_for(to_errc(agreed.error()), why.text));

    ws().send_raw(as_bytes(core::switching_protocols(asked.key, {}, agreed->header, {})));
    open(std::move(agreed->agreed), in.subspan(used), now);
  }
  void answer(const core::refusal& why) {
    ws().send_raw(as_bytes(core::refusal_response(why)));
    refuse();
  }
  void on_event(core::kind what, core::event& e) override {
    if (what == core::kind::message) ws().send(e.op, e.payload);
    if (what == core::kind::closed && e.error == errc::tls_failed) std::cerr << as_text(e.payload) << std::endl;
  }

  head_parser parser_{head_parser::expects::request};
  core::server_policy policy_{core::loopback_hosts(), {}, false};
};

// Accepts one after the other; for a moment none where files have run out.
struct door {
  void open() {
    listening.async_accept([this](std::error_code e, tcp::socket socket) {
      if (!e) welcome(embed::stream(std::move(socket)));
      pause.expires_after(std::chrono::milliseconds(e ? 100 : 0));
      pause.async_wait([this](std::error_code) { open(); });
    });
  }
  void welcome(embed::stream socket) {
    if (secret) socket.secure(*secret);
    std::make_shared<echo>(with, std::move(socket))->start();
  }
  embed::common& with;
  const std::optional<tls::context>& secret;  // What all connections share of TLS, where there is TLS.
  tcp::acceptor listening;
  asio::steady_timer pause;
};

}  // namespace

int main(int argc, char** argv) {
  std::optional<tls::context> secret;
  if (argc > 4) {
    server_tls how;
    how.identity.certificate = pem::file(argv[3]);
    how.identity.key = pem::file(argv[4]);
    std::string why;
    const result<tls::context> made = tls::context::server(how, &why);
    if (!made) {
      std::cerr << why << '\n';
      return 2;
    }
    secret = *made;
  }
  embed::common with;
  with.extensions.add(ext::checksum()).add(ext::deflate());
  asio::io_context loop(1);
  const auto address = asio::ip::make_address(argc > 1 ? argv[1] : "127.0.0.1");
  const auto port = static_cast<std::uint16_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 9001);
  door at{with, secret, tcp::acceptor(loop, {address, port}), asio::steady_timer(loop)};
  at.open();
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { loop.stop(); });
  std::cout << "listening on " << (secret ? "wss://" : "ws://") << at.listening.local_endpoint() << std::endl;
  loop.run();
}
