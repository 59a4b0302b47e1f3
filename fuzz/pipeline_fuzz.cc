// Stages that do what the input says, among it what they must not: a pipeline keeps its limits, ends each message once,
// runs nothing after a failure, and has everything back in the end.
// at least 5,000 inputs

#include "support/require.h"
#include "support/tape.h"

#include <hawser/core/pipeline.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::core::pipeline;
using hawser::fuzz::require;
using hawser::fuzz::tape;

namespace {

/// What all hooks of one run share.
struct world {
  tape* input;
  pipeline* stages = nullptr;
  int open_messages = 0;
  bool ended = false;
};

class scripted {
 public:
  static constexpr unsigned hooks = hook::observe | hook::in_place | hook::transform | hook::whole | hook::retained |
                                    hook::prefix | hook::suffix | hook::done | hook::control | hook::timer |
                                    hook::open | hook::flush | hook::closed;
  explicit scripted(world& w) : w_(&w) {}

  verdict begin(direction way, head& h, context& c) {
    running();
    const std::uint8_t what = w_->input->next();
    if (what % 16 == 15) h.rsv ^= w_->input->next();
    if (what % 32 == 30) h.opcode ^= 1;
    verdict v{static_cast<verdict::kind>(what >> 5), 0, 0, 0};
    if (v.what == verdict::kind::observe || v.what == verdict::kind::in_place || what % 16 == 14) {
      v.prefix_size = static_cast<std::uint8_t>(w_->input->below(34));
      v.suffix_size = static_cast<std::uint8_t>(w_->input->below(34));
    }
    act(c);
    if (w_->stages->failed() && way == direction::in) v = verdict::reject;
    const bool taken = v.what != verdict::kind::bypass && v.what < verdict::kind::reject && sound(v);
    w_->open_messages += taken ? 1 : 0;
    return v;
  }
  void observe(direction, byte_view chunk, bool, context& c) { look(chunk), act(c); }
  void in_place(direction, byte_span chunk, bool, context& c) {
    running();
    std::ranges::fill(chunk, std::byte{1});
    act(c);
  }
  step transform(direction, byte_view in, byte_span out, bool fin, context& c) {
    look(in);
    require(!out.empty(), "a transform always has room");
    std::ranges::fill(out, std::byte{2});
    act(c);
    const std::uint8_t how = w_->input->next();
    if (how % 16 == 15) return {w_->input->next(), w_->input->next(), static_cast<flow>(how >> 6), w_->input->next()};
    const std::size_t consumed = how % 4 == 1 ? in.size() / 2 : in.size();
    const std::size_t produced = std::min<std::size_t>(out.size(), how % 8 == 0 ? consumed : w_->input->next());
    if (consumed < in.size() || how % 8 == 2)
      return {consumed, std::max<std::size_t>(produced, consumed == 0 ? 1 : 0), flow::full};
    if (!fin) return {consumed, produced, flow::more};
    return {consumed, produced, flow::done,
            static_cast<std::uint8_t>(how % 8 == 4 ? std::min<std::size_t>(produced, 4) : 0)};
  }
  void whole(direction way, const head& h, buffer body, context& c) {
    look(body.view());
    require(h.sized == 1 && h.size == body.size(), "a whole message knows its size");
    if (w_->input->below(4) != 3) static_cast<void>(c.forward(way, h, std::move(body)));
    act(c);
  }
  void retained(direction, const head&, const buffer& body, context& c) { look(body.view()), act(c); }
  void prefix(direction, byte_span edge, context& c) { std::ranges::fill(edge, std::byte{3}), act(c); }
  void suffix(direction, byte_span edge, context& c) { std::ranges::fill(edge, std::byte{4}), act(c); }
  void done(direction, context& c) {
    require(w_->open_messages > 0, "a message ends once");
    --w_->open_messages;
    if (!w_->ended) act(c);
  }
  void control(std::uint8_t, byte_view bytes, context& c) { look(bytes), act(c); }
  void timer(context& c) { act(c); }
  void open(context& c) { act(c); }
  void flush(context& c) { act(c); }
  void closed(close_code, context& c) {
    require(!closed_, "closed comes once");
    closed_ = true;
    c.charge(-charged_);
    c.arm(tick{});
    require(!c.emit_control(11, {}), "nothing is sent any more");
  }

