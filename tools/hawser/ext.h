// What stands behind `hawser ext test`.
#pragma once

#include <hawser/core/extension.h>
#include <hawser/testkit/testkit.h>

#include <string>

namespace hawser_tool {

/// Runs the kit on `one`, prints each check under its group and a verdict with the name `called`. Returns the exit
/// status.
int test_extension(const hawser::any_factory& one, const std::string& called, hawser::testkit::options how);

}  // namespace hawser_tool
