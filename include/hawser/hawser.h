// Everything that users of the library need.
#pragma once

#include <hawser/core/extension.h>
#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ext/no_masking.h>
#include <hawser/ext/priority.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>
#include <hawser/ws/client.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/failure.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>
#include <hawser/ws/options.h>
#include <hawser/ws/plugin.h>
#include <hawser/ws/server.h>
#include <hawser/ws/watch.h>
