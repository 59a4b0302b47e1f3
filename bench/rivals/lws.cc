// libwebsockets as an echo server, one thread. It hands out pieces of a message as they come; they go back as they are.
#include <libwebsockets.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <vector>

namespace {

struct piece {
  std::vector<unsigned char> bytes;  // Behind the room that the library wants in front.
  int flags = 0;
};

struct peer {
  std::deque<piece>* waiting;
};

int on_event(lws* wsi, lws_callback_reasons reason, void* user, void* in, size_t size) {
  auto* p = static_cast<peer*>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
      p->waiting = new std::deque<piece>;
      break;
    case LWS_CALLBACK_CLOSED:
      delete p->waiting;
      p->waiting = nullptr;
      break;
    case LWS_CALLBACK_RECEIVE: {
      piece got;
      got.bytes.resize(LWS_PRE + size);
      if (size > 0) std::memcpy(got.bytes.data() + LWS_PRE, in, size);
      const bool last = lws_is_final_fragment(wsi) != 0;
      const auto kind = lws_frame_is_binary(wsi) != 0 ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
      got.flags = lws_write_ws_flags(kind, lws_is_first_fragment(wsi), last);
      p->waiting->push_back(std::move(got));
      lws_callback_on_writable(wsi);
      break;
    }
    case LWS_CALLBACK_SERVER_WRITEABLE:
      while (!p->waiting->empty()) {
        piece& next = p->waiting->front();
        const size_t n = next.bytes.size() - LWS_PRE;
        if (lws_write(wsi, next.bytes.data() + LWS_PRE, n, static_cast<lws_write_protocol>(next.flags)) < 0) return -1;
        p->waiting->pop_front();
        if (!p->waiting->empty() && lws_send_pipe_choked(wsi) != 0) {
          lws_callback_on_writable(wsi);
          break;
        }
      }
      break;
    default:
      break;
  }
  return 0;
}

}  // namespace

// With `deflate` as its word the server speaks permessage-deflate as the library's own documentation switches it on,
// with `tls CERT KEY` (files) it speaks TLS.
int main(int argc, char** argv) {
  lws_set_log_level(0, nullptr);
  const lws_protocols protocols[] = {{"echo", on_event, sizeof(peer), 65536, 0, nullptr, 0},
                                     {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
  lws_context_creation_info info;
  std::memset(&info, 0, sizeof info);
  info.port = 0;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.pt_serv_buf_size = 65536;
  const lws_extension extensions[] = {{"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
                                      {nullptr, nullptr, nullptr}};
  if (argc > 1 && std::strcmp(argv[1], "deflate") == 0) info.extensions = extensions;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  if (argc > 3 && std::strcmp(argv[1], "tls") == 0) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.ssl_cert_filepath = argv[2];
    info.ssl_private_key_filepath = argv[3];
  }
  lws_context* context = lws_create_context(&info);
  lws_vhost* host = context == nullptr ? nullptr : lws_create_vhost(context, &info);
  if (host == nullptr) return 1;
  std::printf("listening on ws://127.0.0.1:%d\n", lws_get_vhost_listen_port(host));
  std::fflush(stdout);
  while (lws_service(context, 0) >= 0) {
  }
}
