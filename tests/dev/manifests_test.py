#!/usr/bin/env python3
"""vcpkg.json and conanfile.py say what CMakeLists.txt says: the version, what is linked with it, what can be left out.

Conan itself is not needed: the recipe runs here against stand-ins that write down what it asks for.
"""
import collections
import importlib.util
import json
import pathlib
import re
import sys
import types
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
CMAKE = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
VERSION = re.search(r'HAWSER_VERSION_STRING "(.+)"', (ROOT / "include/hawser/base/config.h").read_text())[1]
# What vcpkg takes for the name of a feature or a package, and what it keeps to itself.
IDENTIFIER = re.compile(r"(?!(?:core|default|con|prn|aux|nul|(?:lpt|com)[1-9])$)[a-z0-9]+(?:-[a-z0-9]+)*")
# What a package of find_package is called: by vcpkg and by Conan.
NAMES = {"OpenSSL": ("openssl", "openssl"), "simdjson": ("simdjson",) * 2, "ZLIB": ("zlib", "zlib"),
         "ISAL": ("isal", "isa-l"), "ZSTD": ("zstd", "zstd")}
SYSTEM = {"Threads::Threads": "pthread", "${CMAKE_DL_LIBS}": "dl"}

Dependency = collections.namedtuple("Dependency", "target package version option")


def dependencies():
    for words in re.findall(r"^hawser_dependency\((.+?)\)$", CMAKE, re.MULTILINE | re.DOTALL):
        def after(key, words=words):
            found = re.search(rf"\b{key} (\S+)", words)
            return found and found[1]
        if after("PC"):
            yield Dependency(words.split()[0], after("PACKAGE"), after("VERSION"), after("OPTION"))


def room_of(option):
    """The room that is linked with what an option brings: CMakeLists.txt collects it in a variable first."""
    target = next(one.target for one in dependencies() if one.option == option)
    variable = re.search(rf"hawser_optional\((\w+) [^)]*{target}", CMAKE)[1]
    return next(name for name, (_, libs) in rooms().items() if f"${{{variable}}}" in libs)


def rooms():
    """Room -> (rooms below, linked with)."""
    calls = re.findall(r"^\s*hawser_room\((\w+)\b.*?DEPENDS\b(.*?)PRIVATE_LIBS\b(.*?)(?:DEFINES.*?)?\)", CMAKE, re.M | re.S)
    return {name: (below.split(), libs.split()) for name, below, libs in calls}


class Attributes:
    """Remembers what is set, by attribute, by property and by subscript."""

    def __init__(self):
        self.properties, self.components = {}, collections.defaultdict(Attributes)

    def set_property(self, *words):
        self.properties[words[:-1]] = words[-1]


