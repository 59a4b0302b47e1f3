// The boundary of plug-ins: an extension in a shared object, written in C or in anything that can call it.
//
// C11, and C++ from 11 on; no other header of Hawser is needed. A plug-in exports one function, `hawser_plugin_v1`,
// which gives a table: what the extension is called, how it is negotiated, and the hooks of its stage. What a hook may
// do is in the table that its `hawser_context` points to. docs/plugins.md is the guide.
//
// Sizes. The first member of every struct that may grow is its size in bytes as its maker knew it. Structs only ever
// grow at their end, so whoever reads one reads what lies inside that size and nothing else. `hawser_text`,
// `hawser_param` and `hawser_params` stand in arrays and never grow. A library that does not know a hook or a flag
// refuses it: nothing that a plug-in asks for is passed over in silence.
//
// Memory. What the library hands to a function stays valid until that function returns, and belongs to the library.
// What a plug-in hands to the library is copied before the call returns; the tables alone stay where they are as long
// as the shared object is loaded. A body (`hawser_buffer`) is the one thing that changes hands.
//
// Threads. `configure` and `release` run on the thread that loads; `offers`, `accept` and `confirm` on any thread,
// several at once. A stage belongs to one connection and one thread: its hooks never run at the same time, and never
// inside each other.
//
// Errors. No exception may leave a function of a plug-in. A stage fails its connection with `fail`. What breaks the
// rules below and can be noticed fails the connection with 1011 and a line that names the extension.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of this boundary. It changes only when an old plug-in could not work any more; the name of the entry
/// changes with it.
#define HAWSER_PLUGIN_ABI 1U

/// Stands before the definition of `hawser_plugin_v1`.
#define HAWSER_PLUGIN_EXPORT __attribute__((visibility("default")))

// ---- words ----------------------------------------------------------------------------------------------------------

/// Which way a message goes: from the application to the network, or from the network to the application.
#define HAWSER_OUT 0U
#define HAWSER_IN 1U

/// Which end of the connection this is.
#define HAWSER_CLIENT 0U
#define HAWSER_SERVER 1U

/// The reserved bits of a frame's first byte, as in `hawser_head.rsv` and `hawser_claims.rsv`.
#define HAWSER_RSV1 4U
#define HAWSER_RSV2 2U
#define HAWSER_RSV3 1U

/// Opcodes of messages.
#define HAWSER_TEXT 1U
#define HAWSER_BINARY 2U

/// Close codes that a stage may fail with, beside 3000 to 4999. RFC 6455, 7.4.1.
#define HAWSER_PROTOCOL_ERROR 1002U    // Malformed extension data.
#define HAWSER_INVALID_PAYLOAD 1007U   // A message that cannot be decoded.
#define HAWSER_POLICY_VIOLATION 1008U  // No memory or patience left for the peer.
#define HAWSER_MESSAGE_TOO_BIG 1009U
#define HAWSER_INTERNAL_ERROR 1011U

/// Verdicts: what `begin` wants of a message. With OBSERVE and IN_PLACE a PREFIX, a SUFFIX or both of at most 32 bytes
/// may be added: `return HAWSER_OBSERVE | HAWSER_SUFFIX(4);`.
#define HAWSER_BYPASS 0U     // Nothing: no further call for this message.
#define HAWSER_OBSERVE 1U    // To see the bytes as they pass: `observe`.
#define HAWSER_RETAIN 2U     // The finished message, which goes on as well: `retained`.
#define HAWSER_IN_PLACE 3U   // To change bytes where they lie, not their number: `in_place`.
#define HAWSER_TRANSFORM 4U  // To read and write, like zlib: `transform`.
#define HAWSER_WHOLE 5U      // To take the message away: `whole`.
#define HAWSER_REJECT 6U     // `fail` was called.
#define HAWSER_PREFIX(bytes) (256U * (bytes))
#define HAWSER_SUFFIX(bytes) (65536U * (bytes))

