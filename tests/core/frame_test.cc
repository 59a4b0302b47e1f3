#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/core/frame.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

namespace {

using hawser::byte_view;
using hawser::core::frame_header;
using hawser::core::frame_header_size;
using hawser::core::max_frame_header;
using hawser::core::parse_frame_header;
using hawser::core::parse_status;
using hawser::core::write_frame_header;
using hawser::test::seeded_random;

constexpr std::uint32_t key = 0x44332211;

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> out;
  for (const unsigned value : values)
    out.push_back(static_cast<std::byte>(value));
  return out;
}

// A copy of exactly this size, so that a read of one byte more is seen by AddressSanitizer.
parse_status parse_exactly(byte_view in, frame_header& out) {
  const std::vector<std::byte> exact(in.begin(), in.end());
  return parse_frame_header(exact, out);
}

// A header with `digits` bytes of extended length, 0, 2 or 8, whether that is the right form for `length` or not.
std::vector<std::byte> spell(std::uint64_t length, std::size_t digits, bool masked) {
  std::vector<std::byte> made{std::byte{0x82}};
  const std::uint64_t code = digits == 0 ? length : digits == 2 ? 126 : 127;
  made.push_back(static_cast<std::byte>(code | (masked ? 0x80U : 0U)));
  for (std::size_t i = digits; i-- > 0;)
    made.push_back(static_cast<std::byte>(length >> (8 * i) & 0xFF));
  for (const unsigned b : {0x11U, 0x22U, 0x33U, 0x44U}) {
    if (masked) made.push_back(static_cast<std::byte>(b));
  }
  return made;
}

std::vector<std::uint64_t> boundary_lengths() {
  std::vector<std::uint64_t> lengths = {0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537};
  for (const unsigned bit : {31U, 32U, 56U}) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    lengths.insert(lengths.end(), {power - 1, power, power + 1});
  }
  const std::uint64_t longest = (std::uint64_t{1} << 63) - 1;
  lengths.insert(lengths.end(), {longest - 1, longest});
  return lengths;
}

void expect_round_trip(std::uint64_t length, bool masked) {
  std::array<std::byte, max_frame_header> out{};
  const std::size_t size =
      masked ? write_frame_header(out.data(), 0xC1, length, key) : write_frame_header(out.data(), 0xC1, length);
  ASSERT_EQ(size, frame_header_size(length, masked)) << length;
  frame_header header;
  for (std::size_t n = 0; n < size; ++n)
    ASSERT_EQ(parse_exactly(byte_view(out).first(n), header), parse_status::need_more) << length << " cut at " << n;
  ASSERT_EQ(parse_exactly(byte_view(out).first(size), header), parse_status::ok) << length;
  ASSERT_EQ(header.length, length);
  ASSERT_EQ(header.size, size);
  ASSERT_EQ(header.first, 0xC1);
  ASSERT_EQ(header.masked, masked);
  ASSERT_EQ(header.masking_key, masked ? key : 0U);
}

// A12, A13: every prefix of every header waits, and decode(encode(n)) = n.
TEST(frame, round_trip_at_every_boundary_and_every_prefix) {
  for (const std::uint64_t length : boundary_lengths()) {
    expect_round_trip(length, false);
    expect_round_trip(length, true);
  }
}

TEST(frame, round_trip_of_every_short_and_many_random_lengths) {
  for (std::uint64_t length = 0; length < 70000; length += length < 1000 || length > 65000 ? 1 : 17)
    expect_round_trip(length, (length & 1) != 0);
  seeded_random random(13);
  for (int i = 0; i < 20000; ++i)
    expect_round_trip(random.next() >> random.between(1, 63), (i & 1) != 0);
}

