#include "ext/zstd_codec.h"

#ifdef HAWSER_WITH_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#endif

HAWSER_BEGIN
namespace ext::detail {

#ifdef HAWSER_WITH_ZSTD

class zstd_dictionary {
 public:
  zstd_dictionary(byte_view bytes, int level) noexcept
      : compressing(ZSTD_createCDict(bytes.data(), bytes.size(), level)),
        reading(ZSTD_createDDict(bytes.data(), bytes.size())) {}
  ~zstd_dictionary() {
    ZSTD_freeCDict(compressing);
    ZSTD_freeDDict(reading);
  }
  zstd_dictionary(const zstd_dictionary&) = delete;
  zstd_dictionary& operator=(const zstd_dictionary&) = delete;

  ZSTD_CDict* compressing;
  ZSTD_DDict* reading;
};

namespace {

// The first byte of a Zstandard frame, RFC 8878, 3.1.1. What libzstd reads besides, skippable frames and those of its
// versions before 0.8, is none.
constexpr std::byte first_of_frame{0x28};

constexpr std::uint64_t long_message = std::uint64_t{64} << 10;
constexpr int table_log = 17;

ZSTD_CCtx* compressing(void* state) noexcept { return static_cast<ZSTD_CCtx*>(state); }
ZSTD_DCtx* reading(void* state) noexcept { return static_cast<ZSTD_DCtx*>(state); }

bool set(ZSTD_CCtx* c, ZSTD_cParameter what, int value) noexcept {
  return ZSTD_isError(ZSTD_CCtx_setParameter(c, what, value)) == 0;
}

}  // namespace

bool has_zstd() noexcept { return true; }

std::shared_ptr<const zstd_dictionary> make_zstd_dictionary(byte_view bytes, int level) {
  if (bytes.empty()) return nullptr;
  auto made = std::make_shared<const zstd_dictionary>(bytes, level);
  return made->compressing != nullptr && made->reading != nullptr ? made : nullptr;
}

std::uint32_t trained_id_of(byte_view bytes) noexcept { return ZSTD_getDictID_fromDict(bytes.data(), bytes.size()); }

std::unique_ptr<zstd_compressor> zstd_compressor::make() {
  ZSTD_CCtx* state = ZSTD_createCCtx();
  return std::unique_ptr<zstd_compressor>(state == nullptr ? nullptr : new zstd_compressor(state));
}
zstd_compressor::~zstd_compressor() { ZSTD_freeCCtx(compressing(state_)); }

bool zstd_compressor::begin(const zstd_terms& terms, bool sized, std::uint64_t size) noexcept {
  ZSTD_CCtx* c = compressing(state_);
  const bool good = set(c, ZSTD_c_compressionLevel, terms.how.level) && set(c, ZSTD_c_windowLog, terms.how.window) &&
                    set(c, ZSTD_c_dictIDFlag, 0);
  // For long messages libzstd would take tables of many megabytes, and those gain little in windows of this kind.
  const bool bounded =
      (sized && size <= long_message) || (set(c, ZSTD_c_hashLog, table_log) && set(c, ZSTD_c_chainLog, table_log));
  if (!good || !bounded ||
      (terms.dictionary && ZSTD_isError(ZSTD_CCtx_refCDict(c, terms.dictionary->compressing)) != 0))
    return false;
  return !sized || ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c, size)) == 0;
}