/// How a step of `transform` ended: `hawser_step.next`.
#define HAWSER_MORE 0U   // All input taken; needs more.
#define HAWSER_FULL 1U   // Call again, for room or for the rest of the input. Something must have been taken or made.
#define HAWSER_DONE 2U   // The message is finished: only when `fin` was given and all input is taken.
#define HAWSER_ERROR 3U  // `fail` was called.

// ---- small structs --------------------------------------------------------------------------------------------------

/// Characters. A zero stands behind them, which `size` does not count. `data` is null where there is no text at all.
typedef struct hawser_text {
  const char* data;  ///< The characters, or null.
  uint64_t size;     ///< How many.
} hawser_text;

/// A parameter of an offer or answer. Name and value are tokens (RFC 6455, 9.1), a quoted value comes unquoted;
/// `value.data` is null when there is none.
typedef struct hawser_param {
  hawser_text name;   ///< Its name.
  hawser_text value;  ///< Its value, if it has one.
} hawser_param;

/// The parameters of one offer or answer; order and doubles are kept. `items` is null when `count` is 0.
typedef struct hawser_params {
  const hawser_param* items;  ///< The first of them.
  uint64_t count;             ///< How many.
} hawser_params;

/// What is known of a message before its bytes. In `begin` a stage may set or clear the RSV bits that it claimed
/// (inwards only clear), and nothing else.
typedef struct hawser_head {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint8_t opcode;        ///< HAWSER_TEXT, HAWSER_BINARY, or a claimed one of 3 to 7.
  uint8_t rsv;           ///< HAWSER_RSV1 and so on.
  uint8_t sized;         ///< 1: `size` is the size of the whole message.
  uint8_t priority;      ///< Outwards: as the sender asked.
  uint32_t flags;        ///< HAWSER_NO_COMPRESSION; bits that a stage does not know mean nothing to it.
  uint32_t reserved;     ///< 0.
  uint64_t size;         ///< Bytes of the whole message as it enters this stage, when `sized`.
} hawser_head;

/// `hawser_head.flags`, outwards: the sender wants this message sent as it is.
#define HAWSER_NO_COMPRESSION 1U

/// What one call of `transform` did. The library sets `struct_size` and zeroes the rest.
typedef struct hawser_step {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint32_t next;         ///< HAWSER_MORE, FULL, DONE or ERROR.
  uint64_t consumed;     ///< Bytes taken from the input.
  uint64_t produced;     ///< Bytes written into the room.
  uint32_t trim;         ///< With DONE: take back so many of the bytes made last, at most `hawser_claims.trim_max`.
  uint32_t reserved;     ///< 0.
} hawser_step;

/// What the agreed parameters make a stage use. The library sets `struct_size` and the defaults; write no member that
/// does not lie inside `struct_size`. Claims that are out of range, or that another extension made before, decline
/// this one, with a sentence.
typedef struct hawser_claims {
  uint32_t struct_size;   ///< Bytes of this struct, as its maker knew it.
  uint32_t flags;         ///< HAWSER_CLAIM_...; 0.
  uint16_t opcodes;       ///< Bit n: opcode n is mine; 0. 3 to 7 are messages that come in to this stage and no
                          ///< further, 11 to 15 control frames, which need the `control` hook.
  uint16_t interest;      ///< Bit n: messages of opcode n concern me; texts and binaries. Others cost nothing.
  uint16_t adds_max;      ///< The most bytes by which `transform` or `whole` makes a message longer outwards; 0. A
                          ///< `transform` that makes more fails the connection. 65535: it depends on the message,
                          ///< which may come out 8 times as long and 65535 bytes more.
  uint8_t rsv;            ///< The RSV bits that are mine; 0.
  uint8_t trim_max;       ///< The most bytes that `hawser_step.trim` takes back, at most 8; 0.
  uint64_t out_min_size;  ///< Outgoing messages shorter than this, when their size is known, do not concern me; 0.
} hawser_claims;

