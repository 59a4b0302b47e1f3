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

  /// What a client with this plan asks for, on a path that is TLS or loopback, or open.
  static core::client_request request_of(const client_plan& plan, bool secure_path);

  /// Sends the request.
  void begin(session& s);
  void on_bytes(session& s, byte_span in) override;
  void on_message(session& s, opcode op, byte_view payload) override;
  void on_closed(session& s, errc error, close_code code, std::string_view text) override;
  void on_failed(session& s, errc why) override;

 private:
  void check(session& s, byte_span rest);
  void refuse(session& s, errc why, std::string_view text);
  void reject(session& s, close_code code, errc why, std::string_view text);
  void offer_inband(session& s, byte_span rest);
  void note_agreed(core::negotiation& agreed);

  client_engine& engine_;
  core::client_request asked_;
  std::string key_;
  std::string offer_;    // In-band; empty: not that way.
  handshake agreed_;     // What has been agreed so far.
  bool framed_ = false;  // The answer to the offer is awaited.
  head_parser parser_;
};

HAWSER_END