 private:
  static bool sound(const verdict& v) {
    const bool edges = v.prefix_size != 0 || v.suffix_size != 0;
    const bool may = v.what == verdict::kind::observe || v.what == verdict::kind::in_place;
    return (!edges || may) && v.prefix_size <= max_edge && v.suffix_size <= max_edge;
  }
  void running() const { require(!w_->ended && !w_->stages->failed(), "nothing runs after a failure"); }
  void look(byte_view bytes) {
    running();
    for (const std::byte b : bytes)
      seen_ = seen_ + std::to_integer<unsigned>(b);
  }
  /// What a hook does beside its work.
  void act(context& c) {
    const std::uint8_t what = w_->input->next();
    switch (what % 32) {
      case 1:
        static_cast<void>(c.emit_control(11, std::vector<std::byte>(what)));
        break;
      case 2:
        static_cast<void>(c.emit_control(what, {}));
        break;
      case 3: {
        head h;
        h.opcode = static_cast<std::uint8_t>(1 + (what >> 7));
        h.rsv = w_->input->next() & 7;
        static_cast<void>(c.forward(static_cast<direction>(what >> 5 & 1), h, c.take_buffer(w_->input->next())));
        break;
      }
      case 4:
        c.arm(c.now() + std::chrono::milliseconds(what));
        break;
      case 5:
        c.disarm();
        break;
      case 6:
        c.fail(static_cast<close_code>(1000 + what % 20), std::string(what, '\xC3'));
        break;
      case 7:
        if (c.charge(what)) charged_ += what;
        break;
      case 8:
        if (c.charge(-charged_ / 2)) charged_ -= charged_ / 2;
        break;
      case 9:
        throw std::runtime_error("as the input wants");
      default:
        break;
    }
  }

  world* w_;
  std::ptrdiff_t charged_ = 0;
  bool closed_ = false;
  volatile unsigned seen_ = 0;
};

/// The owner of a pipeline: a connection without frames.
class owner {
 public:
  explicit owner(tape& input) : input_(input), world_{&input} {
    std::vector<core::agreed_extension> agreed;
    for (std::size_t n = input_.below(4); n > 0; --n) {
      claims uses;
      uses.rsv = static_cast<std::uint8_t>(1U << agreed.size());
      uses.trim_max = static_cast<std::uint8_t>(input_.below(9));
      uses.adds_max = uses.trim_max % 2 == 0 ? claims::grows : uses.trim_max;
      adds_.push_back(uses.adds_max);
      uses.in_needs_rsv = input_.below(4) == 1;
      uses.out_min_size = input_.below(8);
      if (agreed.empty()) uses.opcodes = 1U << 11;
      agreed.push_back({"x-fuzz", core::agreement{{}, uses, core::any_stage::of(scripted(world_))}});
    }
    limits_.max_message_in = input_.next();
    limits_.max_message_out = 4U * input_.next();
    limits_.memory = 200;
    limits_.step = 1 + input_.below(40);
    limits_.work = input_.below(6);
    stages_ = std::make_unique<pipeline>(std::move(agreed), role::server, pool_, limits_);
    world_.stages = stages_.get();
    stages_->open(now());
  }

  void run() {
    for (int i = 0; i < 100 && !input_.done(); ++i)
      one_action();
    end();
  }

 private:
  static constexpr std::size_t ways = 2;
  struct message {
    bool begun = false;
    bool staged = false;
    std::size_t in = 0;
    std::size_t out = 0;
    std::vector<std::unique_ptr<std::byte[]>> memory;  // Of chunks that were pushed and may still be looked at.
  };

  tick now() { return tick{} + std::chrono::milliseconds(++time_); }

  void one_action() {
    const std::uint8_t what = input_.next();
    const auto way = static_cast<direction>(what >> 7);
    switch (what % 8) {
      case 0:
        begin(way);
        break;
      case 1:
      case 2:
        push(way);
        break;
      case 3:
        work();
        break;
      case 4:
        stages_->on_timeout(now() + std::chrono::milliseconds(input_.next()));
        break;
      case 5:
        stages_->control(static_cast<std::uint8_t>(11 + what / 8 % 2), std::vector<std::byte>(what % 125), now());
        break;
      case 6:
        (way == direction::in ? allowed_.in : allowed_.out) = (what & 8) != 0;
        break;
      default:
        if (what == 255) stages_->flush(now());
        stages_->set_room(what);
    }
    check();
  }

