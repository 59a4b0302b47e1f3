#!/usr/bin/env python3
"""tools/dev/sbom writes an SPDX 2.3 document that is valid, says what the build says, and is the same every time."""
import copy
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAWSER_BUILD", ROOT / "build/release"))
DOCUMENTED = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")

# What the standard's schema takes of each object, as far as we write it: member -> (has to be there, its pattern or what
# it holds). It takes no member that it does not know.
ID, TEXT = r"SPDXRef-[A-Za-z0-9.-]+", r"(?s).+"
LICENCE = r"(?:MIT|Zlib|Apache-2\.0|BSD-3-Clause)(?: (?:OR|AND) [A-Za-z0-9.-]+)*"
AGENT = r"(?:Organization|Person): \S.*"
CHECKSUM = {"algorithm": (True, "SHA256"), "checksumValue": (True, "[0-9a-f]{64}")}
REFERENCE = {"referenceCategory": (True, "OTHER|PERSISTENT-ID|SECURITY|PACKAGE-MANAGER"), "referenceType": (True, "purl"),
             "referenceLocator": (True, r"pkg:generic/[a-z0-9.-]+@[A-Za-z0-9.+-]+")}
PACKAGE = {
    "SPDXID": (True, ID), "name": (True, TEXT), "versionInfo": (False, r"[0-9]\S*"),
    "downloadLocation": (True, r"NOASSERTION|NONE|https://\S+"), "filesAnalyzed": (False, False),
    "licenseConcluded": (False, LICENCE), "licenseDeclared": (False, LICENCE), "copyrightText": (False, TEXT),
    "externalRefs": (False, [REFERENCE]), "supplier": (False, AGENT), "packageFileName": (False, TEXT),
    "checksums": (False, [CHECKSUM]), "comment": (False, TEXT), "primaryPackagePurpose": (False, "LIBRARY|APPLICATION|SOURCE"),
}
RELATIONSHIP = {"spdxElementId": (True, ID), "relatedSpdxElement": (True, ID),
                "relationshipType": (True, "DESCRIBES|DEPENDS_ON|DYNAMIC_LINK|STATIC_LINK")}
