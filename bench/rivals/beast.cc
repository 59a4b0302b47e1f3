// Boost.Beast as an echo server, one thread. `beast tuned` is what its documentation advises for large messages: no
// automatic fragmentation, and a write buffer that holds a large piece. Without it, its defaults. `beast tls CERT KEY`
// (files): its defaults over TLS.
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast.hpp>
#include <boost/beast/ssl.hpp>

#include <cstdio>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

using plain = tcp::socket;
using secure = beast::ssl_stream<tcp::socket>;

template <class Below>
class session : public std::enable_shared_from_this<session<Below>> {
 public:
  template <class... Context>
  explicit session(tcp::socket socket, Context&... context) : stream_(std::move(socket), context...) {
    beast::get_lowest_layer(stream_).set_option(tcp::no_delay(true));
  }

  void tune() {
    stream_.auto_fragment(false);
    stream_.write_buffer_bytes(65536);
  }

  void start() {
    if constexpr (std::is_same_v<Below, secure>) {
      stream_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                           [self = this->shared_from_this()](beast::error_code e) {
                                             if (!e) self->upgrade();
                                           });
    } else {
      upgrade();
    }
  }

 private:
  void upgrade() {
    stream_.async_accept([self = this->shared_from_this()](beast::error_code e) {
      if (!e) self->read();
    });
  }
  void read() {
    stream_.async_read(buffer_, [self = this->shared_from_this()](beast::error_code e, std::size_t) {
      if (!e) self->write();
    });
  }
  void write() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(), [self = this->shared_from_this()](beast::error_code e, std::size_t n) {
      self->buffer_.consume(n);
      if (!e) self->read();
    });
  }

  beast::websocket::stream<Below> stream_;
  beast::flat_buffer buffer_;
};

template <class Start>
void accept(tcp::acceptor& from, Start start) {
  from.async_accept([&from, start](beast::error_code e, tcp::socket socket) {
    if (!e) start(std::move(socket));
    accept(from, start);
  });
}

}  // namespace

int main(int argc, char** argv) {
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  acceptor.listen(4096);
  std::printf("listening on ws://127.0.0.1:%u\n", static_cast<unsigned>(acceptor.local_endpoint().port()));
  std::fflush(stdout);
  const std::string_view word = argc > 1 ? argv[1] : "";
  asio::ssl::context context(asio::ssl::context::tls_server);
  if (word == "tls" && argc > 3) {
    context.use_certificate_chain_file(argv[2]);
    context.use_private_key_file(argv[3], asio::ssl::context::pem);
    accept(acceptor, [&](tcp::socket s) { std::make_shared<session<secure>>(std::move(s), context)->start(); });
  } else {
    accept(acceptor, [tuned = word == "tuned"](tcp::socket s) {
      const auto made = std::make_shared<session<plain>>(std::move(s));
      if (tuned) made->tune();
      made->start();
    });
  }
  loop.run();
}
