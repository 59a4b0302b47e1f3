#include "core/printable.h"

#include <hawser/ws/failure.h>

HAWSER_BEGIN

failure::failure(errc code, std::string_view detail)
    : code_(code), text_(detail.empty() ? std::string(describe(code)) : detail::one_line(detail)) {}

HAWSER_END
