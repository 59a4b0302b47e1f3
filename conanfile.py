"""Hawser for Conan 2: `conan create .`, or `conan install .` in front of a build of one's own."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

# Option -> (the package it wants, the name by which our CMake files look for it).
OPTIONAL = {"with_isal": ("isa-l/[>=2.30 <3]", "ISAL"), "with_zstd": ("zstd/[>=1.5.4 <2]", "ZSTD")}
# Room -> (the rooms below it, the packages that it is linked with, what the system has of it).
ROOMS = {
    "base": ([], ["openssl::crypto"], []),
    "core": (["base"], ["simdjson::simdjson"], []),
    "ext": (["core", "base"], ["zlib::zlib"], []),
    "net": (["base"], [], ["pthread"]),
    "ws": (["ext", "core", "net", "base"], [], ["dl"]),
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

    def requirements(self):
        self.requires("openssl/[>=3.0 <4]")
        self.requires("simdjson/[>=3.0 <4]")
        self.requires("zlib/[>=1.2.13 <2]")
        for name, (package, _) in OPTIONAL.items():
            if self.options.get_safe(name):
                self.requires(package)

    def generate(self):
        dependencies = CMakeDeps(self)
        for package, looked_for in OPTIONAL.values():
            package = package.split("/")[0]
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
        optional = [package.split("/")[0] for name, (package, _) in OPTIONAL.items() if self.options.get_safe(name)]
        for room, (below, packages, system) in ROOMS.items():
            component = self.cpp_info.components[room]
            component.libs = [f"hawser_{room}"]
            component.system_libs = system
            component.requires = [*below, *packages]
            component.set_property("cmake_target_name", f"hawser::{room}")
            if room == "ext":
                component.requires += [f"{package}::{package}" for package in optional]
        self.cpp_info.components["hawser"].requires = [room for room in ROOMS if room != "testkit"]
        self.cpp_info.components["hawser"].set_property("cmake_target_name", "hawser::hawser")