// The writer against bytes written down by hand: RFC 6455, 5.2 and 5.7.
TEST(frame, written_bytes) {
  const auto written = [](std::uint8_t first, std::uint64_t length) {
    std::vector<std::byte> out(max_frame_header);
    out.resize(write_frame_header(out.data(), first, length));
    return out;
  };
  EXPECT_EQ(written(0x81, 5), bytes_of({0x81, 0x05}));
  EXPECT_EQ(written(0x82, 125), bytes_of({0x82, 0x7D}));
  EXPECT_EQ(written(0x82, 126), bytes_of({0x82, 0x7E, 0x00, 0x7E}));
  EXPECT_EQ(written(0x82, 256), bytes_of({0x82, 0x7E, 0x01, 0x00}));
  EXPECT_EQ(written(0x82, 65535), bytes_of({0x82, 0x7E, 0xFF, 0xFF}));
  EXPECT_EQ(written(0x82, 65536), bytes_of({0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(written(0x02, 0x0123456789ABCDEF), bytes_of({0x02, 0x7F, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}));
  std::vector<std::byte> masked(max_frame_header);
  std::uint32_t wire_key = 0;
  std::memcpy(&wire_key, "\x37\xFA\x21\x3D", 4);
  masked.resize(write_frame_header(masked.data(), 0x81, 5, wire_key));
  EXPECT_EQ(masked, bytes_of({0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D}));
}

TEST(frame, writes_no_byte_more_than_the_header) {
  for (const std::uint64_t length : boundary_lengths()) {
    for (const bool masked : {false, true}) {
      const std::size_t size = frame_header_size(length, masked);
      const std::unique_ptr<std::byte[]> exact(new std::byte[size]);
      EXPECT_EQ(
          masked ? write_frame_header(exact.get(), 0x82, length, key) : write_frame_header(exact.get(), 0x82, length),
          size);
    }
  }
}

// A1 to A8, A13: every length in every spelling, at every prefix, against the rules said a second time.
TEST(frame, every_spelling_of_every_length_at_every_prefix) {
  std::vector<std::uint64_t> lengths = boundary_lengths();
  for (std::uint64_t below = 1; below <= 64; ++below)
    lengths.push_back(0 - below);  // 2^64 - 64 to 2^64 - 1
  lengths.push_back(1ULL << 63);
  for (const std::uint64_t length : lengths) {
    for (const bool masked : {false, true}) {
      for (const std::size_t digits : {std::size_t{0}, std::size_t{2}, std::size_t{8}}) {
        if ((digits == 0 && length > 125) || (digits == 2 && length > 65535)) continue;
        const std::vector<std::byte> wire = spell(length, digits, masked);
        const bool high = digits == 8 && length >> 63 != 0;
        const bool longer_than_needed = (digits == 2 && length < 126) || (digits == 8 && length < 65536);
        for (std::size_t n = 0; n <= wire.size(); ++n) {
          // Known as early as can be: the highest bit with byte 3, zeros in front with byte 8, a small number with
          // byte 4.
          const bool refused = (high && n >= 3) || (longer_than_needed && n >= (digits == 2 ? 4U : 8U));
          const parse_status expected = refused            ? parse_status::length_invalid
                                        : n == wire.size() ? parse_status::ok
                                                           : parse_status::need_more;
          frame_header header;
          ASSERT_EQ(parse_exactly(byte_view(wire).first(n), header), expected)
              << length << " in " << digits << " bytes, masked " << masked << ", cut at " << n;
          if (expected != parse_status::ok) continue;
          ASSERT_EQ(header.length, length);
          ASSERT_EQ(header.masking_key, masked ? key : 0U);
        }
      }
    }
  }
}

// A5: the 15 bytes that ended a server, for every value of the first length byte.
TEST(frame, all_256_first_bytes_of_a_long_length) {
  for (unsigned value = 0; value < 256; ++value) {
    std::vector<std::byte> wire = bytes_of({0x82, 0xFF, value, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 'x'});
    frame_header header;
    const parse_status status = parse_exactly(wire, header);
    if (value >= 0x80) {
      EXPECT_EQ(status, parse_status::length_invalid);
    } else {
      ASSERT_EQ(status, parse_status::ok);
      EXPECT_EQ(header.length, (std::uint64_t{value} << 56) + 65536);
    }
  }
}

// The first byte is handed on as it is, and what stands behind the header is not looked at.
TEST(frame, every_first_two_bytes) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const unsigned code = second & 0x7F;
      const std::uint64_t length = code < 126 ? code : code == 126 ? 0x0102 : 1 << 24;
      std::vector<std::byte> wire = spell(length, code < 126 ? 0 : code == 126 ? 2 : 8, second >= 0x80);
      wire[0] = static_cast<std::byte>(first);
      ASSERT_EQ(wire[1], static_cast<std::byte>(second));
      const std::size_t size = wire.size();
      wire.resize(size + 3, std::byte{0xEE});
      frame_header header;
      ASSERT_EQ(parse_exactly(wire, header), parse_status::ok);
      ASSERT_EQ(header.first, first);
      ASSERT_EQ(header.masked, second >= 0x80);
      ASSERT_EQ(header.size, size);
      ASSERT_EQ(header.length, length);
    }
  }
}

TEST(frame, header_sizes) {
  EXPECT_EQ(frame_header_size(0, false), 2U);
  EXPECT_EQ(frame_header_size(125, true), 6U);
  EXPECT_EQ(frame_header_size(126, false), 4U);
  EXPECT_EQ(frame_header_size(65535, true), 8U);
  EXPECT_EQ(frame_header_size(65536, false), 10U);
  EXPECT_EQ(frame_header_size((1ULL << 63) - 1, true), max_frame_header);
}

}  // namespace
