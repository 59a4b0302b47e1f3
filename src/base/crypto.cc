#include <hawser/base/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

HAWSER_BEGIN

namespace {

// Fetching walks the providers and takes locks: far dearer than hashing the 60 bytes of a handshake. Never freed, so
// that a connection that outlives the statics of the program can still use it.
const EVP_MD* fetched_sha1() noexcept {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  return algorithm;
}

}  // namespace

std::array<std::byte, 20> sha1(byte_view in) noexcept {
  std::array<std::byte, 20> digest{};
  const EVP_MD* const algorithm = fetched_sha1();
  if (algorithm == nullptr) return digest;
  unsigned int size = 0;
  if (EVP_Digest(in.data(), in.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, algorithm, nullptr) != 1)
    digest = {};
  return digest;
}

std::string base64(byte_view in) {
  // The encoder counts in int. A piece is a multiple of three bytes, so that only the last one is padded.
  constexpr std::size_t piece = 3 << 20;
  std::string out((in.size() + 2) / 3 * 4, '\0');
  // Ends every piece with a NUL: over the place of the next one, at last over the string's own.
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  while (!in.empty()) {
    const std::size_t n = std::min(in.size(), piece);
    to += EVP_EncodeBlock(to, reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(n));
    in = in.subspan(n);
  }
  return out;
}

HAWSER_END
