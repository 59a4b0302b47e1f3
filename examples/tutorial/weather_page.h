// The page of examples/weather_server.cc.
#pragma once

#include <string_view>

namespace tutorial {

inline constexpr std::string_view weather_page = R"(<!doctype html>
<meta charset="utf-8">
<title>Weather</title>
<pre id="log"></pre>
<script>
  const ws = new WebSocket(location.origin.replace(/^http/, 'ws') + '/watch');
  ws.onmessage = message => document.getElementById('log').append(message.data, '\n');
</script>
)";

}  // namespace tutorial
