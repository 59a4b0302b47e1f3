#include <gtest/gtest.h>
#include <hawser/base/crypto.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace {

using hawser::as_bytes;
using hawser::base64;
using hawser::sha1;

std::string hex(const std::array<std::byte, 20>& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::byte b : digest) {
    out += digits[std::to_integer<unsigned>(b) >> 4];
    out += digits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

TEST(sha1, vectors_of_rfc_3174) {
  EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(sha1(as_bytes(std::string(1'000'000, 'a')))), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(base64, vectors_of_rfc_4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, encoded] : vectors)
    EXPECT_EQ(base64(as_bytes(plain)), encoded);
  EXPECT_EQ(base64(as_bytes("\xFB\xEF\xBE\xFF")), "++++/w==");
}

// Long input is encoded in pieces; no padding may stand between them.
TEST(base64, long_input_is_one_text) {
  const std::size_t size = std::size_t{7} << 20;
  const std::string encoded = base64(as_bytes(std::string(size, '\0')));
  ASSERT_EQ(encoded.size(), (size + 2) / 3 * 4);
  EXPECT_EQ(encoded.find_first_not_of('A'), encoded.size() - 2);
  EXPECT_EQ(encoded.substr(encoded.size() - 2), "==");
}

// RFC 6455, 1.3: the example of the accept key.
TEST(crypto, accept_key_of_the_rfc) {
  EXPECT_EQ(base64(sha1(as_bytes("dGhlIHNhbXBsZSBub25jZQ=="
                                 "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
