#include "testkit/checks.h"

#include <hawser/core/utf8.h>
#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/no_masking.h>
#include <hawser/ext/priority.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>

#include <algorithm>
#include <utility>

HAWSER_BEGIN
namespace testkit {

bool report::passed() const noexcept {
  return !checks_.empty() && std::all_of(checks_.begin(), checks_.end(), [](const check& c) { return c.passed; });
}

const check* report::find(std::string_view name) const& noexcept {
  const check* found = nullptr;
  for (const check& c : checks_)
    if (c.name == name && (found == nullptr || (found->passed && !c.passed))) found = &c;
  return found;
}

std::string report::text() const {
  std::string all;
  std::string_view group;
  for (const check& c : checks_) {
    if (c.group != group) all.append(c.group).append("\n");
    group = c.group;
    all.append(c.passed ? "  ok      " : "  FAILED  ").append(c.name);
    if (!c.passed) all.append(": ").append(c.detail);
    all += '\n';
  }
  return all;
}

void report::add(std::string_view name, bool passed, std::string detail) {
  const auto at =
      std::find_if(checks_.begin(), checks_.end(), [&](const check& c) { return c.name == name && c.group == group_; });
  if (at == checks_.end()) {
    checks_.push_back({group_, std::string(name), passed, passed ? std::string() : std::move(detail)});
  } else if (at->passed && !passed) {
    at->passed = false;
    at->detail = std::move(detail);
  }
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t most = 60;
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : bytes.substr(0, most)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7F) {
      out += c;
    } else {
      out.append("\\x").append(1, digits[u >> 4]).append(1, digits[u & 15]);
    }
  }
  out += bytes.size() > most ? "...' (" + std::to_string(bytes.size()) + " bytes)" : "'";
  return out;
}

bool throws(const std::function<void()>& call) {
  return !core::guarded([&] { call(); });
}

std::uint8_t opcode_for(std::string_view text, seeded_random& random) {
  return random.one_in(2) && core::valid_utf8(as_bytes(text)) ? 1 : 2;
}

std::optional<core::agreement> checker::accept(const std::vector<params>& all, bool& threw) const {
  std::optional<core::agreement> made;
  threw = throws([&] { made = f_.accept(all); });
  return made;
}

std::optional<core::agreement> checker::confirm(const params& answer, bool& threw) const {
  std::optional<core::agreement> made;
  threw = throws([&] { made = f_.confirm(answer); });
  return made;
}

std::optional<terms> checker::agree(const params& offer) const {
  bool threw = false;
  std::optional<core::agreement> server = accept({offer}, threw);
  if (!server) return std::nullopt;
  std::optional<core::agreement> client = confirm(server->response, threw);
  if (!client) return std::nullopt;
  return terms{std::move(*client), std::move(*server)};
}

std::vector<core::agreed_extension> checker::stages(core::agreement a) const {
  std::vector<core::agreed_extension> list;
  list.push_back({std::string(f_.name()), std::move(a)});
  return list;
}

std::vector<params> checker::agreeable() const {
  constexpr std::size_t most_offers = 16;
  std::vector<params> good;
  std::vector<params> all;
  throws([&] { all = f_.offers(); });
  for (params& offer : all) {
    if (good.size() == most_offers) break;
    std::optional<terms> made = agree(offer);
    if (!made) continue;
    std::string why;
    if (!core::compose(stages(std::move(made->server)), {role::server, true}, why)) continue;
    good.push_back(std::move(offer));
  }
  return good;
}

std::unique_ptr<line> checker::connect(const params& offer, const handling& how, std::uint64_t seed) const {
  std::optional<terms> made = agree(offer);
  return std::make_unique<line>(stages(std::move(made->client)), stages(std::move(made->server)), how, seed);
}

std::string checker::content(seeded_random& random) const {
  if (how_.message) return how_.message(random.next());
  const std::size_t lengths[] = {0, 1, 4, random.below(126), random.below(1000), random.below(how_.longest + 1)};
  std::string text(lengths[random.below(std::size(lengths))], 'a');
  const std::size_t kind = random.below(3);
  for (char& c : text) {
    if (kind == 1) c = static_cast<char>("etaoin shrdlu\n{}\":,0123"[random.below(23)]);
    if (kind == 2) c = static_cast<char>(random.next() & 0xFF);
  }
  return text;
}

std::string checker::seeded(std::uint64_t seed, const std::string& what) const {
  return what + " (seed " + std::to_string(seed) + ")";
}

std::vector<any_factory> shipped() {
  // Compression with and without memory of earlier messages: the first must see them in order.
  std::vector<any_factory> all = {ext::checksum(),
                                  ext::no_masking(),
                                  ext::trace(),
                                  ext::priority(),
                                  ext::ack(),
                                  ext::deflate(),
                                  ext::deflate(ext::deflate_preset::balanced)};
  if (ext::zstd::available()) all.emplace_back(ext::zstd());
  return all;
}

std::size_t report::failures() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(checks_.begin(), checks_.end(), [](const check& c) { return !c.passed; }));
}

report run(const any_factory& extension, const options& how) {
  report out;
  checker all(extension, how, out);
  constexpr std::pair<const char*, void (checker::*)()> groups[] = {{"negotiation", &checker::negotiate},
                                                                    {"traffic", &checker::traffic},
                                                                    {"damage", &checker::damage},
                                                                    {"bounds", &checker::bounds},
                                                                    {"company", &checker::company},
                                                                    {"connections", &checker::connections},
                                                                    {"beside what is shipped", &checker::pairs}};
  for (const auto& [name, run_group] : groups) {
    const std::size_t before = out.all().size();
    out.begin(name);
    all.begin_group();
    const bool whole = core::guarded([&all, act = run_group] { (all.*act)(); });
    if (!whole) out.add("a run is not cut short", false, "an exception ended this group: was there no memory left?");
    if (!how.on_check) continue;
    for (std::size_t i = before; i < out.all().size(); ++i)
      how.on_check(out.all()[i]);
  }
  return out;
}

}  // namespace testkit
HAWSER_END
