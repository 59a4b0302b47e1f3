// A WebSocket client in an Asio loop: says hello, prints what comes back, leaves. Usage: client [URL [AUTHORITIES]]

#include "connection.h"

#include <hawser/core/handshake.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>

#include <iostream>

namespace {

using embed::tcp;
using namespace hawser;

class greeter final : public embed::connection {
 public:
  greeter(embed::common& with, embed::stream socket, const url& to)
      : connection(with, std::move(socket), role::client) {
    std::array<std::byte, 16> random;
    with.random.fill(random);
    key_ = core::make_key(random);
    request_.extensions = core::offer_extensions(with.extensions, where());
    ws().send_raw(as_bytes(core::upgrade_request_text(to, key_, request_)));
  }

  bool ended_well() const { return clean_; }

 private:
  void opening(byte_span in, tick now) override {
    std::size_t used = 0;
    std::string why;
    const auto state = parser_.feed(in, used);
    if (state == head_parser::state::need_more) return;
    if (state == head_parser::state::failed) return give_up(describe(parser_.error()));

    core::upgrade_response response;
    if (!core::check_response(parser_.head(), key_, request_, false, response, why)) return give_up(why);
    auto agreed = core::confirm_extensions(response.extensions, all().extensions, where(), why);
    if (!agreed) return give_up(why);

    std::cout << "agreed: " << response.extensions << '\n';
    open(std::move(agreed->agreed), in.subspan(used), now);
    ws().send(opcode::text, as_bytes("hello"));
  }
  void give_up(std::string_view why) {
    std::cerr << "refused: " << why << '\n';
    refuse();
  }
  void on_event(core::kind what, core::event& e) override {
    if (what == core::kind::message) {
      std::cout << "received: " << as_text(e.payload) << '\n';
      ws().close(close_code::normal, {}, embed::clock::now());
    } else if (what == core::kind::closed) {
      std::cout << "closed: " << static_cast<int>(e.code) << '\n';
      clean_ = e.error == errc::ok;
      if (!clean_) std::cerr << as_text(e.payload) << '\n';
    }
  }

  head_parser parser_{head_parser::expects::response};
  core::client_request request_;
  std::string key_;
  bool clean_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  std::string why;
  const result<url> to = parse_url(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/", &why);
  if (!to) {
    std::cerr << why << '\n';
    return 2;
  }
  client_tls how;
  if (argc > 2) how.ca = pem::file(argv[2]);
  const result<tls::context> trust = tls::context::client(how, &why);
  if (to->secure && !trust) {
    std::cerr << why << '\n';
    return 2;
  }
  embed::common with;
  with.settings.close_timeout = std::chrono::minutes(1);  // For a server to end its stream: nobody else waits here.
  with.extensions.add(ext::checksum()).add(ext::deflate());
  asio::io_context loop(1);
  tcp::socket socket(loop);
  std::error_code failed;
  asio::connect(socket, tcp::resolver(loop).resolve(to->host, std::to_string(to->port), failed), failed);
  if (failed) {
    std::cerr << "cannot connect: " << failed.message() << '\n';
    return 1;
  }
  embed::stream path(std::move(socket));
  if (to->secure) path.secure(*trust, to->host, to->port);
  const auto ws = std::make_shared<greeter>(with, std::move(path), *to);
  ws->start();
  loop.run();
  return ws->ended_well() ? 0 : 1;
}
