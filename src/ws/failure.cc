#include <hawser/ws/failure.h>

HAWSER_BEGIN

failure::failure(errc code, std::string_view detail) : code_(code), text_(describe(code)) {
  if (detail.empty() || detail == text_) return;
  text_ = std::string(detail);
}

HAWSER_END