/// `hawser_claims.flags`. Incoming messages without one of my RSV bits do not concern me.
#define HAWSER_CLAIM_IN_NEEDS_RSV 1U
/// May let messages out in another order than they came in.
#define HAWSER_CLAIM_REORDERS 2U
/// Undoes its own reordering at the other end.
#define HAWSER_CLAIM_RESTORES_ORDER 4U
/// State spans messages: must see all of them, in order.
#define HAWSER_CLAIM_ORDERED 8U
/// May send a message again on another connection.
#define HAWSER_CLAIM_REPLAYS 16U
/// Keeps no memory between messages: everything is given back in `done`.
#define HAWSER_CLAIM_NO_IDLE_STATE 32U

// ---- what the library hands to a plug-in ----------------------------------------------------------------------------

/// A body: the bytes of a whole message. Its number belongs to the stage that got it, until it is forwarded or
/// released; what is left is released with the stage. 0 is none.
typedef uint64_t hawser_buffer;

/// See `struct hawser_context`.
typedef struct hawser_context hawser_context;

/// What a hook may do. All of it happens after the hook has returned, in order, so that every call is safe from every
/// hook. `c` is the context of the running hook: never keep it. With that of a hook that is over nothing happens and 0
/// is returned, also when its connection is gone, and in another hook of the same stage the connection fails with 1011.
/// That is noticed of the seven hooks before, and nearly always later.
/// Calls that answer an int32_t say 1 for done and 0 for not done.
typedef struct hawser_context_api {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint32_t abi;          ///< HAWSER_PLUGIN_ABI of the library.

  /// HAWSER_CLIENT or HAWSER_SERVER.
  uint32_t (*side)(hawser_context* c);
  /// The time of the event that caused this hook: nanoseconds on the monotonic clock.
  int64_t (*now)(hawser_context* c);
  /// The most bytes that a message may have behind this stage.
  uint64_t (*limit)(hawser_context* c, uint32_t way);
  /// Bytes that may still be queued in this direction. 0: stop forwarding.
  uint64_t (*room)(hawser_context* c, uint32_t way);

  /// One timer a stage: `timer` is called at or after `when`, once. Arming again replaces; needs the `timer` hook.
  void (*arm)(hawser_context* c, int64_t when);
  void (*disarm)(hawser_context* c);  ///< Forgets the timer.

  /// Fails the connection with `code`; the first call wins. `why` is for people: zero-terminated UTF-8, of which 123
  /// bytes reach the peer; null for none. Only `done` and `closed` are called afterwards.
  void (*fail)(hawser_context* c, uint32_t code, const char* why);
  /// Changes this stage's memory account. 0: over the connection's budget, nothing was charged. It must be back at zero
  /// when `closed` returns.
  int32_t (*charge)(hawser_context* c, int64_t bytes);
  /// Sends a control frame of a claimed opcode, at most 125 bytes. 0: not open, or too many actions wait.
  int32_t (*emit_control)(hawser_context* c, uint32_t opcode, const uint8_t* bytes, uint64_t size);

  /// Lets a message go on behind this stage: one that was taken away, one again, or one of its own. `head` is that of
  /// `whole` or `retained`, or one of its own with `struct_size` set; its `size` is not looked at. 1: the body is gone.
  /// 0: not open, too many actions wait, or no room, which what the application sends does not need; the body still
  /// belongs to the stage. A body over `limit` fails with 1009.
  int32_t (*forward)(hawser_context* c, uint32_t way, const hawser_head* head, hawser_buffer body);

  /// A new body with `size` bytes, not initialised; 0 when there is no memory, or when those that this stage took,
  /// shared and copied before and still has would be over what it may `charge`. Not before that: one may be of any
  /// size.
  hawser_buffer (*take_buffer)(hawser_context* c, uint64_t size);
  /// Another number for the same bytes, which are not copied; 0 as for `take_buffer`.
  hawser_buffer (*share_buffer)(hawser_context* c, hawser_buffer body);
  /// Gives a body back.
  void (*release_buffer)(hawser_context* c, hawser_buffer body);
  /// The bytes and their number. Valid while the hook runs, and until the body is forwarded, released, written or cut.
  const uint8_t* (*read_buffer)(hawser_context* c, hawser_buffer body, uint64_t* size);
  /// The bytes, to be changed. They are copied first when somebody else looks at them; null when `take_buffer` would
  /// not give a body for that. Valid as long as those of `read_buffer`.
  uint8_t* (*write_buffer)(hawser_context* c, hawser_buffer body);
  /// Cuts a body down to its first `size` bytes. 0: it has fewer.
  int32_t (*cut_buffer)(hawser_context* c, hawser_buffer body, uint64_t size);

  /// The number of this connection, the same for all its stages and for the application; 0 where it has none.
  uint64_t (*connection_id)(hawser_context* c);
  /// Leaves a note of at most 32 bytes with the incoming message in hand, for the application; another one takes its
  /// place.
  void (*note)(hawser_context* c, const uint8_t* bytes, uint64_t size);
} hawser_context_api;

