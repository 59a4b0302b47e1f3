#!/usr/bin/env python3
"""Builds and runs projects that use Hawser, in the ways in which people get it. Usage: consumer_test.py WAY BUILD

What is installed comes from BUILD and, for shared libraries, from a build of them beside it, which the way `install`
makes. Each method of `Ways` says what it shows.
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
    """BUILD-shared is the build of the shared libraries, BUILD-installed what all look at: `static` has the static
    libraries alone, `both` both kinds."""

    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        # As deep as BUILD: ccache may look at relative paths.
        self.shared_build = build.with_name(f"{build.name}-shared")
        self.subdirectory_build = build.with_name(f"{build.name}-subdirectory")
        installed = build.with_name(f"{build.name}-installed")
        self.static_prefix, self.both_prefix = installed / "static", installed / "both"
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
        self.release_flags = re.search(r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$", cache, re.MULTILINE)[1]
        self.options = dict(re.findall(r"^(HAWSER_WITH_\w+):BOOL=(\w+)$", cache, re.MULTILINE))
        self.with_tls = self.options["HAWSER_WITH_TLS"] not in ("OFF", "FALSE")

    def as_built(self):
        """What BUILD was made of, so that ccache has it already."""
        return ("-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_FLAGS_RELEASE={self.release_flags}", "-DHAWSER_WERROR=ON",
                "-DHAWSER_BUILD_CHECKS=ON", f"-DHAWSER_POISON_DIRECTORY={self.build}/poison",
                *(f"-D{name}={value}" for name, value in self.options.items()))

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
        """Also over TLS, with a certificate that is its own authority."""
        words, tls = [binary / "quiet.so"], ""
        if self.with_tls:
            certificate, key = self.scratch / "certificate.pem", self.scratch / "key.pem"
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=consumer", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
            words, tls = [*words, certificate, key], ", over TLS: hello"
        said = run(binary / "consumer", *words, **more).strip()
        expect(said == f"hawser {VERSION}: hello{tls} by x-inverted, x-quiet", f"the consumer said {said!r}")

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

    @staticmethod
    def needed(program):
        return set(re.findall(r"NEEDED.*\[(libhawser.+)\]", run("readelf", "-d", program)))

    def install(self):
        """All of it as shared libraries too: what is public and lacks HAWSER_API fails to link. Then both are installed."""
        self.configure(ROOT, self.shared_build, *self.as_built(), "-DBUILD_SHARED_LIBS=ON", "-DHAWSER_BUILD_TESTS=OFF",
                       "-DHAWSER_BUILD_EXAMPLES=OFF", "-DHAWSER_BUILD_BENCH=OFF", "-DCMAKE_INSTALL_PREFIX=/usr/local")
        run("cmake", "--build", self.shared_build, "--target", "hawser", "hawser_testkit")
        shutil.rmtree(self.static_prefix.parent, ignore_errors=True)
        for build, prefix in ((self.build, self.static_prefix), (self.build, self.both_prefix),
                              (self.shared_build, self.both_prefix)):
            run("cmake", "--install", build, "--prefix", prefix)

    def installed(self):
        """find_package, where static and shared libraries lie in one place: the project chooses. The place is none that
        the system knows; the tool and what belongs to it is there, too."""
        where = f"-DCMAKE_PREFIX_PATH={self.both_prefix}"
        for options, shared in (((), True), (("-DLIBRARIES=static",), False), (("-DLIBRARIES=shared",), True),
                                (("-DBUILD_SHARED_LIBS=OFF",), False)):
            binary = self.consume(where, *options)
            needed = self.needed(binary / "consumer")
            expect((f"libhawser_base.so.{SOVERSION}" in needed) == shared, f"{options}: {needed}")
            expect(shared or not needed, f"{options}: {needed}")
        tool = self.both_prefix / "bin/hawser"
        expect(run(tool, "--version").startswith(f"hawser {VERSION}\n"), "the tool does not run")
        expect(self.needed(tool), "the tool that was installed last is not linked with shared libraries")
        for name in ("share/man/man1/hawser.1", "share/bash-completion/completions/hawser", "share/hawser/hawser-inband.mjs"):
            expect((self.both_prefix / name).is_file(), f"{name} is not installed")

    def components(self):
        """One room without the rest; what is not there, or too new, is refused with a reason."""
        where = f"-DCMAKE_PREFIX_PATH={self.static_prefix}"
        for asked in ("core", "core;tls"):
            self.protocol_works(self.project("core_only", where, f"-DASKED_COMPONENTS={asked}"))
        self.refused("Hawser has no component 'hub' here; it has base, core,", where, "-DASKED_COMPONENTS=core;hub")
        self.refused("Hawser's shared libraries are not installed here", where, "-DASKED_COMPONENTS=core;shared")
        self.refused("ZLIB", where, "-DASKED_COMPONENTS=ext")
        major, minor, patch = map(int, VERSION.split("."))
        for asked in (f"{major}.{minor + 1}", f"{major}.{minor}.{patch + 1}", f"{major + 1}.0"):
            self.refused(f'requested version "{asked}"', where, "-DASKED_COMPONENTS=core", f"-DASKED_VERSION={asked}")

    def pkg_config(self):
        """hawser.pc, without CMake, moved to another place than it was installed to."""
        moved = self.scratch / "moved"
        library = moved / "lib"
        environment = {**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig")}
        compiler = (*(("ccache",) if shutil.which("ccache") else ()), os.environ.get("CXX", "c++"))
        for kind, prefix in (("static", self.static_prefix), ("shared", self.both_prefix)):
            shutil.copytree(prefix, moved, symlinks=True, dirs_exist_ok=True)
            expect(run("pkg-config", "--modversion", "hawser", env=environment).strip() == VERSION, "its version")
            compiling = run("pkg-config", "--cflags", "hawser", env=environment).split()
            linking = run("pkg-config", "--libs", "hawser", env=environment).split()
            for own in ("-lcrypto", *(("-lssl",) if self.with_tls else ())):
                expect((own in linking) == (kind == "static"), f"{kind}: {linking}")
            binary = self.scratch / f"by_hand_{kind}"
            binary.mkdir()
            run(*compiler, "-std=c++20", *compiling, "-c", HERE / "consumer/consumer.cc", "-o", binary / "consumer.o")
            run(compiler[-1], binary / "consumer.o", "-o", binary / "consumer", f"-L{library}", "-lhawser_testkit", *linking,
                f"-Wl,-rpath,{library}")
            run("cc", "-std=c11", "-shared", "-fPIC", HERE / "consumer/quiet.c", "-o", binary / "quiet.so", *compiling)
            expect(bool(self.needed(binary / "consumer")) == (kind == "shared"), f"{kind}: {self.needed(binary / 'consumer')}")
            self.says_hello(binary)

    def subdirectory(self):
        """add_subdirectory. Nothing of ours is installed with the project, and none of our programs is built."""
        self.configure(HERE / "consumer", self.scratch / "as_it_comes", f"-DHAWSER_SOURCE={ROOT}")
        for script in (self.scratch / "as_it_comes").glob("hawser/**/cmake_install.cmake"):
            said = re.sub(r"\S*/\S*", "", script.read_text(encoding="utf-8"))
            expect("hawser" not in said, f"it would be installed with the project: {said}")
        rules = (self.scratch / "as_it_comes/build.ninja").read_text(encoding="utf-8")
        for ours in ("hawser_tool", "hawser_core_tests", "poison", "hawser_core_headers"):
            expect(ours not in rules, f"{ours} is in the build")
        binary = self.consume(f"-DHAWSER_SOURCE={ROOT}", *self.as_built(), binary=self.subdirectory_build)
        expect(not (binary / "hawser/hawser").exists(), "the tool was built")

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
        expect(run(binary / "core_only") == VERSION, "base does not work")
        rules = (binary / "build.ninja").read_text(encoding="utf-8")
        for left_out in ("libisal", "libzstd", "libssl", *(f"-D{option}" for option in options)):
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
            expect(version == f"{VERSION}-1", f"{name} has version {version}")
            run("dpkg-deb", "-x", deb, root)
            expect((root / f"usr/share/doc/{name}/copyright").is_file(), f"{name} does not say its licence")
            scripts = set(run("dpkg-deb", "-I", deb).split()) & {"postinst", "postrm", "preinst", "prerm"}
            expect(not scripts, f"{name} runs {scripts}")
        library = f"libhawser{SOVERSION}"
        expect(set(depends) == {library, "libhawser-dev", "hawser"}, f"the packages are {set(depends)}")
        for name in ("libhawser-dev", "hawser"):
            expect(f"{library} (= {VERSION}-1)" in depends[name], f"{name} depends on {depends[name]}")
        expect("libssl-dev" in depends["libhawser-dev"] and "libssl3" in depends[library], f"{depends}")
        expect("-dev" not in depends["hawser"] + depends[library], f"{depends}")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(root / "usr/lib")}
        said = run(root / "usr/bin/hawser", "--version", env=environment)
        expect(said.startswith(f"hawser {VERSION}\n"), f"the tool says {said}")
        expect((root / "usr/share/man/man1/hawser.1.gz").is_file(), "there is no manual page")
        for kind in ("static", "shared"):
            binary = self.project("core_only", f"-DCMAKE_PREFIX_PATH={root}/usr", f"-DASKED_COMPONENTS=core;{kind}")
            expect(bool(self.needed(binary / "core_only")) == (kind == "shared"), f"{kind}: {self.needed(binary / 'core_only')}")
            self.protocol_works(binary)


def main():
    way, build = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="hawser_consumer_") as name:
        getattr(Ways(build, pathlib.Path(name)), way)()


if __name__ == "__main__":
    main()
