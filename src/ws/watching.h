// What a connection is seen to do, where somebody watches: see ws/watch.h.
#pragma once

#include <hawser/core/frame.h>
#include <hawser/core/negotiate.h>
#include <hawser/ws/watch.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

HAWSER_BEGIN

/// Reads the frames of one direction as they pass.
class frame_reader {
 public:
  frame_reader(watcher& by, std::uint64_t connection, direction way) noexcept;
  void read(byte_view bytes) noexcept;

 private:
  bool read_header(byte_view& bytes) noexcept;
  void read_payload(byte_view& bytes) noexcept;

  watcher& by_;
  sighting seen_;
  std::array<std::byte, core::max_frame_header> head_{};
  std::size_t head_size_ = 0;
  core::frame_header header_{};
  std::uint64_t left_ = 0;  // Payload of the frame in hand that is still to come.
  std::array<std::byte, sighting_bytes> first_{};
  std::size_t first_size_ = 0;
  bool lost_ = false;  // What came is no frame.
};

/// Both directions of one connection.
class watching {
 public:
  watching(watcher& by, std::uint64_t connection) noexcept
      : in(by, connection, direction::in), out(by, connection, direction::out) {}

  frame_reader in;
  frame_reader out;
  std::uint64_t came = 0;  ///< Bytes of input that `in` has read.
  std::uint64_t went = 0;  ///< Bytes of output, from the connection's first on, that are behind `out`.
};

/// Puts a stage that only looks in front of, between and behind those that work on messages. It has no name.
void add_probes(std::vector<core::agreed_extension>& stages, watcher& by, std::uint64_t connection);

HAWSER_END