def recipe(**left_out):
    """The recipe after requirements, generate and package_info, with what it asked for."""
    cmake = types.SimpleNamespace(made={})

    def generator(kind):
        def make(_):
            one = Attributes()
            one.cache_variables, one.generate = {}, lambda: None
            cmake.made[kind] = one
            return one
        return make

    class Base:
        def __init__(self):
            chosen = {**self.default_options, **left_out}
            self.options = types.SimpleNamespace(get_safe=chosen.__getitem__)
            self.recipe_folder, self.cpp_info, self.asked = str(ROOT), Attributes(), []

        def requires(self, package):
            self.asked.append(package)

    stand_ins = {
        "conan": {"ConanFile": Base}, "conan.tools": {}, "conan.tools.build": {"check_min_cppstd": None},
        "conan.tools.cmake": {"CMake": None, "CMakeDeps": generator("deps"), "CMakeToolchain": generator("toolchain"),
                              "cmake_layout": None},
        "conan.tools.files": {"copy": None, "load": lambda _, path: pathlib.Path(path).read_text(encoding="utf-8")},
    }
    modules = {}
    for name, members in stand_ins.items():
        modules[name] = types.ModuleType(name)
        vars(modules[name]).update(members)
    spec = importlib.util.spec_from_file_location("conanfile", ROOT / "conanfile.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, modules):
        spec.loader.exec_module(module)
    made = module.HawserRecipe()
    for step in (made.set_version, made.requirements, made.generate, made.package_info):
        step()
    return made, cmake.made


def least(version):
    return f"[>={version} <{int(version.split('.')[0]) + 1}]"


class Vcpkg(unittest.TestCase):
    def setUp(self):
        self.manifest = json.loads((ROOT / "vcpkg.json").read_text(encoding="utf-8"))

    def test_version(self):
        self.assertEqual(self.manifest["version-semver"], VERSION)

    def test_what_is_always_linked(self):
        wanted = {NAMES[one.package][0] for one in dependencies() if not one.option}
        self.assertEqual(set(self.manifest["dependencies"]), wanted)

    def test_what_can_be_left_out_is_a_feature(self):
        wanted = {one.option.removeprefix("HAWSER_WITH_").lower(): NAMES[one.package][0]
                  for one in dependencies() if one.option}
        features = {name: feature["dependencies"] for name, feature in self.manifest["features"].items()}
        self.assertEqual(set(self.manifest["default-features"]), set(wanted))
        for name, package in wanted.items():
            self.assertEqual(features[name], [package])
        self.assertEqual((features["tools"], features["tests"]), (["cli11"], ["gtest"]))

    def test_shape(self):
        """As vcpkg's schema has it, where it is stricter than JSON: it takes no member that it does not know."""
        known = {"name": str, "version-semver": str, "description": str, "license": str, "supports": str,
                 "dependencies": list, "default-features": list, "features": dict}
        self.assertEqual({key: type(value) for key, value in self.manifest.items()}, known)
        self.assertRegex(self.manifest["version-semver"], r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$")
        names = [self.manifest["name"], *self.manifest["dependencies"], *self.manifest["features"]]
        for name, feature in self.manifest["features"].items():
            self.assertLessEqual(set(feature), {"description", "supports", "dependencies"}, name)
            self.assertTrue(feature["description"], name)
            names += feature["dependencies"]
        for name in names:
            self.assertTrue(IDENTIFIER.fullmatch(name), name)
        self.assertFalse(IDENTIFIER.fullmatch("core") or IDENTIFIER.fullmatch("with_isal"))


class Conan(unittest.TestCase):
    def test_version(self):
        self.assertEqual(recipe()[0].version, VERSION)

    def test_packages_and_their_least_versions(self):
        wanted = {f"{NAMES[one.package][1]}/{least(one.version)}" for one in dependencies()}
        self.assertEqual(set(recipe()[0].asked), wanted)

    def test_options(self):
        always = {one.package for one in dependencies() if not one.option}
        for one in dependencies():
            if not one.option:
                continue
            name, package = one.option.removeprefix("HAWSER_").lower(), NAMES[one.package][1]
            part = f"{package}::{one.target.split('::')[1].lower()}" if one.package in always else f"{package}::{package}"
            room = room_of(one.option)
            made, generated = recipe(**{name: False})
            self.assertIs(generated["toolchain"].cache_variables[one.option], False)
            self.assertEqual(any(asked.startswith(f"{package}/") for asked in made.asked), one.package in always)
            self.assertNotIn(part, made.cpp_info.components[room].requires)
            made, generated = recipe()
            self.assertIs(generated["toolchain"].cache_variables[one.option], True)
            self.assertIn(part, made.cpp_info.components[room].requires)
            if one.package not in always:
                self.assertEqual(generated["deps"].properties[package, "cmake_file_name"], one.package)
                self.assertEqual(generated["deps"].properties[package, "cmake_target_name"], one.target)

    def test_packages_are_asked_for_once_and_all_are_used(self):
        """Conan refuses a package that is asked for twice, one that no component uses, and one that was not asked for."""
        optional = [name for name in recipe()[0].default_options if name.startswith("with_")]
        for left_out in ({}, *({name: False} for name in optional)):
            made = recipe(**left_out)[0]
            asked = [package.split("/")[0] for package in made.asked]
            self.assertEqual(len(asked), len(set(asked)), left_out)
            used = {part.split("::")[0] for component in made.cpp_info.components.values()
                    for part in component.requires if "::" in part}
            self.assertEqual(used, set(asked), left_out)

    def test_no_target_is_made_twice(self):
        info = recipe()[0].cpp_info
        names = [one.properties["cmake_target_name",] for one in (info, *info.components.values())]
        self.assertEqual(len(names), len(set(names)))
        self.assertNotIn("hawser", info.components)

    def test_every_option_of_cmake_is_one_of_the_recipe(self):
        for one in dependencies():
            if one.option:
                name = one.option.removeprefix("HAWSER_").lower()
                for value in (True, False):
                    self.assertIs(recipe(**{name: value})[1]["toolchain"].cache_variables[one.option], value)

    def test_what_is_switched_off_are_options_of_ours(self):
        for name in recipe()[1]["toolchain"].cache_variables:
            self.assertRegex(CMAKE, rf"\b{name}\b")

    def test_rooms(self):
        components = recipe()[0].cpp_info.components
        self.assertEqual(set(components), {*rooms(), "together"})
        for room, (below, libs) in rooms().items():
            self.assertEqual(components[room].libs, [f"hawser_{room}"])
            self.assertEqual([name for name in components[room].requires if "::" not in name], below, room)
            self.assertEqual(components[room].system_libs, [SYSTEM[lib] for lib in libs if lib in SYSTEM], room)
            linked = {name.split("::")[0] for name in components[room].requires if "::" in name}
            always = {NAMES[lib.split("::")[0]][1] for lib in libs if "::" in lib and lib not in SYSTEM}
            self.assertLessEqual(always, linked, room)
        everything = re.search(r"hawser_umbrella\((.+)\)", CMAKE)[1].split()
        self.assertEqual(components["together"].requires, everything)
        self.assertEqual(components["together"].properties["cmake_target_name",], "hawser::hawser")

    def test_sources_that_are_exported_are_there(self):
        for pattern in recipe()[0].exports_sources:
            self.assertTrue(list(ROOT.glob(pattern)), pattern)


if __name__ == "__main__":
    unittest.main()