zstd_result zstd_compressor::compress(byte_view in, byte_span out, bool last) noexcept {
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  const std::size_t left = ZSTD_compressStream2(compressing(state_), &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
  zstd_result r{zstd_result::kind::more, from.pos, to.pos};
  if (ZSTD_isError(left) != 0)
    r.what = zstd_result::kind::failed;
  else if (last && left == 0)
    r.what = zstd_result::kind::ended;
  else if (last || from.pos < from.size)
    r.what = zstd_result::kind::full;
  return r;
}

void zstd_compressor::end() noexcept { ZSTD_CCtx_reset(compressing(state_), ZSTD_reset_session_and_parameters); }
std::size_t zstd_compressor::bytes() const noexcept { return ZSTD_sizeof_CCtx(compressing(state_)); }

std::unique_ptr<zstd_reader> zstd_reader::make() {
  ZSTD_DCtx* state = ZSTD_createDCtx();
  return std::unique_ptr<zstd_reader>(state == nullptr ? nullptr : new zstd_reader(state));
}
zstd_reader::~zstd_reader() { ZSTD_freeDCtx(reading(state_)); }

bool zstd_reader::begin(const zstd_terms& terms) noexcept {
  ZSTD_DCtx* d = reading(state_);
  header_size_ = 0;
  made_ = 0;
  ended_ = false;
  if (ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, terms.how.window)) != 0) return false;
  return !terms.dictionary || ZSTD_isError(ZSTD_DCtx_refDDict(d, terms.dictionary->reading)) == 0;
}

zstd_result zstd_reader::read(byte_view in, byte_span out) noexcept {
  if (ended_) return {in.empty() ? zstd_result::kind::ended : zstd_result::kind::failed, 0, 0};
  if (header_size_ == 0 && !in.empty() && in[0] != first_of_frame) return {};
  const std::size_t more = std::min(in.size(), header_.size() - header_size_);
  std::copy_n(in.begin(), more, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
  header_size_ += more;
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  const std::size_t left = ZSTD_decompressStream(reading(state_), &to, &from);
  zstd_result r{zstd_result::kind::more, from.pos, to.pos};
  made_ += to.pos;
  ended_ = left == 0;
  if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge)
    r.what = zstd_result::kind::too_wide;
  else if (ZSTD_isError(left) != 0 || (ended_ && (from.pos < from.size || !is_as_long_as_it_says())))
    r.what = zstd_result::kind::failed;
  else if (ended_)
    r.what = zstd_result::kind::ended;
  else if (from.pos < from.size || to.pos == to.size)
    r.what = zstd_result::kind::full;
  return r;
}

// libzstd does not look in every case, and not alike for a frame that comes whole and one that comes in pieces.
bool zstd_reader::is_as_long_as_it_says() const noexcept {
  const unsigned long long says = ZSTD_getFrameContentSize(header_.data(), header_size_);
  return says == ZSTD_CONTENTSIZE_UNKNOWN || says == made_;
}

void zstd_reader::end() noexcept { ZSTD_DCtx_reset(reading(state_), ZSTD_reset_session_and_parameters); }
std::size_t zstd_reader::bytes() const noexcept { return ZSTD_sizeof_DCtx(reading(state_)); }

#else

class zstd_dictionary {};

bool has_zstd() noexcept { return false; }
std::shared_ptr<const zstd_dictionary> make_zstd_dictionary(byte_view, int) { return nullptr; }
std::uint32_t trained_id_of(byte_view) noexcept { return 0; }

std::unique_ptr<zstd_compressor> zstd_compressor::make() { return nullptr; }
zstd_compressor::~zstd_compressor() = default;
bool zstd_compressor::begin(const zstd_terms&, bool, std::uint64_t) noexcept { return false; }
zstd_result zstd_compressor::compress(byte_view, byte_span, bool) noexcept { return {}; }
void zstd_compressor::end() noexcept {}
std::size_t zstd_compressor::bytes() const noexcept { return 0; }

std::unique_ptr<zstd_reader> zstd_reader::make() { return nullptr; }
zstd_reader::~zstd_reader() = default;
bool zstd_reader::begin(const zstd_terms&) noexcept { return false; }
zstd_result zstd_reader::read(byte_view, byte_span) noexcept { return {}; }
bool zstd_reader::is_as_long_as_it_says() const noexcept { return false; }
void zstd_reader::end() noexcept {}
std::size_t zstd_reader::bytes() const noexcept { return 0; }

#endif

}  // namespace ext::detail
HAWSER_END
