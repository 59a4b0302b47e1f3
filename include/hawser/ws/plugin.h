// Extensions out of shared objects.
//
//   server.extensions().add(hawser::load_plugin("./xor.so").value());
#pragma once

#include <hawser/base/result.h>
#include <hawser/core/extension_header.h>
#include <hawser/ext/plugin.h>

#include <string>

HAWSER_BEGIN

/// Loads the plug-in in the file `path` and makes its extension with the parameters that a person gave. A path without
/// a
/// '/' is one in the working directory. The object stays loaded as long as the extension, a copy of it, or a stage that
/// it made; loading a file again gives an extension of its own. Any thread. Errors: `invalid_plugin` for a file that is
/// not there or no shared object, that lacks `hawser_plugin_v1`, or whose tables are refused (`ext::plugin::from`);
/// `why` gets a sentence that names the file.
///
/// The code of a plug-in runs in this process with all its rights, from the moment it is loaded, also when it is then
/// refused. Load none that you would not run as a program.
HAWSER_API result<ext::plugin> load_plugin(const std::string& path, const params& given = {},
                                           std::string* why = nullptr);

HAWSER_END
