// An echo server whose connections carry three extensions: what stages cost a message that they let be.
//   stages uninterested|onlookers|none [HOST:PORT]
// Those of the first kind say beforehand that short messages do not concern them; those of the second look at each and
// let it pass. A client that does not offer x-a, x-b and x-c is refused, so that nothing is measured without them.

#include <hawser/hawser.h>

#include <array>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

namespace {

struct onlooker {
  static constexpr unsigned hooks = hawser::hook::none;
  std::uint64_t seen = 0;
  hawser::verdict begin(hawser::direction, hawser::head& h, hawser::context&) {
    seen += h.size;
    return hawser::verdict::bypass;
  }
};

constexpr std::array<std::string_view, 3> names{"x-a", "x-b", "x-c"};

template <std::size_t N>
struct idle_extension {
  bool interested;

  static constexpr std::string_view name() { return names[N]; }
  static std::vector<hawser::params> offers() { return {{}}; }
  [[nodiscard]] std::optional<hawser::accepted<onlooker>> accept(const std::vector<hawser::params>&) const {
    return confirm({});
  }
  [[nodiscard]] std::optional<hawser::accepted<onlooker>> confirm(const hawser::params&) const {
    hawser::claims uses;
    uses.rsv = static_cast<std::uint8_t>(1U << N);
    uses.in_needs_rsv = !interested;
    uses.out_min_size = interested ? 0 : 1U << 20;
    return hawser::accepted<onlooker>{{}, uses, {}};
  }
};

int serve(std::string_view kind, std::string_view address) {
  const bool interested = kind == "onlookers";
  if (!interested && kind != "uninterested" && kind != "none") {
    std::cerr << "usage: stages uninterested|onlookers|none [HOST:PORT]\n";
    return 2;
  }
  hawser::server server;
  if (kind != "none") {
    server.extensions()
        .require(idle_extension<0>{interested})
        .require(idle_extension<1>{interested})
        .require(idle_extension<2>{interested});
  }
  server.route("*").on_message([](hawser::connection c, const hawser::message& m) { static_cast<void>(c.send(m)); });
  const auto at = server.listen(address);
  if (!at) {
    std::cerr << "cannot listen on " << address << ": " << at.error().message() << '\n';
    return 1;
  }
  std::cout << "listening on ws://" << at->text() << std::endl;
  return server.run() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return serve(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "127.0.0.1:0");
  } catch (const std::exception& e) {
    std::cerr << "stages: " << e.what() << '\n';
    return 1;
  }
}
