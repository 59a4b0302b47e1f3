#include <gtest/gtest.h>
#include <hawser/core/close_code.h>

#include <array>
#include <cstdint>
#include <set>
#include <string_view>

namespace {

using hawser::close_code;
using hawser::close_code_for;
using hawser::describe;
using hawser::errc;
using hawser::may_receive;
using hawser::may_send;
using hawser::role;

// Every code below 3000 that may be on the wire, one by one: RFC 6455, 7.4.1 and the registry. The implementation says
// it in ranges.
constexpr std::array<std::uint16_t, 12> registered = {1000, 1001, 1002, 1003, 1007, 1008,
                                                      1009, 1010, 1011, 1012, 1013, 1014};

bool on_the_wire(unsigned code) {
  for (const std::uint16_t known : registered) {
    if (code == known) return true;
  }
  return code / 1000 == 3 || code / 1000 == 4;
}

// D5, N-20, N-21, N-23, N-25.
TEST(close_code, all_65536_received_and_sent_in_both_roles) {
  unsigned received = 0;
  for (unsigned number = 0; number < 65536; ++number) {
    const auto code = static_cast<std::uint16_t>(number);
    const bool legal = on_the_wire(number);
    ASSERT_EQ(may_receive(code), legal) << number;
    ASSERT_EQ(may_send(code, role::client), legal) << number;
    ASSERT_EQ(may_send(code, role::server), legal && number != 1010) << number;
    received += may_receive(code) ? 1U : 0U;
  }
  EXPECT_EQ(received, 12U + 2000U);
}

// N-25.
TEST(close_code, what_only_tells_the_application_is_never_on_the_wire) {
  for (const close_code code : {close_code::no_status, close_code::abnormal, close_code::tls_handshake}) {
    EXPECT_FALSE(may_receive(static_cast<std::uint16_t>(code)));
    EXPECT_FALSE(may_send(static_cast<std::uint16_t>(code), role::client));
    EXPECT_FALSE(may_send(static_cast<std::uint16_t>(code), role::server));
  }
}

// The codes that the rules of framing demand for each fault, by example of every kind.
TEST(close_code, for_errors) {
  EXPECT_EQ(close_code_for(errc::ok), close_code::normal);
  EXPECT_EQ(close_code_for(errc::cancelled), close_code::going_away);
  for (const errc broken : {errc::reserved_bits, errc::reserved_opcode, errc::frame_not_masked, errc::frame_masked,
                            errc::length_invalid, errc::control_too_long, errc::control_fragmented,
                            errc::unexpected_continuation, errc::expected_continuation, errc::bad_close_payload})
    EXPECT_EQ(close_code_for(broken), close_code::protocol_error) << describe(broken);
  EXPECT_EQ(close_code_for(errc::bad_utf8), close_code::invalid_payload);
  EXPECT_EQ(close_code_for(errc::corrupt_data), close_code::invalid_payload);
  EXPECT_EQ(close_code_for(errc::message_too_big), close_code::message_too_big);
  EXPECT_EQ(close_code_for(errc::frame_too_big), close_code::message_too_big);
  EXPECT_EQ(close_code_for(errc::too_many_fragments), close_code::policy_violation);
  EXPECT_EQ(close_code_for(errc::too_many_glitches), close_code::policy_violation);
  EXPECT_EQ(close_code_for(errc::message_too_slow), close_code::policy_violation);
  EXPECT_EQ(close_code_for(errc::extension_missing), close_code::mandatory_extension);
  EXPECT_EQ(close_code_for(errc::slow_consumer), close_code::try_again_later);
  for (const errc ours :
       {errc::handler_threw, errc::extension_threw, errc::internal, errc::invalid_argument, errc::out_of_resources})
    EXPECT_EQ(close_code_for(ours), close_code::internal_error) << describe(ours);
  for (const errc gone : {errc::connection_lost, errc::ping_timeout, errc::close_timeout, errc::transport_error,
                          errc::closed, errc::accept_invalid, errc::http_refused})
    EXPECT_EQ(close_code_for(gone), close_code::abnormal) << describe(gone);
}

// Whatever the error, the answer may be sent, or says that nothing can be.
TEST(close_code, for_every_error_there_is) {
  for (unsigned value = 0; value < 256; ++value) {
    const close_code code = close_code_for(static_cast<errc>(value));
    EXPECT_TRUE(code == close_code::abnormal || may_send(static_cast<std::uint16_t>(code), role::client)) << value;
  }
}

TEST(close_code, words_for_registered_codes_only) {
  std::set<std::string_view> words;
  unsigned described = 0;
  for (unsigned number = 0; number < 65536; ++number) {
    const std::string_view text = describe(static_cast<close_code>(number));
    if (text.empty()) continue;
    ++described;
    EXPECT_TRUE(words.insert(text).second) << number;
  }
  EXPECT_EQ(described, registered.size() + 3);
  EXPECT_EQ(describe(close_code::going_away), "going away");
}

}  // namespace
