#!/usr/bin/env python3
"""Builds and runs projects that use Hawser, in the ways in which people get it. Usage: consumer_test.py WAY BUILD

What is installed comes from BUILD and, for shared libraries, from a build of them beside it, which the way `build_shared`
makes. `ways` below says what each way shows.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIG = (ROOT / "include/hawser/base/config.h").read_text(encoding="utf-8")
VERSION = re.search(r'HAWSER_VERSION_STRING "(.+)"', CONFIG)[1]
SOVERSION = ".".join(VERSION.split(".")[:2])


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(truth, words):
    if not truth:
        sys.exit(words)


class Ways:
    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        # As deep as BUILD: ccache may look at relative paths.
        self.shared_build = build.with_name(f"{build.name}-shared")
        self.subdirectory_build = build.with_name(f"{build.name}-subdirectory")

    # Where a build is made of what BUILD was made of, ccache has it already.
    def as_built(self):
        cache = (self.build / "CMakeCache.txt").read_text(encoding="utf-8")
        flags = re.search(r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$", cache, re.MULTILINE)[1]
        return ("-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_FLAGS_RELEASE={flags}", "-DHAWSER_WERROR=ON")

    def configure(self, source, binary, *options):
        if shutil.which("ccache"):
            options = (*options, "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        run("cmake", "-G", "Ninja", "-S", source, "-B", binary, *options)

    def project(self, name, *options, binary=None):
        """Builds tests/install/NAME."""
        binary = binary or self.scratch / f"{name}-{len(list(self.scratch.iterdir()))}"
        self.configure(HERE / name, binary, *options)
        run("cmake", "--build", binary, "--target", name, *(("quiet",) if name == "consumer" else ()))
        return binary

    def consume(self, *options, **more):
        binary = self.project("consumer", *options, **more)
        self.says_hello(binary)
        return binary

    def says_hello(self, binary, **more):
        said = run(binary / "consumer", binary / "quiet.so", **more).strip()
        expect(said == f"hawser {VERSION}, x-inverted, x-quiet: hello", f"the consumer said {said!r}")

    @staticmethod
    def protocol_works(binary):
        expect(run(binary / "core_only") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n", "core does not work")

    def refused(self, words, *options):
        """The project core_only is not configured with these options, and CMake says why."""
        binary = self.scratch / f"refused-{len(list(self.scratch.iterdir()))}"
        done = subprocess.run(["cmake", "-G", "Ninja", "-S", HERE / "core_only", "-B", binary, *options],
                              capture_output=True, text=True, check=False)
        expect(done.returncode != 0, f"{options}: it was configured")
        said = " ".join(done.stderr.split())
        expect(words in said, f"{options}: {said}")

    def install(self, *kinds):
        prefix = self.scratch / "-".join(("prefix", *kinds))
        for kind in kinds:
            run("cmake", "--install", self.shared_build if kind == "shared" else self.build, "--prefix", prefix)
        return prefix

    @staticmethod
    def needed(program):
        return set(re.findall(r"NEEDED.*\[(libhawser.+)\]", run("readelf", "-d", program)))

    def build_shared(self):
        """All of it as shared libraries: what is public and lacks HAWSER_API fails to link."""
        self.configure(ROOT, self.shared_build, *self.as_built(), "-DBUILD_SHARED_LIBS=ON", "-DHAWSER_BUILD_TESTS=OFF",
                       "-DHAWSER_BUILD_EXAMPLES=OFF", "-DHAWSER_BUILD_BENCH=OFF", "-DHAWSER_BUILD_CHECKS=OFF",
                       "-DCMAKE_INSTALL_PREFIX=/usr/local")
        run("cmake", "--build", self.shared_build)

    def static(self):
        """find_package, static libraries."""
        binary = self.consume(f"-DCMAKE_PREFIX_PATH={self.install('static')}")
        expect(not self.needed(binary / "consumer"), "it is linked with shared libraries")

    def shared(self):
        """find_package, shared libraries; the tool and what belongs to it, in a place that the system does not know."""
        prefix = self.install("shared")
        binary = self.consume(f"-DCMAKE_PREFIX_PATH={prefix}")
        expect(f"libhawser_base.so.{SOVERSION}" in self.needed(binary / "consumer"), "it is not linked with them")
        expect(run(prefix / "bin/hawser", "--version").startswith(f"hawser {VERSION}\n"), "the tool does not run")
        for name in ("share/man/man1/hawser.1", "share/bash-completion/completions/hawser", "share/hawser/hawser-inband.mjs"):
            expect((prefix / name).is_file(), f"{name} is not installed")

    def both(self):
        """Static and shared libraries in one place: the project chooses."""
        where = f"-DCMAKE_PREFIX_PATH={self.install('static', 'shared')}"
        for options, shared in (((), True), (("-DLIBRARIES=static",), False), (("-DLIBRARIES=shared",), True),
                                (("-DBUILD_SHARED_LIBS=OFF",), False)):
            binary = self.consume(where, *options)
            expect(bool(self.needed(binary / "consumer")) == shared, f"{options}: {self.needed(binary / 'consumer')}")

    def components(self):
        """One room without the rest; what is not there, or too new, is refused with a reason."""
        where = f"-DCMAKE_PREFIX_PATH={self.install('static')}"
        self.protocol_works(self.project("core_only", where, "-DASKED_COMPONENTS=core"))
        self.refused("Hawser has no component 'hub' here; it has base, core,", where, "-DASKED_COMPONENTS=core;hub")
        self.refused("Hawser's shared libraries are not installed here", where, "-DASKED_COMPONENTS=core;shared")
        self.refused("ZLIB", where, "-DASKED_COMPONENTS=ext")
        major, minor, patch = map(int, VERSION.split("."))
        for asked in (f"{major}.{minor + 1}", f"{major}.{minor}.{patch + 1}", f"{major + 1}.0"):
            self.refused(f'requested version "{asked}"', where, "-DASKED_COMPONENTS=core", f"-DASKED_VERSION={asked}")

    def pkg_config(self):
        """hawser.pc, without CMake, moved to another place than it was installed to."""
        for kind in ("static", "shared"):
            prefix = self.install(kind)
            moved = prefix.rename(prefix.with_name(f"{kind}-moved"))
            library = moved / "lib"
            environment = {**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig")}
            expect(run("pkg-config", "--modversion", "hawser", env=environment).strip() == VERSION, "its version")
            flags = run("pkg-config", "--cflags", "--libs", "hawser", env=environment).split()
            expect(("-lcrypto" in flags) == (kind == "static"), f"{kind}: {flags}")
            binary = self.scratch / f"by_hand_{kind}"
            binary.mkdir()
            compiler = os.environ.get("CXX", "c++")
            run(compiler, "-std=c++20", HERE / "consumer/consumer.cc", "-o", binary / "consumer", *flags[:1],
                f"-L{library}", "-lhawser_testkit", *flags[1:], f"-Wl,-rpath,{library}")
            run("cc", "-std=c11", "-shared", "-fPIC", HERE / "consumer/quiet.c", "-o", binary / "quiet.so", flags[0])
            expect(bool(self.needed(binary / "consumer")) == (kind == "shared"), f"{kind}: {self.needed(binary / 'consumer')}")
            self.says_hello(binary)

    def subdirectory(self):
        """add_subdirectory. Nothing of ours is installed with the project, and none of our programs is built."""
        binary = self.consume(f"-DHAWSER_SOURCE={ROOT}", *self.as_built(), binary=self.subdirectory_build)
        expect(not (binary / "hawser/hawser").exists(), "the tool was built")
        expect("hawser" not in (binary / "hawser/cmake_install.cmake").read_text(encoding="utf-8").replace(str(binary), "")
               .replace(str(ROOT), ""), "it would be installed with the project")

    def fetch(self):
        """FetchContent, from a repository that holds no more than the library; nothing optional is built in."""
        source = self.scratch / "repository"
        source.mkdir()
        for name in ("CMakeLists.txt", "include", "src", "tools/cmake"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (source / name).parent.mkdir(exist_ok=True)
            copy(ROOT / name, source / name)
        author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "Hawser"), ("tag", "v0.1.0")):
            run("git", "-C", source, *words)
        options = re.findall(r"OPTION (HAWSER_WITH_\w+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
        expect(options, "no option can be left out")
        binary = self.project("core_only", f"-DHAWSER_GIT=file://{source}", *(f"-D{option}=OFF" for option in options))
        self.protocol_works(binary)
        rules = (binary / "build.ninja").read_text(encoding="utf-8")
        for left_out in ("libisal", "libzstd", *(f"-D{option}" for option in options)):
            expect(left_out not in rules, f"{left_out} is in the build")

    def debian(self):
        """The three Debian packages: what they say, and projects that use what they hold."""
        debs = self.scratch / "debs"
        run(ROOT / "tools/dev/deb_of", self.shared_build, self.build, debs)
        root = self.scratch / "root"
        depends = {}
        for deb in sorted(debs.glob("*.deb")):
            name, version, depends[name] = (
                run("dpkg-deb", "-f", deb, field).strip() for field in ("Package", "Version", "Depends"))
            expect(version == VERSION, f"{name} has version {version}")
            run("dpkg-deb", "-x", deb, root)
            expect((root / f"usr/share/doc/{name}/copyright").is_file(), f"{name} does not say its licence")
        library = f"libhawser{SOVERSION}"
        expect(set(depends) == {library, "libhawser-dev", "hawser"}, f"the packages are {set(depends)}")
        for name in ("libhawser-dev", "hawser"):
            expect(f"{library} (= {VERSION})" in depends[name], f"{name} depends on {depends[name]}")
        expect("libssl-dev" in depends["libhawser-dev"] and "libssl3" in depends[library], f"{depends}")
        expect("-dev" not in depends["hawser"] + depends[library], f"{depends}")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(root / "usr/lib")}
        said = run(root / "usr/bin/hawser", "--version", env=environment)
        expect(said.startswith(f"hawser {VERSION}\n"), f"the tool says {said}")
        expect((root / "usr/share/man/man1/hawser.1.gz").is_file(), "there is no manual page")
        for kind in ("static", "shared"):
            self.consume(f"-DCMAKE_PREFIX_PATH={root}/usr", f"-DLIBRARIES={kind}")


def main():
    way, build = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="hawser_consumer_") as name:
        getattr(Ways(build, pathlib.Path(name)), way)()


if __name__ == "__main__":
    main()
