// WebSocket++ as an echo server, one thread, with its logs left out.
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/server.hpp>

#include <cstdio>

namespace {

struct config : websocketpp::config::asio {
  using type = config;
  using alog_type = websocketpp::log::stub;
  using elog_type = websocketpp::log::stub;
  struct transport_config : websocketpp::config::asio::transport_config {
    using alog_type = config::alog_type;
    using elog_type = config::elog_type;
  };
  using transport_type = websocketpp::transport::asio::endpoint<transport_config>;
};

using server = websocketpp::server<config>;

}  // namespace

int main() {
  server echo;
  echo.init_asio();
  echo.set_reuse_addr(true);
  echo.set_listen_backlog(4096);
  echo.set_tcp_pre_init_handler([&](websocketpp::connection_hdl h) {
    echo.get_con_from_hdl(h)->get_raw_socket().set_option(websocketpp::lib::asio::ip::tcp::no_delay(true));
  });
  echo.set_message_handler([&](websocketpp::connection_hdl h, server::message_ptr m) {
    websocketpp::lib::error_code ignored;
    echo.send(h, m->get_payload(), m->get_opcode(), ignored);
  });
  websocketpp::lib::asio::error_code failed;
  echo.listen(websocketpp::lib::asio::ip::tcp::endpoint(websocketpp::lib::asio::ip::make_address("127.0.0.1"), 0));
  std::printf("listening on ws://127.0.0.1:%u\n", static_cast<unsigned>(echo.get_local_endpoint(failed).port()));
  std::fflush(stdout);
  echo.start_accept();
  echo.run();
}
