// A plug-in in memory whose hooks a test writes: the tables of hawser/plugin.h, over C++.
#pragma once

#include "core/pipeline_kit.h"

#include <hawser/ext/plugin.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::test {

/// What the functions of the plug-in do, and what they were called with.
struct plugin_world {
  std::vector<std::string> calls;
  std::function<void*(const hawser_params&, char* why, std::uint64_t size)> configure;
  std::function<std::int32_t(hawser_negotiation*)> offers;
  std::function<std::int32_t(const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims*, void**)> accept;
  std::function<std::int32_t(const hawser_params*, hawser_negotiation*, hawser_claims*)> confirm;
  std::function<std::uint32_t(std::uint32_t way, hawser_head*, hawser_context*)> begin;
  std::function<void(std::uint8_t*, std::uint64_t, hawser_context*)> in_place;
  std::function<void(const std::uint8_t*, std::uint64_t, std::uint8_t*, std::uint64_t, std::int32_t fin, hawser_step*,
                     hawser_context*)>
      transform;
  std::function<void(std::uint32_t way, const hawser_head*, hawser_buffer, hawser_context*)> whole;
  std::function<void(std::uint32_t way, const hawser_head*, hawser_buffer, hawser_context*)> retained;
  std::function<void(std::uint32_t way, std::uint8_t*, std::uint64_t, hawser_context*)> edge;
  std::function<void(const std::uint8_t*, std::uint64_t, hawser_context*)> bytes;  ///< observe and control.
  std::function<void(const char* hook, hawser_context*)> act;  ///< done, timer, open, flush, closed.

  void note(const char* what) { calls.emplace_back(what); }
  [[nodiscard]] std::size_t count(std::string_view what) const {
    return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), what));
  }
};

/// The world of the test that runs: tables of C have no other way to find it.
inline plugin_world*& world_now() {
  static plugin_world* now = nullptr;
  return now;
}
inline plugin_world& world_of(void* stage) { return *static_cast<plugin_world*>(stage); }

/// Tables with every hook, to be made wrong one by one.
struct plugin_tables {
  hawser_stage stage{};
  hawser_plugin plugin{};

  plugin_tables() {
    fill_stage();
    plugin.struct_size = sizeof plugin;
    plugin.abi = HAWSER_PLUGIN_ABI;
    plugin.name = "x-plug";
    plugin.summary = "what the test wants";
    plugin.stage = &stage;
    plugin.accept = [](void*, const hawser_params* all, std::uint64_t n, hawser_negotiation* to, hawser_claims* uses,
                       void** made) -> std::int32_t {
      world_now()->note("accept");
      *made = world_now();
      uses->rsv = HAWSER_RSV2;
      return world_now()->accept ? world_now()->accept(all, n, to, uses, made) : 1;
    };
    plugin.confirm = [](void*, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                        void** made) -> std::int32_t {
      world_now()->note("confirm");
      *made = world_now();
      uses->rsv = HAWSER_RSV2;
      return world_now()->confirm ? world_now()->confirm(answer, to, uses) : 1;
    };
  }
  plugin_tables(const plugin_tables&) = delete;
  plugin_tables& operator=(const plugin_tables&) = delete;

  /// With `configure`, `release` and `offers` as the world has them.
  void configurable() {
    plugin.configure = [](const hawser_params* given, char* why, std::uint64_t size) -> void* {
      world_now()->note("configure");
      return world_now()->configure ? world_now()->configure(*given, why, size) : world_now();
    };
    plugin.release = [](void*) { world_now()->note("release"); };
    plugin.offers = [](void*, hawser_negotiation* to) -> std::int32_t {
      return world_now()->offers ? world_now()->offers(to) : 1;
    };
  }

 private:
  void fill_stage();
};

inline void plugin_tables::fill_stage() {
  stage.struct_size = sizeof stage;
  stage.hooks = (1U << 13) - 1;
  stage.destroy = [](void* s) { world_of(s).note("destroy"); };
  stage.begin = [](void* s, std::uint32_t way, hawser_head* h, hawser_context* c) {
    world_of(s).note("begin");
    return world_of(s).begin ? world_of(s).begin(way, h, c) : HAWSER_BYPASS;
  };
  stage.observe = [](void* s, std::uint32_t, const std::uint8_t* b, std::uint64_t n, std::int32_t, hawser_context* c) {
    world_of(s).note("observe");
    if (world_of(s).bytes) world_of(s).bytes(b, n, c);
  };
  stage.in_place = [](void* s, std::uint32_t, std::uint8_t* b, std::uint64_t n, std::int32_t, hawser_context* c) {
    world_of(s).note("in_place");
    if (world_of(s).in_place) world_of(s).in_place(b, n, c);
  };
  stage.transform = [](void* s, std::uint32_t, const std::uint8_t* in, std::uint64_t in_size, std::uint8_t* out,
                       std::uint64_t out_size, std::int32_t fin, hawser_step* did, hawser_context* c) {
    world_of(s).note("transform");
    if (world_of(s).transform) world_of(s).transform(in, in_size, out, out_size, fin, did, c);
  };
  stage.whole = [](void* s, std::uint32_t way, const hawser_head* h, hawser_buffer body, hawser_context* c) {
    world_of(s).note("whole");
    if (world_of(s).whole) world_of(s).whole(way, h, body, c);
  };
  stage.retained = [](void* s, std::uint32_t way, const hawser_head* h, hawser_buffer body, hawser_context* c) {
    world_of(s).note("retained");
    if (world_of(s).retained) world_of(s).retained(way, h, body, c);
  };
  stage.prefix = [](void* s, std::uint32_t way, std::uint8_t* b, std::uint64_t n, hawser_context* c) {
    world_of(s).note("prefix");
    if (world_of(s).edge) world_of(s).edge(way, b, n, c);
  };
  stage.suffix = [](void* s, std::uint32_t way, std::uint8_t* b, std::uint64_t n, hawser_context* c) {
    world_of(s).note("suffix");
    if (world_of(s).edge) world_of(s).edge(way, b, n, c);
  };
  stage.control = [](void* s, std::uint32_t, const std::uint8_t* b, std::uint64_t n, hawser_context* c) {
    world_of(s).note("control");
    if (world_of(s).bytes) world_of(s).bytes(b, n, c);
  };
  const auto acting = [](const char* hook, void* s, hawser_context* c) {
    world_of(s).note(hook);
    if (world_of(s).act) world_of(s).act(hook, c);
  };
  static const auto act = acting;
  stage.done = [](void* s, std::uint32_t, hawser_context* c) { act("done", s, c); };
  stage.timer = [](void* s, hawser_context* c) { act("timer", s, c); };
  stage.open = [](void* s, hawser_context* c) { act("open", s, c); };
  stage.flush = [](void* s, hawser_context* c) { act("flush", s, c); };
  stage.closed = [](void* s, std::uint32_t, hawser_context* c) { act("closed", s, c); };
}

}  // namespace hawser::test
