#!/usr/bin/env python3
"""Builds and runs a project that uses Hawser. Usage: consumer_test.py installed|subdirectory BUILD

`installed` takes the static libraries that BUILD installs, through find_package. `subdirectory` adds the sources to the
project and builds them as shared libraries, which fails to link when something public lacks HAWSER_API.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def consume(scratch, *options):
    binary = scratch / "consumer"
    if shutil.which("ccache"):
        options = (*options, "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    run("cmake", "-G", "Ninja", "-S", HERE / "consumer", "-B", binary, *options)
    run("cmake", "--build", binary)
    return run(binary / "consumer", binary / "quiet.so").strip(), binary


def main():
    way, build = sys.argv[1], pathlib.Path(sys.argv[2])
    config = (ROOT / "include/hawser/base/config.h").read_text(encoding="utf-8")
    version = re.search(r'HAWSER_VERSION_STRING "(.+)"', config).group(1)
    with tempfile.TemporaryDirectory(prefix="hawser_consumer_") as name:
        scratch = pathlib.Path(name)
        if way == "installed":
            run("cmake", "--install", build, "--prefix", scratch / "prefix")
            said, _ = consume(scratch, f"-DCMAKE_PREFIX_PATH={scratch / 'prefix'}")
        else:
            said, binary = consume(scratch, f"-DHAWSER_SOURCE={ROOT}", "-DBUILD_SHARED_LIBS=ON")
            soname = re.search(r"SONAME.*\[(.+)\]", run("readelf", "-d", *binary.rglob("libhawser_base.so"))).group(1)
            if soname != f"libhawser_base.so.{'.'.join(version.split('.')[:2])}":
                sys.exit(f"the shared library calls itself {soname}")
    if said != f"hawser {version}, x-inverted, x-quiet: hello":
        sys.exit(f"the consumer said {said!r}")


if __name__ == "__main__":
    main()
