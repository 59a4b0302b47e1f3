"""Hawser for Conan 2: `conan create .`, or `conan install .` in front of a build of one's own."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

REQUIRED = ("openssl/[>=3.0 <4]", "simdjson/[>=3.0 <4]", "zlib/[>=1.2.13 <2]")
# Option -> (the package that it wants, its part that is linked, the room which links it).
OPTIONAL = {
    "with_tls": ("openssl/[>=3.0 <4]", "openssl::ssl", "tls"),
    "with_isal": ("isa-l/[>=2.30 <3]", "isa-l::isa-l", "ext"),
    "with_zstd": ("zstd/[>=1.5.4 <2]", "zstd::zstd", "ext"),
}
# Packages that our CMake files look for by other names than Conan's.
LOOKED_FOR = {"isa-l": "ISAL", "zstd": "ZSTD"}
# Room -> (the rooms below it, what of the packages it is linked with, what of the system).
ROOMS = {
    "base": ([], ["openssl::crypto"], []),
    "core": (["base"], ["simdjson::simdjson"], []),
    "ext": (["core", "base"], ["zlib::zlib"], []),
    "tls": (["base"], ["openssl::crypto"], []),
    "net": (["base"], [], ["pthread"]),
    "ws": (["ext", "core", "tls", "net", "base"], [], ["dl"]),
    "testkit": (["ext", "core", "base"], [], []),
}


class HawserRecipe(ConanFile):
    name = "hawser"
    description = "WebSocket client and server library in which protocol extensions are first-class"
    license = "MIT"
    topics = ("websocket", "rfc6455", "permessage-deflate", "networking")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], **{name: [True, False] for name in OPTIONAL}}
    default_options = {"shared": False, "fPIC": True, **{name: True for name in OPTIONAL}}
    implements = ["auto_shared_fpic"]
    exports_sources = "CMakeLists.txt", "LICENSE", "include/*", "src/*", "tools/cmake/*"

    def set_version(self):
        config = load(self, os.path.join(self.recipe_folder, "include/hawser/base/config.h"))
        self.version = re.search(r'HAWSER_VERSION_STRING "(.+)"', config)[1]

    def layout(self):
        cmake_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def chosen(self):
        """Of OPTIONAL what is not left out."""
        return [OPTIONAL[name] for name in OPTIONAL if self.options.get_safe(name)]

    def requirements(self):
        optional = [package for package, _, _ in self.chosen() if package not in REQUIRED]
        for package in (*REQUIRED, *optional):
            self.requires(package)

    def generate(self):
        dependencies = CMakeDeps(self)
        for package, looked_for in LOOKED_FOR.items():
            dependencies.set_property(package, "cmake_file_name", looked_for)
            dependencies.set_property(package, "cmake_target_name", f"{looked_for}::{looked_for}")
        dependencies.generate()
        toolchain = CMakeToolchain(self)
        for name in OPTIONAL:
            toolchain.cache_variables[f"HAWSER_{name.upper()}"] = bool(self.options.get_safe(name))
        for part in ("TESTS", "TOOLS", "EXAMPLES", "BENCH", "CHECKS"):
            toolchain.cache_variables[f"HAWSER_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "hawser")
        # Conan makes a target of everything in the package. That is more than hawser::hawser, which has no test kit.
        self.cpp_info.set_property("cmake_target_name", "hawser::everything")
        for room, (below, linked, system) in ROOMS.items():
            component = self.cpp_info.components[room]
            component.libs = [f"hawser_{room}"]
            component.system_libs = system
            component.requires = [*below, *linked, *(part for _, part, where in self.chosen() if where == room)]
            component.set_property("cmake_target_name", f"hawser::{room}")
        together = self.cpp_info.components["together"]
        together.requires = [room for room in ROOMS if room != "testkit"]
        together.set_property("cmake_target_name", "hawser::hawser")
