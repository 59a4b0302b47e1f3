// Checks that every extension gets, and that an author runs on a new one: negotiation, traffic, limits, damage, ends.
//
//   const hawser::testkit::report r = hawser::testkit::run(my_extension());
//   EXPECT_TRUE(r.passed()) << r.text();
//
// It needs no test framework, opens no socket and reads no clock: two pipelines, and two whole connections, face each
// other in memory, with seeded cuts, rooms and faults. docs/extensions.md says what the checks mean.
#pragma once

#include <hawser/core/extension.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace testkit {

/// One thing that was looked at.
struct check {
  std::string group;   ///< "negotiation", "traffic" ...: what the kit was doing.
  std::string name;    ///< "messages arrive as they were": stable, for `report::find`.
  bool passed = true;  ///< What came out.
  std::string detail;  ///< When it did not pass: what was seen, with the seed.
};

/// What became of all checks.
class HAWSER_API report {
 public:
  [[nodiscard]] bool passed() const noexcept;  ///< True when no check failed.
  /// How many did not pass.
  [[nodiscard]] std::size_t failures() const noexcept;
  /// In the order in which they ran.
  [[nodiscard]] const std::vector<check>& all() const& noexcept HAWSER_LIFETIME_BOUND { return checks_; }
  /// The check of this name, or null when it did not apply. Of several groups that have it, the first that failed.
  [[nodiscard]] const check* find(std::string_view name) const& noexcept HAWSER_LIFETIME_BOUND;
  const check* find(std::string_view name) const&& = delete;
  /// A line for each check, those that did not pass with their detail.
  [[nodiscard]] std::string text() const;

  /// What is noted from here on belongs to `group`.
  void begin(std::string_view group) { group_ = group; }
  /// Notes an outcome. Of several under one name in one group the first failure stays.
  void add(std::string_view name, bool passed, std::string detail = {});

 private:
  std::vector<check> checks_;
  std::string group_;
};

/// A row of a negotiation table, beside those that the kit makes itself.
struct negotiation_row {
  role side = role::server;  ///< Server: `header` is what a client offers. Client: it is what a server answers.
  std::string header;        ///< As it stands in Sec-WebSocket-Extensions.
  /// Server: the answer, empty for a declined offer. Client: not looked at.
  std::string answer;
  bool fails = false;  ///< The handshake fails: an answer that must not be accepted.
};

/// Bytes that a message must have on the wire, when the extension works alone with its first offer.
struct wire_row {
  std::string message;      ///< As the application sends it.
  std::string wire;         ///< The payload of its frame, unmasked.
  std::uint8_t rsv = 0;     ///< Of the frame: as in `hawser::rsv`.
  std::uint8_t opcode = 2;  ///< Of the message.
};

/// The extensions that come with the library, as they are by default.
HAWSER_API std::vector<any_factory> shipped();

/// What a run looks at. The defaults suit every extension that gives messages back as they were.
struct options {
  options() = default;

  std::uint64_t seed = 6455;                 ///< Of everything that is random; failures name it.
  std::size_t rounds = 60;                   ///< Connections that are tried for each kind of traffic.
  std::vector<negotiation_row> negotiation;  ///< More negotiations to try.
  std::vector<std::string> free_values;      ///< Parameters that may come with any value, or with none.
  std::vector<wire_row> wire;                ///< Messages whose bytes are known.
  /// Makes the content of a message out of a random number; the default mixes empty, short, long, repetitive and random
  /// ones, and only valid UTF-8 is sent as text.
  std::function<std::string(std::uint64_t random)> message;
  /// The longest message that the default makes.
  std::size_t longest = 20000;
  /// It must work beside each of these, in either order, or be declined with a reason.
  std::vector<any_factory> company = shipped();
  /// Damage does not get past it: what arrives marked with its bit is what was sent, or the connection fails. For
  /// checksums and encryption.
  bool detects_damage = false;
  /// Called with each check once its outcome is certain, which is when its group is through. May be empty.
  std::function<void(const check&)> on_check;
};

/// Runs all checks that apply to `extension`.
HAWSER_API report run(const any_factory& extension, const options& how = {});

}  // namespace testkit
HAWSER_END
