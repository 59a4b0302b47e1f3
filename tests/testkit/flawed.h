// An extension whose every part a test can replace by a wrong one.
#pragma once

#include <gtest/gtest.h>
#include <hawser/testkit/testkit.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

/// A run that is short enough for a test: without what is shipped.
inline testkit::options quick() {
  testkit::options o;
  o.rounds = 15;
  o.longest = 3000;
  o.company.clear();
  return o;
}

/// A stage that passes messages on, marked with RSV2; tests replace what it does.
struct flaws {
  std::function<verdict(direction, head&, context&)> begin;
  std::function<void(direction, byte_span, context&)> in_place;
  std::function<step(direction, byte_view, byte_span, bool, context&)> transform;
  std::function<void(direction, const head&, buffer, context&)> whole;
  std::function<void(context&)> done;
  std::function<void(byte_view, context&)> control;
  std::function<void(context&)> open;
  std::function<void(context&)> closed;
  std::function<void(context&)> timer;
  std::function<void(context&)> flush;
  verdict what = verdict::in_place;
};

struct flawed_stage {
  static constexpr unsigned hooks = hook::in_place | hook::transform | hook::whole | hook::done | hook::control |
                                    hook::open | hook::closed | hook::timer | hook::flush;
  flaws f;
  verdict begin(direction way, head& h, context& c) {
    if (f.begin) return f.begin(way, h, c);
    if (way == direction::out)
      h.rsv |= 2;
    else if ((h.rsv & 2) == 0)
      return verdict::bypass;
    else
      h.rsv = static_cast<std::uint8_t>(h.rsv & ~2U);
    return f.what;
  }
  void in_place(direction way, byte_span b, bool, context& c) {
    if (f.in_place) f.in_place(way, b, c);
  }
  step transform(direction way, byte_view in, byte_span out, bool fin, context& c) {
    if (f.transform) return f.transform(way, in, out, fin, c);
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.begin(), n, out.begin());
    return {n, n, n < in.size() ? flow::full : fin ? flow::done : flow::more};
  }
  void whole(direction way, const head& h, buffer b, context& c) {
    if (f.whole) return f.whole(way, h, std::move(b), c);
    if (!c.forward(way, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
  }
  void done(direction, context& c) { f.done ? f.done(c) : void(); }
  void control(std::uint8_t, byte_view b, context& c) { f.control ? f.control(b, c) : void(); }
  void open(context& c) { f.open ? f.open(c) : void(); }
  void closed(close_code, context& c) { f.closed ? f.closed(c) : void(); }
  void timer(context& c) { f.timer ? f.timer(c) : void(); }
  void flush(context& c) { f.flush ? f.flush(c) : void(); }
};

using answer_t = std::optional<accepted<flawed_stage>>;

struct flawed {
  flaws stage = {};
  claims uses = [] {
    claims c;
    c.rsv = 2;
    return c;
  }();
  std::vector<params> alternatives = {{}};
  std::function<answer_t(const flawed&, const std::vector<params>&)> on_accept = {};
  std::function<answer_t(const flawed&, const params&)> on_confirm = {};

  static std::string_view name() { return "x-flawed"; }
  std::vector<params> offers() const { return alternatives; }
  answer_t agreed(const params& p) const { return accepted<flawed_stage>{p, uses, {stage}}; }
  bool sound(const params& p) const {
    return std::find(alternatives.begin(), alternatives.end(), p) != alternatives.end();
  }
  answer_t accept(const std::vector<params>& all) const {
    if (on_accept) return on_accept(*this, all);
    for (const params& p : all)
      if (sound(p)) return agreed(p);
    return std::nullopt;
  }
  answer_t confirm(const params& p) const {
    if (on_confirm) return on_confirm(*this, p);
    return sound(p) ? agreed(p) : std::nullopt;
  }
};

/// Fails unless the kit finds the mistake under this name.
inline void expect_found(const any_factory& f, const char* name, const testkit::options& how = quick()) {
  const testkit::report r = testkit::run(f, how);
  EXPECT_FALSE(r.passed()) << name;
  const testkit::check* c = r.find(name);
  ASSERT_NE(c, nullptr) << name << '\n' << r.text();
  EXPECT_FALSE(c->passed) << name << '\n' << r.text();
  EXPECT_FALSE(c->detail.empty());
}

}  // namespace hawser::test
