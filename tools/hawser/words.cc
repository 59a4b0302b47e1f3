#include "words.h"

#include "terminal.h"

#include <cstdio>

namespace hawser_tool {

void say(std::string_view line) { std::fprintf(stderr, "hawser: %.*s\n", static_cast<int>(line.size()), line.data()); }

std::vector<std::string> negotiation_in_words(const hawser::handshake& agreed) {
  std::vector<std::string> lines;
  if (!agreed.tls.empty()) lines.push_back(agreed.tls);
  lines.push_back(agreed.subprotocol.empty() ? "no subprotocol" : "subprotocol: " + agreed.subprotocol);
  if (!agreed.extensions_offered.empty())
    lines.push_back("offered: " + shown_bytes(hawser::as_bytes(agreed.extensions_offered)));
  if (agreed.extension_notes.empty()) lines.emplace_back("no extensions");
  for (const hawser::core::negotiation_note& note : agreed.extension_notes)
    lines.push_back("extension " + note.text);
  if (agreed.extensions.size() < 2) return lines;
  std::string order = "order of work, from the application to the wire:";
  for (const hawser::active_extension& e : agreed.extensions)
    order.append(&e == agreed.extensions.data() ? " " : ", ").append(e.name);
  lines.push_back(std::move(order));
  return lines;
}

}  // namespace hawser_tool
