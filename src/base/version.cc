#include <hawser/base/config.h>

HAWSER_BEGIN

std::string_view version() noexcept { return HAWSER_VERSION_STRING; }

HAWSER_END
