#include <dlfcn.h>
#include <hawser/ws/plugin.h>
#include <sys/stat.h>

#include <memory>
#include <string_view>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr const char* entry_name = "hawser_plugin_v1";

/// Lets the object go once nobody needs it.
struct closing {
  void operator()(void* library) const noexcept {
    if (library != nullptr) ::dlclose(library);
  }
};
using library_handle = std::unique_ptr<void, closing>;

// The linker's words, without the path in front.
std::string words_of_linker(const std::string& path) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its own
  const char* said = ::dlerror();
  std::string_view text = said == nullptr ? std::string_view("the system does not say why") : said;
  if (text.starts_with(path + ": ")) text.remove_prefix(path.size() + 2);
  return std::string(text);
}

// A null handle: `why` says what stood in the way.
library_handle open_library(const std::string& path, std::string& why) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) {
    why = "there is no such file";
    return nullptr;
  }
  library_handle made(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!made) why = "it cannot be loaded: " + words_of_linker(path);
  return made;
}

// Null: `why` says what stood in the way.
const hawser_plugin* table_in(void* library, std::string& why) {
  const auto entry = reinterpret_cast<hawser_plugin_entry>(::dlsym(library, entry_name));
  if (entry == nullptr) {
    why = std::string("it is no plug-in: it has no function ") + entry_name;
    return nullptr;
  }
  const hawser_plugin* table = nullptr;
  const bool returned = core::guarded([&] { table = entry(); });
  if (table == nullptr)
    why = std::string(entry_name) + (returned ? " gave no table: it cannot work here" : " threw an exception");
  return table;
}

}  // namespace

result<ext::plugin> load_plugin(const std::string& path, const params& given, std::string* why) {
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  std::string text;
  const auto refuse = [&] {
    if (why != nullptr) *why = path + ": " + text;
    return errc::invalid_plugin;
  };
  library_handle library = open_library(file, text);
  if (!library) return refuse();
  const hawser_plugin* table = table_in(library.get(), text);
  if (table == nullptr) return refuse();
  // Shared: by the extension and its stages, in any order of their ends.
  std::shared_ptr<const void> kept(std::move(library));
  result<ext::plugin> made = ext::plugin::from(table, given, &text, std::move(kept));
  if (!made) return refuse();
  return made;
}

HAWSER_END