  void begin(direction way) {
    head h;
    h.opcode = static_cast<std::uint8_t>(1 + input_.below(2));
    h.rsv = way == direction::in ? input_.next() & 7 : 0;
    h.sized = input_.below(2) != 0;
    h.size = h.sized != 0 ? input_.next() : 0;
    message& m = at(way);
    m = {};
    m.begun = stages_->begin(way, h, now());
    m.staged = m.begun && !stages_->bypassed(way);
  }

  void push(direction way) {
    message& m = at(way);
    if (!m.begun) return;
    const std::size_t n = input_.next();
    const bool fin = input_.below(3) == 0;
    m.in += n;
    m.memory.push_back(std::make_unique<std::byte[]>(n));
    stages_->push(way, {m.memory.back().get(), n}, fin, now());
    pull_all(way);
  }

  void pull_all(direction way) {
    message& m = at(way);
    for (int pulls = 0;; ++pulls) {
      require(pulls < 100000, "a chunk is used up some day");
      byte_span bytes;
      bool fin = false;
      const pipeline::pulled got = stages_->pull(way, bytes, fin);
      if (got != pipeline::pulled::piece) {
        if (got != pipeline::pulled::more) m.begun = false;
        m.memory.clear();
        return;
      }
      for (std::byte& b : bytes)
        b = std::byte{5};
      m.out += bytes.size();
#ifdef HAWSER_PLANTED_BUG
      // An owner that loses count of a message that is stashed inside a transform.
      if (m.out > 150 && way == direction::in) m.out *= 2;
#endif
      require(!m.staged || m.out <= (way == direction::in ? limits_.max_message_in : limits_.max_message_out),
              "the limit holds");
      require(way == direction::in || m.out <= most_of(m.in), "no more is made of a message than was claimed");
      if (fin) m.begun = false;
      if (input_.below(4) == 1) {
        stages_->stash(way);
        m.memory.clear();
      }
    }
  }

  void work() {
    pipeline::work w;
    if (!stages_->next_work(w, allowed_)) return;
    require(w.what == pipeline::work::kind::control || (w.way == direction::in ? allowed_.in : allowed_.out),
            "nothing is forwarded into a message half-way");
    require(!stages_->failed(), "after a failure there is no work");
    if (w.what == pipeline::work::kind::control) {
      require(w.opcode == 11 && w.body.size() <= 125, "only own control frames are sent");
      return;
    }
    message& m = at(w.way);
    m = {};
    require(w.message.size == w.body.size(), "a forward knows its size");
    m.begun = stages_->begin_behind(w.stage, w.way, w.message, now());
    m.staged = m.begun && !stages_->bypassed(w.way);
    if (!m.begun) return;
    m.in = w.body.size();
    stages_->push_owned(w.way, std::move(w.body), now());
    pull_all(w.way);
  }

  /// What all stages together may make of a message outwards, at the most.
  std::uint64_t most_of(std::uint64_t bytes) const {
    for (const std::uint16_t adds : adds_)
      bytes = claims::most_made(adds, bytes) + 2 * max_edge;
    return bytes;
  }

  void check() {
    require(stages_->charged() <= limits_.memory, "the memory budget holds");
    if (!stages_->failed()) return;
    require(core::valid_utf8(as_bytes(stages_->fail_reason())), "a reason is UTF-8");
    require(stages_->fail_reason().size() <= max_close_reason, "a reason fits");
    require(may_send(static_cast<std::uint16_t>(stages_->fail_code()), role::server), "a code may be sent");
    require(!stages_->fail_extension().empty(), "a failure has its extension");
  }

  void end() {
    world_.ended = true;
    stages_->closed(close_code::normal, now());
    stages_->closed(close_code::normal, now());
    require(world_.open_messages == 0, "done balances begin");
    require(stages_->charged() == 0, "every account is zero");
    require(stages_->deadline() == no_deadline && !stages_->has_work(), "nothing waits");
    stages_ = nullptr;
    require(pool_.used_bytes() == 0, "every buffer is home");
  }

  message& at(direction way) { return messages_[static_cast<std::size_t>(way)]; }

  tape& input_;
  world world_;
  buffer_pool pool_;
  core::pipeline_limits limits_;
  std::unique_ptr<pipeline> stages_;
  core::work_allowed allowed_;
  std::vector<std::uint16_t> adds_;  // What the stages claim.
  message messages_[ways];
  int time_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, size);
  owner(input).run();
  return 0;
}
