// A stage whose hooks are written in the test that uses it.
#pragma once

#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {

/// A stage whose hooks a test writes; every call is noted in `calls`.
struct script {
  std::string name = "s";
  std::vector<std::string>* calls = nullptr;
  std::function<verdict(direction, head&, context&)> begin = {};
  std::function<void(direction, byte_view, context&)> observe = {};
  std::function<void(direction, byte_span, context&)> in_place = {};
  std::function<step(direction, byte_view, byte_span, bool, context&)> transform = {};
  std::function<void(direction, const head&, buffer, context&)> whole = {};
  std::function<void(direction, const head&, buffer, context&)> retained = {};
  std::function<void(context&)> edge = {};
  std::function<void(context&)> done = {};
  std::function<void(std::uint8_t, byte_view, context&)> control = {};
  std::function<void(context&)> timer = {};
  std::function<void(context&)> open = {};
  std::function<void(context&)> flush = {};
  std::function<void(context&)> closed = {};

  void note(const char* what) const {
    if (calls != nullptr) calls->push_back(name + "." + what);
  }
};

struct scripted {
  static constexpr unsigned hooks = hook::observe | hook::in_place | hook::transform | hook::whole | hook::retained |
                                    hook::prefix | hook::suffix | hook::done | hook::control | hook::timer |
                                    hook::open | hook::flush | hook::closed;
  std::shared_ptr<script> s;

  verdict begin(direction way, head& h, context& c) {
    return said("begin"), s->begin ? s->begin(way, h, c) : verdict::bypass;
  }
  void observe(direction way, byte_view b, bool, context& c) {
    said("observe"), s->observe ? s->observe(way, b, c) : void();
  }
  void in_place(direction way, byte_span b, bool, context& c) {
    said("in_place"), s->in_place ? s->in_place(way, b, c) : void();
  }
  step transform(direction way, byte_view i, byte_span o, bool fin, context& c) {
    return said("transform"), s->transform(way, i, o, fin, c);
  }
  void whole(direction way, const head& h, buffer b, context& c) { said("whole"), s->whole(way, h, std::move(b), c); }
  void retained(direction way, const head& h, buffer b, context& c) {
    said("retained"), s->retained ? s->retained(way, h, std::move(b), c) : void();
  }
  void prefix(direction, byte_span, context& c) { said("prefix"), act(s->edge, c); }
  void suffix(direction, byte_span, context& c) { said("suffix"), act(s->edge, c); }
  void done(direction, context& c) { said("done"), act(s->done, c); }
  void control(std::uint8_t op, byte_view b, context& c) {
    said("control"), s->control ? s->control(op, b, c) : void();
  }
  void timer(context& c) { said("timer"), act(s->timer, c); }
  void open(context& c) { said("open"), act(s->open, c); }
  void flush(context& c) { said("flush"), act(s->flush, c); }
  void closed(close_code, context& c) { said("closed"), act(s->closed, c); }

 private:
  void said(const char* what) const { s->note(what); }
  static void act(const std::function<void(context&)>& f, context& c) {
    if (f) f(c);
  }
};

using calls = std::vector<std::string>;

/// One stage "x-a", perhaps a second one "x-b" nearer to the network, whose hooks a test writes.
struct scripted_test : ::testing::Test {
  buffer_pool pool;
  calls log;
  core::pipeline_limits limits;
  claims uses;
  std::unique_ptr<core::pipeline> p;
  std::shared_ptr<script> a = made("a");
  std::shared_ptr<script> b = made("b");

  std::shared_ptr<script> made(std::string name) {
    auto s = std::make_shared<script>();
    s->name = std::move(name);
    s->calls = &log;
    return s;
  }
  core::pipeline& make(bool both = false, role side = role::server) {
    stage_list stages;
    stages.add("x-a", uses, scripted{a});
    if (both) stages.add("x-b", claims{}, scripted{b});
    p = std::make_unique<core::pipeline>(stages.take(), side, pool, limits);
    p->open(at_time(1));
    return *p;
  }
  /// A breach ends in 1011, and its line names the extension.
  void expect_breach(std::string_view what) {
    EXPECT_TRUE(p->failed());
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->fail_error(), errc::extension_threw);
    EXPECT_EQ(p->fail_extension(), "x-a");
    EXPECT_EQ(p->fail_reason(), std::string("x-a: ").append(what));
    EXPECT_EQ(p->breaches(), 1U);
    p->closed(close_code::internal_error, at_time(2));
    EXPECT_EQ(pool.used_bytes(), 0U);
  }
};

}  // namespace hawser::test
