// The opening handshake at a client: the request, and the response from its first byte.
#pragma once

#include "ws/client_engine.h"
#include "ws/session.h"

#include <hawser/core/handshake.h>
#include <hawser/core/http.h>

#include <string>
#include <string_view>

HAWSER_BEGIN

class client_opening final : public opening {
 public:
  /// `engine` outlives it.
  explicit client_opening(client_engine& engine);

  /// Sends the request.
  void begin(session& s);
  void on_bytes(session& s, byte_span in) override;
  void on_failed(session& s, errc why) override;

 private:
  void check(session& s, byte_span rest);
  void refuse(session& s, errc why, std::string_view text);

  client_engine& engine_;
  core::client_request asked_;
  std::string key_;
  head_parser parser_;
};

HAWSER_END