/// A stage's way to act, handed to every hook; valid until the hook returns.
struct hawser_context {
  const hawser_context_api* api;  ///< What it can do. What follows is the library's own.
};

/// What a negotiation takes of a plug-in.
typedef struct hawser_negotiation {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint32_t reserved;     ///< 0.
  /// Adds a parameter to the offer or answer in hand: zero-terminated tokens, `value` null for none. 0: not a token,
  /// over 256 bytes, more than 16 parameters, or in `confirm`, where nothing is written; what was made will not be
  /// used.
  int32_t (*add)(struct hawser_negotiation* to, const char* name, const char* value);
  /// In `offers`: ends the offer in hand and begins another, less preferred one. 0: there are 8 already, or these are
  /// no offers.
  int32_t (*next)(struct hawser_negotiation* to);
  /// Says why the answer of `accept` or `confirm` is no, for people: a few zero-terminated words of at most 100 bytes,
  /// such as "key is over 255".
  void (*explain)(struct hawser_negotiation* to, const char* why);
} hawser_negotiation;

// ---- what a plug-in hands to the library ----------------------------------------------------------------------------

/// `hawser_stage.hooks`: exactly the hooks that are there.
#define HAWSER_HOOK_OBSERVE (1U << 0)
#define HAWSER_HOOK_IN_PLACE (1U << 1)
#define HAWSER_HOOK_TRANSFORM (1U << 2)
#define HAWSER_HOOK_WHOLE (1U << 3)
#define HAWSER_HOOK_RETAINED (1U << 4)
#define HAWSER_HOOK_PREFIX (1U << 5)
#define HAWSER_HOOK_SUFFIX (1U << 6)
#define HAWSER_HOOK_DONE (1U << 7)
#define HAWSER_HOOK_CONTROL (1U << 8)
#define HAWSER_HOOK_TIMER (1U << 9)
#define HAWSER_HOOK_OPEN (1U << 10)
#define HAWSER_HOOK_FLUSH (1U << 11)
#define HAWSER_HOOK_CLOSED (1U << 12)

