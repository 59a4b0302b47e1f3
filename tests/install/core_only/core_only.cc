// What core does for a program with an event loop of its own, one function of each library that it is linked with.
#include <hawser/core/handshake.h>
#include <hawser/core/url.h>
#include <hawser/core/utf8.h>

#include <iostream>
#include <span>

int main() {
  constexpr std::string_view text = "h\xc3\xa9llo";
  const auto url = hawser::parse_url("ws://example.org/chat");
  if (!url || !hawser::core::detail::valid_utf8_general(std::as_bytes(std::span(text)))) return 1;
  std::cout << hawser::core::accept_key("dGhlIHNhbXBsZSBub25jZQ==") << '\n';  // RFC 6455, 1.3
}
