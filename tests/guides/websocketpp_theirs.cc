// The left column of docs/from_websocketpp.md: WebSocket++ 0.8.2. The right one, websocketpp_ours.cc, does the same,
// and guides_test.py lets each talk to the other. Usage: websocketpp_theirs server | client URL | secure URL CA

#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_client.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/config/asio_no_tls_client.hpp>
#include <websocketpp/server.hpp>

#include <iostream>
#include <set>
#include <string>
#include <thread>

namespace {

using websocketpp::connection_hdl;
namespace opcode = websocketpp::frame::opcode;

using server = websocketpp::server<websocketpp::config::asio>;
using client = websocketpp::client<websocketpp::config::asio_client>;
using secure_client = websocketpp::client<websocketpp::config::asio_tls_client>;
using asio_context = websocketpp::lib::asio::ssl::context;

void serve() {
  server s;
  std::set<connection_hdl, std::owner_less<connection_hdl>> room;
  s.clear_access_channels(websocketpp::log::alevel::all);
  s.clear_error_channels(websocketpp::log::elevel::all);

  s.set_validate_handler([&s](connection_hdl h) {
    const server::connection_ptr c = s.get_con_from_hdl(h);
    for (const std::string& offered : c->get_requested_subprotocols())
      if (offered == "chat.v1") {
        c->select_subprotocol(offered);
        return true;
      }
    return true;
  });
  s.set_open_handler([&room](connection_hdl h) { room.insert(h); });
  s.set_close_handler([&room](connection_hdl h) { room.erase(h); });
  s.set_message_handler([&s, &room](connection_hdl, server::message_ptr m) {
    for (connection_hdl to : room) {
      websocketpp::lib::error_code ignored;
      s.send(to, m->get_payload(), m->get_opcode(), ignored);
    }
  });

  s.set_reuse_addr(true);
  s.init_asio();
  s.listen(websocketpp::lib::asio::ip::tcp::endpoint(websocketpp::lib::asio::ip::make_address("127.0.0.1"), 0));
  s.start_accept();
  websocketpp::lib::asio::error_code e;
  std::cout << "ws://127.0.0.1:" << s.get_local_endpoint(e).port() << std::endl;
  s.run();
}

int talk(const std::string& url) {
  client c;
  c.clear_access_channels(websocketpp::log::alevel::all);
  c.clear_error_channels(websocketpp::log::elevel::all);
  c.init_asio();

  bool clean = false;
  std::thread writer;
  c.set_open_handler([&](connection_hdl h) {
    const client::connection_ptr con = c.get_con_from_hdl(h);
    std::cout << "subprotocol: " << con->get_response_header("Sec-WebSocket-Protocol") << std::endl;

    writer = std::thread([&c, h] {
      websocketpp::lib::error_code failed;
      c.send(h, "from another thread", opcode::text, failed);
    });
  });
  c.set_message_handler([&](connection_hdl h, client::message_ptr m) {
    if (m->get_opcode() == opcode::text)
      std::cout << "text: " << m->get_payload() << std::endl;
    else
      std::cout << "bytes: " << m->get_payload().size() << std::endl;

    websocketpp::lib::error_code failed;
    if (m->get_opcode() == opcode::text)
      c.send(h, std::string("\0\1\2", 3), opcode::binary, failed);
    else
      c.ping(h, "there?", failed);
  });
  c.set_pong_handler([&](connection_hdl h, std::string payload) {
    std::cout << "pong: " << payload << std::endl;

    websocketpp::lib::error_code failed;
    c.close(h, websocketpp::close::status::normal, "done", failed);
  });
  c.set_pong_timeout(20000);
  c.set_pong_timeout_handler([](connection_hdl, std::string) { std::cout << "no pong" << std::endl; });
  c.set_close_handler([&](connection_hdl h) {
    const client::connection_ptr con = c.get_con_from_hdl(h);
    std::cout << "closed: " << con->get_remote_close_code() << std::endl;
    clean = true;
  });
  c.set_fail_handler([&](connection_hdl h) {
    const client::connection_ptr con = c.get_con_from_hdl(h);
    std::cerr << "failed: " << con->get_ec().message() << std::endl;
  });

  websocketpp::lib::error_code e;
  const client::connection_ptr con = c.get_connection(url, e);
  if (e) {
    std::cerr << "failed: " << e.message() << std::endl;
    return 2;
  }
  con->add_subprotocol("chat.v1");
  con->append_header("X-Token", "secret");
  c.connect(con);
  c.run();
  if (writer.joinable()) writer.join();
  return clean ? 0 : 1;
}

int talk_secretly(const std::string& url, const std::string& authority) {
  secure_client c;
  c.clear_access_channels(websocketpp::log::alevel::all);
  c.clear_error_channels(websocketpp::log::elevel::all);
  c.init_asio();
  bool clean = false;

  c.set_tls_init_handler([&](connection_hdl) {
    auto context = std::make_shared<asio_context>(asio_context::tls_client);
    context->set_options(asio_context::default_workarounds | asio_context::no_tlsv1 | asio_context::no_tlsv1_1);
    context->load_verify_file(authority);
    context->set_verify_mode(websocketpp::lib::asio::ssl::verify_peer);
    context->set_verify_callback(websocketpp::lib::asio::ssl::host_name_verification("localhost"));
    return context;
  });

  c.set_open_handler([&](connection_hdl h) {
    websocketpp::lib::error_code failed;
    c.close(h, websocketpp::close::status::normal, "", failed);
  });
  c.set_close_handler([&](connection_hdl) { clean = true; });
  websocketpp::lib::error_code e;
  const secure_client::connection_ptr con = c.get_connection(url, e);
  c.connect(con);
  c.run();
  std::cout << (clean ? "closed" : "failed") << std::endl;
  return clean ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "client" && argc > 2) return talk(argv[2]);
  if (what == "secure" && argc > 3) return talk_secretly(argv[2], argv[3]);
  serve();
}
