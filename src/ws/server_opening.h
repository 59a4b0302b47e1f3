// The opening handshake at a server: from the request's first byte to 101, a page or a refusal.
#pragma once

#include "ws/admission.h"
#include "ws/session.h"

#include <hawser/core/extension.h>
#include <hawser/core/handshake.h>
#include <hawser/core/http.h>
#include <hawser/ws/server.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

HAWSER_BEGIN

/// What all sessions of a server share. Does not change while it listens.
struct server_shared {
  struct page {
    std::string content_type;
    std::string body;
  };

  server_options options;
  core::settings settings;
  core::settings inband_settings;  // While an in-band offer is awaited.
  extension_list extensions;
  std::map<std::string, std::unique_ptr<route_handlers>, std::less<>> routes;
  std::map<std::string, page, std::less<>> pages;
  std::string metrics_path;  // Empty: there is no such page.
  function<void(function<void(const metrics&)>)> ask_metrics;
  function<void(const failure&)> on_error;
  std::unique_ptr<admission> door;

  /// What new connections begin TLS with; nothing: they are plain. Any thread.
  [[nodiscard]] std::optional<tls::context> secure() const;
  void secure_with(tls::context how);
  /// TLS was wanted and cannot be: nobody is to be served without it.
  void secure_in_vain(errc why);
  /// That, unless TLS there is.
  [[nodiscard]] errc in_vain() const;

  /// The handlers of a path: its own, or those of "*", or null.
  [[nodiscard]] route_handlers* find_route(std::string_view path) const;

 private:
  mutable std::mutex secure_lock_;
  std::optional<tls::context> secure_;  // Under the lock.
  errc in_vain_ = errc::ok;             // The same.
};

class server_opening final : public opening {
 public:
  /// `policy` and `shared` outlive it. `full`: the request is read, and refused with 503.
  server_opening(server_shared& shared, const core::server_policy& policy, const net::address& peer, bool full);
  ~server_opening() override;

  void on_bytes(session& s, byte_span in) override;
  void on_message(session& s, opcode op, byte_view payload) override;
  void on_closed(session& s, errc error, close_code code, std::string_view text) override;
  void on_failed(session& s, errc why) override;
  [[nodiscard]] bool answers_later() const noexcept override { return answering_; }

 private:
  void answer(session& s, byte_span rest);
  void answer_plain(session& s);
  void answer_metrics(session& s);
  void upgrade(session& s, const core::upgrade_request& asked, byte_span rest);
  void upgrade_inband(session& s, const core::upgrade_request& asked, byte_span rest);
  [[nodiscard]] bool asks_inband(const core::upgrade_request& asked) const;
  void tell(session& s, errc error, std::string_view text);
  void refuse(session& s, const core::refusal& why);

  server_shared& shared_;
  const core::server_policy& policy_;
  net::address peer_;
  bool full_;
  bool begun_ = false;                  // Something was asked.
  bool answering_ = false;              // The answer is being gathered.
  std::unique_ptr<handshake> inband_;   // An offer is awaited; what else was agreed.
  route_handlers* handlers_ = nullptr;  // Of the path, by then.
  head_parser parser_;
};

HAWSER_END
