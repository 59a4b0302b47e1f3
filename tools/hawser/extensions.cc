#include "extensions.h"

#include "demo_extensions.h"

#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/no_masking.h>
#include <hawser/ext/priority.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>
#include <hawser/ws/plugin.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace hawser_tool {

namespace {

using made = std::optional<hawser::any_factory>;

made make_rot13(given_parameters&) { return hawser::demo::rot13(); }
void suit_rot13(hawser::testkit::options& how) { how.wire = {{"Hello", "Uryyb", 2}, {"", "", 2}}; }

made make_checksum(given_parameters&) { return hawser::demo::checksum(); }
void suit_checksum(hawser::testkit::options& how) {
  how.wire = {{"abc", "abc5$A\xC2", 1}};
  how.detects_damage = true;
}

made make_shipped_checksum(given_parameters&) { return hawser::ext::checksum(); }
void suit_shipped_checksum(hawser::testkit::options& how) {
  how.wire = {{"123456789", "123456789\xE3\x06\x92\x83", 1}};
}

made make_no_masking(given_parameters&) { return hawser::ext::no_masking(); }
void suit_no_masking(hawser::testkit::options& how) { how.wire = {{"abc", "abc", 0}}; }
made make_trace(given_parameters& given) {
  hawser::ext::trace speaks;
  const std::optional<std::string> text = given.text("traceparent");
  if (!text) return speaks;
  const auto context = hawser::ext::trace_context::parse(*text);
  if (!context) given.refuse("traceparent wants a W3C traceparent such as 00-(32 digits)-(16 digits)-01");
  return speaks.sent_with([context](std::uint64_t) { return context; });
}
constexpr known_parameter trace_parameters[] = {
    {"traceparent=00-...", "the context to send with every message (default: none is sent)"},
};

made make_ack(given_parameters& given) {
  hawser::ext::ack speaks;
  if (const auto every = given.number("every", 1, hawser::ext::ack::most_every))
    speaks = speaks.every(static_cast<std::uint32_t>(*every));
  if (const auto within = given.number("within", 1, hawser::ext::ack::most_within_ms))
    speaks = speaks.within(std::chrono::milliseconds(*within));
  if (const auto keep = given.number("keep", 64, std::uint64_t{1} << 30))
    speaks = speaks.keep(static_cast<std::size_t>(*keep));
  return speaks;
}
constexpr known_parameter ack_parameters[] = {
    {"every=1..1024", "acknowledge at the latest after so many messages (16)"},
    {"within=1..60000", "... or so many milliseconds after the first of them (25)"},
    {"keep=BYTES", "how much may wait for an acknowledgement before sends are refused (1048576)"},
};

made make_priority(given_parameters& given) {
  using hawser::ext::priority;
  priority speaks;
  if (const auto window = given.number("window", priority::least_window, priority::most))
    speaks = speaks.window(static_cast<std::uint32_t>(*window));
  if (const auto memory = given.number("memory", priority::least_memory, priority::most))
    speaks = speaks.memory(static_cast<std::uint32_t>(*memory));
  if (const auto small = given.number("small", 0, std::uint64_t{1} << 30)) speaks = speaks.small(*small);
  return speaks;
}
constexpr known_parameter priority_parameters[] = {
    {"window=16384..2^30", "bytes that may be on the way to this end (262144)"},
    {"memory=65536..2^30", "bytes of messages half-way that may wait here, beside the largest (1048576)"},
    {"small=BYTES", "messages up to this size go before larger ones (4096)"},
};

constexpr std::size_t most_dictionary = std::size_t{16} << 20;

made make_zstd(given_parameters& given) {
  hawser::ext::zstd_options how;
  if (const auto level = given.number("level", 1, 19)) how.level = static_cast<int>(*level);
  if (const auto window = given.number("window", 10, 23)) how.window = static_cast<int>(*window);
  if (const auto least = given.number("least", 0, std::uint64_t{1} << 30)) how.least = static_cast<std::size_t>(*least);
  hawser::ext::zstd speaks(how);
  const std::optional<std::string> file = given.text("dictionary");
  if (!hawser::ext::zstd::available()) given.refuse("this build has no libzstd");
  if (!file) return speaks;
  std::string why;
  const std::optional<std::string> bytes = read_file(*file, most_dictionary, why);
  if (!bytes) {
    given.refuse("dictionary: " + why);
    return speaks;
  }
  speaks = speaks.dictionary(hawser::as_bytes(*bytes));
  if (speaks.dictionary_id() == 0) given.refuse("dictionary: '" + *file + "' cannot be used as one");
  return speaks;
}
constexpr known_parameter zstd_parameters[] = {
    {"level=1..19", "how hard to compress (3)"},
    {"window=10..23", "the largest window, as a power of two (18)"},
    {"least=BYTES", "shorter messages go as they are (64)"},
    {"dictionary=FILE", "bytes that both ends have and that messages look like (none)"},
};

using hawser::ext::deflate_engine;
using hawser::ext::deflate_options;
using hawser::ext::deflate_preset;

deflate_options preset_of(given_parameters& given) {
  constexpr std::array<std::pair<std::string_view, deflate_preset>, 4> presets{
      {{"fast", deflate_preset::fast},
       {"balanced", deflate_preset::balanced},
       {"small", deflate_preset::small},
       {"low_memory", deflate_preset::low_memory}}};
  const std::optional<std::string> named = given.word("preset", {"fast", "balanced", "small", "low_memory"});
  const auto* found = std::find_if(presets.begin(), presets.end(), [&](const auto& p) { return named == p.first; });
  return deflate_options(found == presets.end() ? deflate_preset::low_memory : found->second);
}

made make_deflate(given_parameters& given) {
  deflate_options o = preset_of(given);
  const auto number = [&given](std::string_view name, std::uint64_t least, std::uint64_t most, int& to) {
    if (const auto n = given.number(name, least, most)) to = static_cast<int>(*n);
  };
  if (const auto engine = given.word("engine", {"zlib", "isal"})) {
    o.engine = *engine == "isal" ? deflate_engine::isal : deflate_engine::zlib;
    if (o.fault() != nullptr) o.level = 1;  // What suits the preset's own engine.
  }
  number("level", 1, 9, o.level);
  number("memory_level", 1, 9, o.memory_level);
  number("server_max_window_bits", 8, 15, o.server_max_window_bits);
  number("client_max_window_bits", 8, 15, o.client_max_window_bits);
  const bool takeover = given.flag("context_takeover");
  const bool server_alone = given.flag("server_no_context_takeover");
  const bool client_alone = given.flag("client_no_context_takeover");
  if (takeover && (server_alone || client_alone)) given.refuse("takeover and no takeover contradict each other");
  o.server_no_context_takeover = server_alone || (o.server_no_context_takeover && !takeover);
  o.client_no_context_takeover = client_alone || (o.client_no_context_takeover && !takeover);
  if (const auto least = given.number("threshold", 0, std::uint64_t{1} << 32)) o.threshold = *least;
  if (const char* wrong = o.fault()) given.refuse(wrong);
  return hawser::ext::deflate(o);
}
void suit_deflate(hawser::testkit::options& how) {
  how.free_values = {"server_max_window_bits", "client_max_window_bits"};
}
constexpr known_parameter deflate_parameters[] = {
    {"preset=NAME", "fast, balanced, small or low_memory (low_memory); what follows changes it"},
    {"context_takeover", "both ends may refer to earlier messages"},
    {"server_no_context_takeover", "the server compresses each message alone"},
    {"client_no_context_takeover", "the client compresses each message alone"},
    {"server_max_window_bits=8..15", "the window of what the server sends"},
    {"client_max_window_bits=8..15", "the window of what the client sends"},
    {"level=1..9", "1 is fast, 9 is small; with isal 1 to 3"},
    {"memory_level=1..9", "of zlib"},
    {"threshold=BYTES", "shorter messages are sent as they are"},
    {"engine=NAME", "zlib or isal"},
};

constexpr known_extension all[] = {
    {"permessage-deflate", "messages compressed on their way (RFC 7692)", "docs/ext/deflate.md", deflate_parameters,
     make_deflate, suit_deflate},
    {"x-rot13", "letters turned by 13 places: two functions on whole messages", "", {}, make_rot13, suit_rot13},
    {"x-checksum",
     "a CRC-32 behind each message: a stage that looks at the bytes on their way",
     "",
     {},
     make_checksum,
     suit_checksum},
    {"x-hawser-checksum",
     "a CRC-32C behind each message: damage ends the connection",
     "docs/ext/checksum.md",
     {},
     make_shipped_checksum,
     suit_shipped_checksum},
    {"no-masking",
     "client frames unmasked, where TLS or loopback lets nobody look inside",
     "docs/ext/no_masking.md",
     {},
     make_no_masking,
     suit_no_masking},
    {"x-hawser-zstd", "messages compressed with Zstandard, each by itself, with a dictionary", "docs/ext/zstd.md",
     zstd_parameters, make_zstd, nullptr},
    {"x-hawser-priority", "a small message overtakes a big one: frames of several messages mix", "docs/ext/priority.md",
     priority_parameters, make_priority, nullptr},
    {"x-hawser-ack", "acknowledged messages: what is lost with a connection is handed back", "docs/ext/ack.md",
     ack_parameters, make_ack, nullptr},
    {"x-hawser-trace", "a W3C trace context with each message, beside its payload", "docs/ext/trace.md",
     trace_parameters, make_trace, nullptr},
};

bool add_one(const std::string& spec, hawser::extension_list& list, std::string& why) {
  extension_words words;
  if (!read_extension(spec, words, why)) {
    why = "--extension " + why;
    return false;
  }
  made one = make_extension(words, why);
  if (!one) return false;
  list.add(std::move(*one));
  return true;
}

}  // namespace

