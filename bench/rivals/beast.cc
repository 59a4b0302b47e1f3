// Boost.Beast as an echo server, one thread. `beast tuned` is what its documentation advises for large messages: no
// automatic fragmentation, and a write buffer that holds a large piece. Without it, its defaults.
#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, bool tuned) : stream_(std::move(socket)) {
    stream_.next_layer().set_option(tcp::no_delay(true));
    if (!tuned) return;
    stream_.auto_fragment(false);
    stream_.write_buffer_bytes(65536);
  }

  void start() {
    stream_.async_accept([self = shared_from_this()](beast::error_code e) {
      if (!e) self->read();
    });
  }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code e, std::size_t) {
      if (!e) self->write();
    });
  }
  void write() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(), [self = shared_from_this()](beast::error_code e, std::size_t n) {
      self->buffer_.consume(n);
      if (!e) self->read();
    });
  }

  beast::websocket::stream<tcp::socket> stream_;
  beast::flat_buffer buffer_;
};

void accept(tcp::acceptor& from, bool tuned) {
  from.async_accept([&from, tuned](beast::error_code e, tcp::socket socket) {
    if (!e) std::make_shared<session>(std::move(socket), tuned)->start();
    accept(from, tuned);
  });
}

}  // namespace

int main(int argc, char** argv) {
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  acceptor.listen(4096);
  std::printf("listening on ws://127.0.0.1:%u\n", static_cast<unsigned>(acceptor.local_endpoint().port()));
  std::fflush(stdout);
  accept(acceptor, argc > 1 && std::string_view(argv[1]) == "tuned");
  loop.run();
}
