// Messages out, messages in, acknowledgements right and wrong, time: a model that only counts says what becomes of
// them. at least 30,000 inputs

#include "support/require.h"
#include "support/tape.h"

#include <hawser/core/pipeline.h>
#include <hawser/ext/ack.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::core::pipeline;
using hawser::fuzz::require;
using hawser::fuzz::tape;

namespace {

class connection_of_counts {
 public:
  explicit connection_of_counts(tape& input) : input_(input), every_(1 + input.below(5)) {
    core::pipeline_limits limits;
    limits.memory = 4000;
    std::vector<core::agreed_extension> stages;
    const ext::ack how = ext::ack()
                             .every(static_cast<std::uint32_t>(every_))
                             .within(std::chrono::milliseconds(10))
                             .keep(2000)
                             .on_acknowledged([this](std::uint64_t, std::uint64_t n) { heard_ = n; })
                             .on_ended([this](std::uint64_t, const std::vector<ext::sent_message>& left) {
                               for (const ext::sent_message& m : left)
                                 left_.emplace_back(m.text());
                               ++ended_;
                             });
    stages.push_back({"x-hawser-ack", std::move(*any_factory(how).accept({{}}))});
    stages_ = std::make_unique<pipeline>(std::move(stages), role::client, pool_, limits);
    stages_->open(now());
  }

  void run() {
    while (!input_.done() && !stages_->failed())
      one_action();
    require(stages_->failed() == broken_, "it fails when the peer breaks a rule or memory is used up, and only then");
    stages_->closed(close_code::normal, now());
    require(ended_ == 1, "the end is told once");
    require(left_ == std::vector<std::string>(sent_.begin() + static_cast<std::ptrdiff_t>(proved_), sent_.end()),
            "what was not acknowledged is given back, in order");
    require(stages_->charged() == 0 && stages_->breaches() == 0, "the account is settled");
  }

 private:
  tick now() const { return tick{} + std::chrono::milliseconds(time_); }

  void one_action() {
    switch (input_.below(8)) {
      case 0:
      case 1:
      case 2:
        return send();
      case 3:
      case 4:
        return receive();
      case 5:
        return acknowledge();
      case 6:
        time_ += static_cast<int>(input_.below(16));
        if (stages_->deadline() <= now()) stages_->on_timeout(now());
        break;
      default:
        require(told_ + every_ > came_, "an acknowledgement is not put off by more than was agreed");
    }
    work();
  }

  std::size_t carry(direction way, std::string text) {
    head h;
    h.opcode = 1;
    h.sized = 1;
    h.size = text.size();
    if (!stages_->begin(way, h, now())) return 0;
    stages_->push(way, {reinterpret_cast<std::byte*>(text.data()), text.size()}, true, now());
    std::size_t out = 0;
    byte_span piece;
    bool fin = false;
    while (stages_->pull(way, piece, fin) == pipeline::pulled::piece)
      out += piece.size();
    return out;
  }

  void send() {
    const bool held = stages_->sending_held();
    require(held == (kept() >= 2000 || (held_ && kept() > 1000)), "sending is held from the bound until half of it");
    const std::string text(input_.next() * (input_.below(2) == 0 ? 1U : 9U), 'm');
    broken_ = kept() + text.size() + 64 > 4000;
    carry(direction::out, text);
    if (!broken_) sent_.push_back(text);
    held_ = held || kept() >= 2000;
  }

  void receive() {
    require(carry(direction::in, "in") == 2, "what comes is passed on");
    ++came_;
    work();
    if (!stages_->failed()) require(came_ - told_ < every_, "acknowledged when there are enough");
  }

  void acknowledge() {
    std::string payload(8, '\0');
    payload[7] = static_cast<char>(input_.next());
    if (input_.below(16) == 15) payload[input_.below(8)] = static_cast<char>(input_.next());
    if (input_.below(16) == 14) payload.resize(input_.below(20));
    std::uint64_t n = 0;
    for (const char c : payload)
      n = n << 8 | static_cast<unsigned char>(c);
    broken_ = payload.size() != 8 || n <= proved_ || n > sent_.size();
#ifdef HAWSER_PLANTED_BUG
    // A receiver that takes an acknowledgement twice.
    if (n == proved_ && n > 2) broken_ = false;
#endif
    stages_->control(11, as_bytes(payload), now());
    if (broken_) return;
    proved_ = static_cast<std::size_t>(n);
    held_ = held_ && kept() > 1000;
    require(heard_ == n && stages_->proved() == n && stages_->sent_on() == sent_.size(), "it is heard");
    require(stages_->charged() == kept(), "what is acknowledged is let go");
  }

  void work() {
    pipeline::work w;
    while (stages_->next_work(w)) {
      require(w.what == pipeline::work::kind::control && w.opcode == 11, "nothing but acknowledgements is sent");
      std::uint64_t n = 0;
      for (const std::byte b : w.body.view())
        n = n << 8 | std::to_integer<std::uint64_t>(b);
      require(n > told_ && n == came_, "an acknowledgement says what came");
      told_ = n;
    }
  }

  [[nodiscard]] std::size_t kept() const {
    std::size_t bytes = 0;
    for (std::size_t i = proved_; i < sent_.size(); ++i)
      bytes += sent_[i].size() + 64;
    return bytes;
  }

  tape& input_;
  std::size_t every_;
  buffer_pool pool_;
  std::unique_ptr<pipeline> stages_;
  std::vector<std::string> sent_;
  std::vector<std::string> left_;
  std::size_t proved_ = 0;
  std::uint64_t heard_ = 0;
  std::uint64_t came_ = 0;
  std::uint64_t told_ = 0;
  int ended_ = 0;
  int time_ = 1;
  bool held_ = false;
  bool broken_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, std::min<std::size_t>(size, 400));
  connection_of_counts(input).run();
  return 0;
}
