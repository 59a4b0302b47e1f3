// What compresses and decompresses, alone: what either engine writes is read, in any cuts and rooms.
#include "ext/deflate_codec.h"

#include "ext/deflate_kit.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::ext::detail {
namespace {

using test::as_hex;
using test::compressed_by;
using test::decompressed_by;
using test::engines_here;
using test::from_hex;
using test::in_pieces;
using test::inflated;

const std::string tail = from_hex("0000ffff");

std::vector<codec_config> all_configs() {
  std::vector<codec_config> all;
  for (const engine e : engines_here())
    for (const int bits : {8, 9, 11, 15})
      for (const int level : {0, 1, 3, 6, 9})
        if (e == engine::isal ? level <= 3 : bits > 8 && level > 0)
          all.push_back({e, static_cast<std::uint8_t>(level), static_cast<std::uint8_t>(level == 1 ? 1 : 8),
                         static_cast<std::uint8_t>(bits)});
  return all;
}

std::string name_of(const codec_config& c) {
  return std::string(c.with == engine::zlib ? "zlib" : "isal") + " level " + std::to_string(c.level) + " window " +
         std::to_string(c.window_bits);
}

// P-17, P-18, P-20: a conversation with and without takeover, in the least window that its writer promised.
TEST(deflate_codec, what_each_engine_writes_is_read_in_any_cuts) {
  for (const codec_config& writer : all_configs()) {
    for (const bool takeover : {false, true}) {
      SCOPED_TRACE(name_of(writer) + (takeover ? " takeover" : ""));
      test::seeded_random random(7692 + writer.key());
      const auto out = make_compressor(writer);
      const auto in = decompressor::make(std::max<unsigned>(writer.window_bits, 9));
      ASSERT_TRUE(out && in);
      for (int i = 0; i < 25; ++i) {
        const std::string text = test::some_text(random, 3000U << (i % 5));
        if (!takeover) {
          out->restart();
          in->restart();
        }
        const std::string wire = compressed_by(*out, text, in_pieces(random));
        ASSERT_GE(wire.size(), tail.size());
        ASSERT_EQ(wire.substr(wire.size() - tail.size()), tail);
        const inflated got = decompressed_by(*in, wire.substr(0, wire.size() - tail.size()), in_pieces(random));
        ASSERT_EQ(got.status, codec_status::done) << i;
        ASSERT_TRUE(got.text == text) << i;
      }
    }
  }
}

// RFC 7692, 7.2.3: the examples, byte by byte and at once.
TEST(deflate_codec, rfc_vectors_P_19) {
  struct row {
    const char* what;
    std::vector<std::string> messages;
    std::vector<std::string> texts;
  };
  const row rows[] = {
      {"7.2.3.1, one block", {"f248cdc9c90700"}, {"Hello"}},
      {"7.2.3.2, sharing the window", {"f248cdc9c90700", "f200110000"}, {"Hello", "Hello"}},
      {"7.2.3.3, a stored block", {"000500faff48656c6c6f00"}, {"Hello"}},
      {"7.2.3.4, BFINAL", {"f348cdc9c9070000"}, {"Hello"}},
      {"7.2.3.5, two blocks", {"f248050000 00ffffcac9c90700"}, {"Hello"}},
      {"7.2.3.6, an empty message", {"00"}, {""}},
      {"an empty block of fixed codes", {"0200"}, {""}},
      {"an empty last block", {"0300"}, {""}},
      {"an empty stored last block, its end left out", {"01"}, {""}},
      {"BFINAL and nothing behind it", {"f348cdc9c90700"}, {"Hello"}},
      {"a block behind BFINAL", {"f348cdc9c90700 f248cdc9c90700"}, {"HelloHello"}},
      {"the window lives through BFINAL", {"f348cdc9c9070000", "f200110000"}, {"Hello", "Hello"}},
      {"the window lives through BFINAL within a message", {"f348cdc9c90700 f200110000"}, {"HelloHello"}},
      {"a stored last block, then a copy of it", {"010500faff48656c6c6f", "f200110000"}, {"Hello", "Hello"}},
  };
  for (const row& r : rows) {
    for (const std::size_t room : {1U, 2U, 3U, 5U, 10U, 100U, 1000U}) {
      for (const std::size_t chunk : {0U, 1U, 2U}) {
        SCOPED_TRACE(r.what);
        const auto in = decompressor::make(15);
        for (std::size_t i = 0; i < r.messages.size(); ++i) {
          const inflated got = decompressed_by(*in, from_hex(r.messages[i]), {room, chunk, nullptr});
          EXPECT_EQ(got.status, codec_status::done);
          EXPECT_EQ(got.text, r.texts[i]);
        }
      }
    }
  }
}

// P-21: what cannot be DEFLATE data is corrupt, what stops too early is cut off.
TEST(deflate_codec, damage_P_21) {
  struct row {
    const char* what;
    const char* message;
    codec_status status;
  };
  const row rows[] = {
      {"block type 3", "06", codec_status::corrupt},
      {"lengths of a stored block that do not fit", "000500f0ff48656c6c6f00", codec_status::corrupt},
      {"a distance before the beginning", "f200110000", codec_status::corrupt},
      {"junk behind BFINAL", "f348cdc9c90700 ff", codec_status::corrupt},
      {"nothing at all", "", codec_status::cut_off},
      {"the end of the block is missing", "f248cdc9c9", codec_status::cut_off},
      {"half a stored block", "000900f6ff4865", codec_status::cut_off},
      {"another block where the rest of an empty one is due", "0200 0200", codec_status::corrupt},
      {"half a header of dynamic codes", "04c0", codec_status::corrupt},
  };
  for (const row& r : rows) {
    for (const std::size_t chunk : {0U, 1U, 3U}) {
      for (const std::size_t room : {1U, 50U, 1000U}) {
        SCOPED_TRACE(r.what);
        const auto in = decompressor::make(15);
        EXPECT_EQ(decompressed_by(*in, from_hex(r.message), {room, chunk, nullptr}).status, r.status);
      }
    }
  }
}

// BFINAL does not lose the window wherever it falls.
TEST(deflate_codec, the_window_is_whole_behind_every_last_block) {
  for (const std::size_t before : {0U, 10U, 40'000U, 65'530U, 70'000U, 200'000U}) {
    test::seeded_random random(before + 1);
    std::string text = test::some_noise(random, before);
    const std::string first = test::stored_blocks(text, true);
    const std::string second = test::some_noise(random, 20'000);
    const auto in = decompressor::make(15);
    const inflated one = decompressed_by(*in, first, {16'384, 0, nullptr});
    ASSERT_EQ(one.status, codec_status::done);
    ASSERT_TRUE(one.text == text);
    SCOPED_TRACE(before);
    ASSERT_TRUE(decompressed_by(*in, test::stored_blocks(second, true), {500, 0, nullptr}).text == second);
    text += second;
    for (const std::size_t distance : {1U, 258U, 19'999U, 20'000U, 20'001U, 32'000U, 32'768U}) {
      if (distance > text.size()) continue;
      const inflated copy = decompressed_by(*in, test::copy_of_three(distance), {100, 0, nullptr});
      ASSERT_EQ(copy.status, codec_status::done) << distance;
      const std::size_t size = text.size();
      for (int i = 0; i < 3; ++i)
        text += text[text.size() - distance];
      EXPECT_EQ(as_hex(copy.text), as_hex(text.substr(size))) << distance;
    }
  }
}

// What was agreed is kept to, to the byte, however the message is cut.
TEST(deflate_codec, nothing_is_read_from_beyond_the_window) {
  test::seeded_random random(15);
  const std::string text = test::some_noise(random, 40'000);
  for (const unsigned bits : {8U, 9U, 12U, 15U}) {
    for (const std::size_t room : {1U, 100U, 50'000U}) {
      SCOPED_TRACE(std::to_string(bits) + " bits, room " + std::to_string(room));
      const std::size_t window = std::size_t{1} << bits;
      const auto in = decompressor::make(bits);
      ASSERT_EQ(decompressed_by(*in, test::stored_blocks(text, false), {room, 0, nullptr}).status, codec_status::done);
      EXPECT_EQ(decompressed_by(*in, test::copy_of_three(window), {room, 0, nullptr}).text,
                text.substr(text.size() - window, 3));
      if (bits == 15) continue;  // DEFLATE cannot say more.
      // Also within one message, all of which lies in the same room.
      std::string wire = test::stored_blocks(text.substr(0, 33'000), false);
      wire.pop_back();
      wire += test::copy_of_three(window + 1);
      EXPECT_EQ(decompressed_by(*in, wire, {room, 0, nullptr}).status, codec_status::corrupt);
    }
  }
}

// Two million empty last blocks in one message cost no more than reading them.
TEST(deflate_codec, many_last_blocks_are_cheap) {
  std::string wire;
  for (int i = 0; i < 500'000; ++i)
    wire.append("\x03\x00", 2);
  const auto in = decompressor::make(15);
  ASSERT_EQ(decompressed_by(*in, test::stored_blocks(std::string(40'000, 'x'), false), {}).status, codec_status::done);
  EXPECT_EQ(decompressed_by(*in, wire, {}).status, codec_status::done);
}

/// Counts the messages that are compressed.
class counting_compressor final : public compressor {
 public:
  counting_compressor(std::unique_ptr<compressor> by, int& messages) : by_(std::move(by)), messages_(messages) {}

 private:
  work compress(byte_view in, byte_span room, bool fin) override {
    const codec_step did = by_->run(in, room, fin);
    messages_ += did.status == codec_status::done ? 1 : 0;
    return {did.consumed, did.produced, did.status != codec_status::full};
  }
  void reset() noexcept override { by_->restart(); }

  std::unique_ptr<compressor> by_;
  int& messages_;
};

/// As many connections as there are, each with every message, before the next connection.
int compressions_of(const std::vector<std::string>& messages, int connections, const codec_config& how) {
  int count = 0;
  const auto once = repeating_compressor::make(std::make_unique<counting_compressor>(make_compressor(how), count));
  test::seeded_random random(messages.size());
  for (int i = 0; i < connections; ++i) {
    for (const std::string& text : messages) {
      once->restart();
      const std::string wire = compressed_by(*once, text, {1U << random.below(15), 0, nullptr});
      EXPECT_TRUE(wire.ends_with(tail));
      const inflated got = decompressed_by(*decompressor::make(15), wire.substr(0, wire.size() - tail.size()));
      EXPECT_EQ(got.status, codec_status::done);
      EXPECT_TRUE(got.text == text);
    }
  }
  return count;
}

TEST(deflate_codec, what_many_connections_get_is_compressed_once) {
  for (const engine e : engines_here()) {
    const codec_config how{e, 1, 1, 15};
    test::seeded_random random(50);
    std::vector<std::string> batch;
    for (int i = 0; i < 30; ++i)
      batch.push_back(test::some_text(random, 2000) + std::to_string(i));
    EXPECT_EQ(compressions_of({batch[0]}, 50, how), 1);
    EXPECT_EQ(compressions_of(batch, 50, how), 30);
    EXPECT_EQ(compressions_of({test::some_noise(random, repeating_compressor::most_said)}, 3, how), 1);
    EXPECT_EQ(compressions_of({std::string(repeating_compressor::most_said + 1, 'x')}, 3, how), 3);
  }
}

/// Messages of 64 bytes, each another one.
std::vector<std::string> short_messages(std::size_t count, std::string_view batch = "") {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(R"({"batch":")" + std::string(batch) + R"(","id":)" + std::to_string(i) + ',');
    all.back().resize(64, 'x');
  }
  return all;
}

// A batch of a topic is 64 KiB of frames: as many short messages are kept.
TEST(deflate_codec, a_batch_of_short_messages_is_compressed_once) {
  for (const engine e : engines_here()) {
    const codec_config how{e, 1, 8, 15};
    EXPECT_EQ(compressions_of(short_messages(1000), 50, how), 1000);
    test::seeded_random random(51);
    std::vector<std::string> noise;
    for (int i = 0; i < 1000; ++i)
      noise.push_back(test::some_noise(random, 64));
    EXPECT_LE(compressions_of(noise, 10, how), 1100) << "what does not compress has room as well";
  }
}

// Of more than has room, what is kept goes on being given, and nothing is compressed oftener than without.
TEST(deflate_codec, of_too_many_messages_some_are_compressed_once) {
  const codec_config how{engine::zlib, 1, 8, 15};
  for (const std::size_t count : {1030U, 2000U, 5000U}) {
    const std::size_t kept = std::min(repeating_compressor::most_kept, repeating_compressor::most_said / 64);
    const auto all = static_cast<int>(kept + (count - kept) * 10);
    EXPECT_EQ(compressions_of(short_messages(count), 10, how), all) << count;
  }
  test::seeded_random random(52);
  const std::string long_one = test::some_noise(random, repeating_compressor::most_said);
  EXPECT_EQ(compressions_of({long_one, "."}, 10, how), 11) << "one is kept, the other one is not";
  std::vector<std::string> tiny;
  for (int i = 0; i < 2000; ++i)
    tiny.push_back(std::to_string(i));
  EXPECT_EQ(compressions_of(tiny, 3, how), 1024 + 976 * 3);
}

// What fills the memory makes room for what comes after it: a batch that finds no room is compressed once more.
TEST(deflate_codec, one_batch_after_the_other_is_compressed_once) {
  const codec_config how{engine::zlib, 1, 8, 15};
  for (const std::size_t size : {1U, 7U, 100U, 900U}) {
    SCOPED_TRACE(size);
    int count = 0;
    const auto once = repeating_compressor::make(std::make_unique<counting_compressor>(make_compressor(how), count));
    const std::size_t batches = 5000 / size;
    for (std::size_t b = 0; b < batches; ++b) {
      const std::vector<std::string> batch = short_messages(size, std::to_string(b));
      for (int i = 0; i < 20; ++i) {
        for (const std::string& text : batch) {
          once->restart();
          compressed_by(*once, text);
        }
      }
    }
    const std::size_t messages = size * batches;
    EXPECT_GE(static_cast<std::size_t>(count), messages);
    EXPECT_LE(static_cast<std::size_t>(count), size < 500 ? messages + messages / 5 : 2 * messages) << messages;
  }
}

// What comes in pieces is not known to be the same before it is all there.
TEST(deflate_codec, a_message_in_pieces_is_compressed_as_it_comes) {
  int count = 0;
  const auto once = repeating_compressor::make(
      std::make_unique<counting_compressor>(make_compressor({engine::zlib, 6, 8, 15}), count));
  const std::string text(5000, 'p');
  for (const std::size_t chunk : {0U, 100U, 0U}) {
    once->restart();
    const std::string wire = compressed_by(*once, text, {100, chunk, nullptr});
    EXPECT_TRUE(decompressed_by(*decompressor::make(15), wire.substr(0, wire.size() - 4)).text == text);
  }
  EXPECT_EQ(count, 2);
}

// Streams longer than an engine can count go on: see most_counted in deflate_isal.cc.
TEST(deflate_codec, a_stream_may_be_longer_than_four_gigabytes) {
  if (!has_engine(engine::isal)) GTEST_SKIP() << "built without ISA-L: zlib counts nothing that could wrap";
  const auto out = make_compressor({engine::isal, 1, 0, 15});
  const auto in = decompressor::make(15);
  const std::string text(std::size_t{1} << 24, 'z');
  std::string made(text.size() / 8, '\0');
  std::string got(16'384, '\0');
  for (std::uint64_t total = 0; total < (std::uint64_t{9} << 29); total += text.size()) {
    const codec_step c = out->run(as_bytes(text), test::span_of(made), true);
    ASSERT_EQ(c.status, codec_status::done);
    byte_view left = as_bytes(made).first(c.produced - 4);
    std::uint64_t size = 0;
    codec_step d;
    do {
      d = in->run(left, test::span_of(got), true);
      left = left.subspan(d.consumed);
      size += d.produced;
    } while (d.status == codec_status::full);
    ASSERT_EQ(d.status, codec_status::done);
    ASSERT_EQ(size, text.size());
  }
}

}  // namespace
}  // namespace hawser::ext::detail