std::span<const known_extension> known_extensions() { return all; }

const known_extension* find_extension(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(all), std::end(all), [&](const known_extension& k) { return k.name == name; });
  return found == std::end(all) ? nullptr : found;
}

std::string no_such_extension(std::string_view name) {
  std::string text = "no extension is called '" + std::string(name) + "'; known are";
  for (const known_extension& k : all)
    text.append(&k == all ? " " : ", ").append(k.name);
  return text;
}

// Whether `path` is a regular file: what else can be opened may have no end, or no bytes.
static bool is_file(const std::string& path, struct stat& found, std::string& why) {
  if (::stat(path.c_str(), &found) != 0)
    why = "'" + path + "' cannot be read: " + std::system_category().message(errno);
  else if (!S_ISREG(found.st_mode))
    why = "'" + path + "' is " + (S_ISDIR(found.st_mode) ? "a folder" : "a device") + ", and no file";
  else
    return true;
  return false;
}

std::optional<std::string> read_file(const std::string& path, std::size_t most, std::string& why) {
  struct stat found {};
  if (!is_file(path, found, why)) return std::nullopt;
  if (found.st_size > static_cast<off_t>(most)) {
    why = "'" + path + "' has more than " + std::to_string(most) + " bytes";
    return std::nullopt;
  }
  std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
  std::ifstream in(path, std::ios::binary);
  if (in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return bytes;
  why = "'" + path + "' cannot be read: " + std::system_category().message(errno);
  return std::nullopt;
}

hawser::result<hawser::ext::plugin> plugin_in(const extension_words& words, std::string& why) {
  struct stat found {};
  if (::stat(words.name.c_str(), &found) == 0 && !is_file(words.name, found, why)) return hawser::errc::invalid_plugin;
  return hawser::load_plugin(words.name, words.given, &why);
}

std::optional<hawser::any_factory> make_extension(const extension_words& words, std::string& why) {
  if (names_plugin(words.name)) {
    hawser::result<hawser::ext::plugin> loaded = plugin_in(words, why);
    return loaded ? made(std::move(*loaded)) : std::nullopt;
  }
  const known_extension* known = find_extension(words.name);
  if (known == nullptr) {
    why = no_such_extension(words.name);
    return std::nullopt;
  }
  given_parameters given(words.name, words.given);
  made one = known->make(given);
  why = given.complaint();
  return why.empty() ? std::move(one) : std::nullopt;
}

bool add_extensions(const std::vector<std::string>& specs, hawser::extension_list& list, std::string& why) {
  for (auto spec = specs.begin(); spec != specs.end(); ++spec) {
    if (std::find(specs.begin(), spec, *spec) != spec) {
      why = "--extension " + *spec + " is given twice";
      return false;
    }
    if (!add_one(*spec, list, why)) return false;
  }
  return true;
}

}  // namespace hawser_tool
