// The room in a build without TLS (HAWSER_WITH_TLS=OFF): no context can be made, so no filter is ever asked anything.

#include <hawser/tls/filter.h>

HAWSER_BEGIN
namespace tls {

struct context::state {};

namespace {

errc refuse(std::string* why) {
  if (why != nullptr) *why = "this build has no TLS: build it with HAWSER_WITH_TLS=ON, or use ws://";
  return errc::not_supported;
}

}  // namespace

result<context> context::client(const client_tls&, std::string* why) { return refuse(why); }
result<context> context::server(const server_tls&, std::string* why) { return refuse(why); }

filter::filter(const context& shared, std::string_view, std::uint16_t) : shared_(shared) {}
filter::~filter() = default;
void filter::ssl_delete::operator()(void*) const noexcept {}
void filter::feed(byte_view, tick) noexcept {}
bool filter::handshake(record_sink&) { return false; }
std::size_t filter::read(byte_span, record_sink&) { return 0; }
bool filter::write(byte_view, record_sink&) { return false; }
void filter::close(record_sink&) noexcept {}
std::string filter::describe() const { return {}; }
std::vector<std::vector<std::byte>> filter::peer_certificates() const { return {}; }
std::string_view filter::alpn() const noexcept { return {}; }
bool filter::resumed() const noexcept { return false; }

}  // namespace tls
HAWSER_END
