// A user's program: only the public headers, only the targets that the package exports. A server and a client of its
// own exchange one message through an extension of its own, which has passed the kit, and one out of a plug-in, whose
// file it is called with, and then one over TLS, with the certificate and the key in the files named behind it.
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

std::string echo_of(std::string_view text, const std::string& url, const hawser::client_options& options,
                    const hawser::any_factory& loaded, std::string& agreed) {
  std::string answer;
  hawser::client ws(url, options);
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

// The server's certificate is its own authority: whoever was not told so refuses it.
hawser::client_options trusting(const char* certificate) {
  hawser::client_options options;
  if (certificate != nullptr) options.tls.ca = hawser::pem::file(certificate);
  return options;
}

// What a server of its own echoed, and in `agreed` by which extensions; over TLS when there is a certificate.
std::string exchange(const hawser::any_factory& loaded, const char* certificate, const char* key, std::string& agreed) {
  hawser::server server;
  server.extensions().add(inverted()).add(loaded);
  server.route("*").on_message([](hawser::connection c, const hawser::message& m) { c.send(m); });
  if (certificate != nullptr) {
    hawser::server_tls tls;
    tls.identity.certificate = hawser::pem::file(certificate);
    tls.identity.key = hawser::pem::file(key);
    server.use_tls(tls).value();
  }
  const std::string host = server.listen("127.0.0.1", 0).value().text();
  std::thread loop([&server] { (void)server.run(); });
  std::string answer;
  const std::string url = (certificate != nullptr ? "wss://" : "ws://") + host + "/";
  if (certificate != nullptr && hawser::connect(url).error() != hawser::errc::certificate_refused) {
    std::cerr << "a certificate that nobody vouches for is taken\n";
  } else {
    answer = echo_of("hello", url, trusting(certificate), loaded, agreed);
  }
  server.stop();
  loop.join();
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  const hawser::any_factory loaded = hawser::load_plugin(argv[1]).value();
  const hawser::testkit::report kit = hawser::testkit::run(inverted());
  if (!kit.passed()) {
    std::cerr << kit.text();
    return 1;
  }
  std::string agreed;
  std::cout << "hawser " << hawser::version() << ": " << exchange(loaded, nullptr, nullptr, agreed);
  if (argc > 3) std::cout << ", over TLS: " << exchange(loaded, argv[2], argv[3], agreed);
  std::cout << " by " << agreed << '\n';
}