/// The hooks of a stage. `stage` is what `accept` or `confirm` gave, address or not. `begin` must be there; another
/// hook is there when its bit is in `hooks`, and null otherwise. `fin` is 1 with the last chunk of a message, which may
/// be empty; a chunk of 0 bytes may have a null pointer.
typedef struct hawser_stage {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint32_t hooks;        ///< HAWSER_HOOK_...: those that are there.
  /// Frees the stage; nothing else is called with it afterwards. May be null.
  void (*destroy)(void* stage);
  /// A message that concerns this stage begins: gives a verdict.
  uint32_t (*begin)(void* stage, uint32_t way, hawser_head* head, hawser_context* c);
  /// The next bytes of a message, as they pass.
  void (*observe)(void* stage, uint32_t way, const uint8_t* bytes, uint64_t size, int32_t fin, hawser_context* c);
  /// The next bytes of a message, to be changed where they lie.
  void (*in_place)(void* stage, uint32_t way, uint8_t* bytes, uint64_t size, int32_t fin, hawser_context* c);
  /// Reads of `in`, writes to `out`, and says in `did` how much of each. `in` and `out` do not overlap.
  void (*transform)(void* stage, uint32_t way, const uint8_t* in, uint64_t in_size, uint8_t* out, uint64_t out_size,
                    int32_t fin, hawser_step* did, hawser_context* c);
  /// The complete message, taken away: the body is the stage's now, to forward, keep or release.
  void (*whole)(void* stage, uint32_t way, const hawser_head* head, hawser_buffer body, hawser_context* c);
  /// The complete message, which goes on: the body is the stage's, to keep, forward again or release.
  void (*retained)(void* stage, uint32_t way, const hawser_head* head, hawser_buffer body, hawser_context* c);
  /// The edges that the verdict asked for. Outwards: fill the bytes. Inwards: they came, check them. A prefix comes
  /// before all bytes of its message, a suffix after the last.
  void (*prefix)(void* stage, uint32_t way, uint8_t* bytes, uint64_t size, hawser_context* c);
  /// See `prefix`.
  void (*suffix)(void* stage, uint32_t way, uint8_t* bytes, uint64_t size, hawser_context* c);
  /// The message ended or was given up: once for each verdict but BYPASS and REJECT.
  void (*done)(void* stage, uint32_t way, hawser_context* c);
  /// A frame of a control opcode of mine arrived: at most 125 bytes.
  void (*control)(void* stage, uint32_t opcode, const uint8_t* bytes, uint64_t size, hawser_context* c);
  void (*timer)(void* stage, hawser_context* c);  ///< The time has come for which `arm` asked.
  /// Negotiated, before the first message.
  void (*open)(void* stage, hawser_context* c);
  /// Our close frame is about to be queued: the last forwards and controls.
  void (*flush)(void* stage, hawser_context* c);
  /// The end of the connection, whatever caused it: once, and the last hook. 1006 when no close frame came.
  void (*closed)(void* stage, uint32_t code, hawser_context* c);
} hawser_stage;

/// An extension. All texts are zero-terminated and, like the tables, stay where they are while the object is loaded.
typedef struct hawser_plugin {
  uint32_t struct_size;  ///< Bytes of this struct, as its maker knew it.
  uint32_t abi;          ///< HAWSER_PLUGIN_ABI.
  const char* name;  ///< Its token on the wire, at most 64 bytes: a private one such as "x-...", or a registered one.
  const char* summary;  ///< What it does, for people: one line of at most 200 bytes.
  /// What `configure` takes, for people: lines of "FORM  TEXT", such as "key=0..255  what is added", at most 2000
  /// bytes; null when it takes nothing.
  const char* parameters;
  const hawser_stage* stage;  ///< The hooks of its stages.

  /// Makes the extension out of the parameters that a person gave; their values may be any text. What it returns is
  /// handed to the functions below, address or not. Null: refused, with a sentence in `why`, which holds `why_size`
  /// bytes. Null as a function: it takes no parameters, and `extension` is null below.
  void* (*configure)(const hawser_params* given, char* why, uint64_t why_size);
  /// Frees what `configure` made, after the last stage. May be null.
  void (*release)(void* extension);

  /// Client: writes the offers, best first. 0: nothing is to be offered. Null as a function: one offer without
  /// parameters.
  int32_t (*offers)(void* extension, hawser_negotiation* to);
  /// Server: chooses among all offers of this name, at least one, in order, doubles kept; writes the parameters of the
  /// answer to `to`, what the stage will use to `uses`, and a new stage to `stage` (it may stay null). 0: declined, and
  /// no stage was made.
  int32_t (*accept)(void* extension, const hawser_params* offers, uint64_t count, hawser_negotiation* to,
                    hawser_claims* uses, void** stage);
  /// Client: looks at the server's answer and makes the stage for it, as `accept` does; nothing is added to
  /// `to`. 0: the answer is not acceptable, which fails the handshake.
  int32_t (*confirm)(void* extension, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                     void** stage);
} hawser_plugin;

/// The one function that a plug-in exports. Called once, when the object is loaded. Null: it cannot work here.
typedef const hawser_plugin* (*hawser_plugin_entry)(void);
/// The same, by the name that is looked for.
HAWSER_PLUGIN_EXPORT const hawser_plugin* hawser_plugin_v1(void);

#ifdef __cplusplus
}
#endif
