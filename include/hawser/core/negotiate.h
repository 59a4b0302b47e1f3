// Agreeing on extensions: offers, answers, and which of them can work together. RFC 6455, 9; RFC 7692, 5.
#pragma once

#include <hawser/base/result.h>
#include <hawser/core/extension.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace core {

/// One extension as agreed.
struct agreed_extension {
  std::string name;  ///< Its token.
  agreement terms;   ///< What was agreed, and the stage.
};

/// What became of one extension, in words: "x-rot13: accepted as x-rot13", "permessage-foo: not known here, ignored",
/// "x-level: declined: level is over 9" (a factory's own words), "x-checksum: not offered by the client".
struct negotiation_note {
  std::string name;     ///< Its token.
  bool active = false;  ///< Whether it is at work.
  std::string text;     ///< In words.
};

/// The outcome of a negotiation. `agreed` is in response order: what is first is nearest to the application (N-11).
struct negotiation {
  std::vector<agreed_extension> agreed;  ///< Those at work.
  std::vector<negotiation_note> notes;   ///< What became of each.
  std::string header;                    ///< The server's answer; empty: write no field (N-06).
};

/// What the connection itself brings into `compose`.
struct conditions {
  role side = role::server;  ///< Which end this is.
  bool secure_path = false;  ///< TLS or loopback: where masking may be taken away.
  bool inband = false;       ///< Over the subprotocol of core/inband.h: no stage can work on frames.
};

/// Proves that these stages work together, in this order, or says in `why` which two do not and why: RSV or opcode
/// claimed twice or not claimable (N-16, P-05), a frame stage app-side of a message stage, `per_frame` before a
/// compressor (P-06), `reorders` network-side of `ordered`, `replays` network-side of `ordered` or of a bit, `unmasked`
/// on an open path, two `interleaves`, `ordered` beside `interleaves`, claims out of range or without the hook that
/// they need, more than 16 bytes of extension data together. Both roles run it.
HAWSER_API bool compose(std::span<const agreed_extension> stages, const conditions& where, std::string& why);

/// Whether every extension of `list` has a name that can be negotiated; asked before a client or server starts. Errors:
/// `invalid_extension` for a name that is not a token (N-01); `why` gets a sentence.
HAWSER_API result<void> check_extension_names(const extension_list& list, std::string& why);

/// The client's field value for `list`; empty when there is nothing to offer. A factory whose `offers` throws, or whose
/// words are not tokens, is left out; so is one that is `secure_only` on an open path, and what comes after the first
/// `max_extension_elements` offers.
HAWSER_API std::string offer_extensions(const extension_list& list, const conditions& where);

/// The server's side: reads the offers (empty: the request has no such field), asks each factory with all offers of
/// its name, keeps the client's order (N-10), message stages before frame stages, declines the less preferred of two
/// that cannot work together (N-16); a required one is preferred to all others. An answer that cannot stand beside
/// those before it is not the end of its name: the same factory is asked with the offers behind the first, then the
/// next factory of that name. Errors: `extension_header_malformed` (N-01: 400), `extension_missing` (a required one was
/// not offered or was declined, N-21: 400); `why` gets a sentence.
HAWSER_API result<negotiation> answer_extensions(std::string_view offered, const extension_list& list,
                                                 const conditions& where, std::string& why);

/// The client's side: reads the answer (empty: the response has no such field). The first factory of a name that takes
/// the answer and can stand behind those before it gets it. Errors: `extension_header_malformed`,
/// `extension_not_offered` (N-08, also an element twice), `extension_parameters` (P-12), `extension_conflict` (compose
/// refused the server's choice: its fault), `invalid_extension` (a stage of ours claims what none may, whatever stands
/// beside it: the fault of who wrote it), `extension_missing` (a required one was declined, N-20: the connection opens
/// and is closed with 1010, and `why` names it for the close reason); `why` gets a sentence of at most 512 bytes.
HAWSER_API result<negotiation> confirm_extensions(std::string_view answered, const extension_list& list,
                                                  const conditions& where, std::string& why);

}  // namespace core
HAWSER_END