DOCUMENT = {
    "spdxVersion": (True, r"SPDX-2\.3"), "dataLicense": (True, r"CC0-1\.0"), "SPDXID": (True, "SPDXRef-DOCUMENT"),
    "name": (True, TEXT), "documentNamespace": (True, r"https://[^#\s]+"),
    "creationInfo": (True, {"created": (True, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
                            "creators": (True, [rf"{AGENT}|Tool: \S+-\S+"])}),
    "packages": (True, [PACKAGE]), "relationships": (True, [RELATIONSHIP]),
}


def wrong_shape(value, shape, where="the document"):
    """What is wrong with it, one line each."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        found = [f"{where} has an unknown {name}" for name in value if name not in shape]
        found += [f"{where} lacks {name}" for name, (needed, _) in shape.items() if needed and name not in value]
        return found + [line for name in value if name in shape
                        for line in wrong_shape(value[name], shape[name][1], f"{where}'s {name}")]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{where} is no list, or empty"]
        return [line for one in value for line in wrong_shape(one, shape[0], where)]
    if isinstance(shape, bool):
        return [] if value is shape else [f"{where} is {value!r}"]
    return [] if isinstance(value, str) and re.fullmatch(shape, value) else [f"{where} is {value!r}"]


def wrong(document):
    found = wrong_shape(document, DOCUMENT)
    if found:
        return found
    ids = [document["SPDXID"], *(package["SPDXID"] for package in document["packages"])]
    found += [f"{one} stands twice" for one in set(ids) if ids.count(one) > 1]
    linked = set()
    for one in document["relationships"]:
        found += [f"nothing is called {one[end]}" for end in ("spdxElementId", "relatedSpdxElement") if one[end] not in ids]
        linked.add(one["relatedSpdxElement"])
    return found + [f"nothing says what {one} is for" for one in ids[1:] if one not in linked]


def sbom(build=BUILD, *options, epoch="1700000000"):
    done = subprocess.run([sys.executable, ROOT / "tools/dev/sbom", "--build", build, *options], capture_output=True,
                          text=True, check=False, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    assert done.returncode == 0, done.stderr
    return done.stdout


class SbomTest(unittest.TestCase):
    def setUp(self):
        self.document = json.loads(sbom())
        self.packages = {package["name"]: package for package in self.document["packages"]}

    def test_valid(self):
        self.assertEqual(wrong(self.document), [])

    def test_what_is_not_valid_is_seen(self):
        def without(one, name):
            del one[name]

        damage = {
            "lacks spdxVersion": lambda d: without(d, "spdxVersion"),
            "has an unknown colour": lambda d: d["packages"][0].update(colour="red"),
            "dataLicense is 'MIT'": lambda d: d.update(dataLicense="MIT"),
            "created is": lambda d: d["creationInfo"].update(created="yesterday"),
            "creators is no list": lambda d: d["creationInfo"].update(creators=[]),
            "lacks downloadLocation": lambda d: without(d["packages"][1], "downloadLocation"),
            "licenseConcluded is": lambda d: d["packages"][1].update(licenseConcluded="as zlib"),
            "relationshipType is": lambda d: d["relationships"][0].update(relationshipType="LIKES"),
            "nothing is called SPDXRef-x": lambda d: d["relationships"][1].update(relatedSpdxElement="SPDXRef-x"),
            "stands twice": lambda d: d["packages"].append(d["packages"][1]),
            "what SPDXRef-zlib is for": lambda d: d.update(
                relationships=[one for one in d["relationships"] if one["relatedSpdxElement"] != "SPDXRef-zlib"]),
        }
        for words, spoil in damage.items():
            spoilt = copy.deepcopy(self.document)
            spoil(spoilt)
            self.assertIn(words, "; ".join(wrong(spoilt)))

    def test_says_what_the_build_says(self):
        linked = json.loads((BUILD / "hawser_dependencies.json").read_text(encoding="utf-8"))
        self.assertEqual(sorted(package["versionInfo"] for name, package in self.packages.items() if name != "hawser"),
                         sorted(one["found"] for one in linked))
        config = (ROOT / "include/hawser/base/config.h").read_text(encoding="utf-8")
        self.assertIn(f'HAWSER_VERSION_STRING "{self.packages["hawser"]["versionInfo"]}"', config)

    def test_everything_that_can_be_linked_is_known(self):
        """A new dependency in CMakeLists.txt or in the tool has to be made known to the script."""
        cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        called = re.findall(r"^hawser_dependency\(\S+ PACKAGE (\w+) VERSION (\S+)", cmake, re.MULTILINE)
        self.assertGreaterEqual(len(called), 5)
        with tempfile.TemporaryDirectory() as scratch:
            noted = [{"package": name, "least": least, "found": "9.9"} for name, least in dict(called).items()]
            (pathlib.Path(scratch) / "hawser_dependencies.json").write_text(json.dumps(noted), encoding="utf-8")
            document = json.loads(sbom(scratch))
        self.assertEqual(wrong(document), [])
        self.assertEqual(len(document["packages"]), 1 + len(noted))

    def test_licences_are_the_documented_ones(self):
        for name, row in (("openssl", "OpenSSL 3, libcrypto"), ("zlib", "zlib"), ("zstd", "libzstd"), ("cli11", "CLI11")):
            if name in self.packages:
                line = next(line for line in DOCUMENTED.splitlines() if line.startswith(f"| {row} |"))
                self.assertIn(f"| {self.packages[name]['licenseConcluded']} |", line)
        self.assertTrue((ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License"))

    def test_the_same_every_time(self):
        self.assertEqual(sbom(), sbom())
        other = json.loads(sbom(epoch="1700000001"))
        self.assertNotEqual(other["documentNamespace"], self.document["documentNamespace"])
        self.assertEqual(other["creationInfo"]["created"], "2023-11-14T22:13:21Z")

    def test_names_the_archive_of_the_sources(self):
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
            archive.write(b"sources")
            archive.flush()
            document = json.loads(sbom(BUILD, "--source", archive.name))
        self.assertEqual(wrong(document), [])
        self.assertEqual(document["packages"][0]["checksums"][0]["checksumValue"], hashlib.sha256(b"sources").hexdigest())


if __name__ == "__main__":
    unittest.main()
