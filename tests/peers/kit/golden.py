"""Bytes on the wire, written down by hand. A frame is given without its mask.

Response order is the order of operations of a sender: `x-rot13, x-checksum` rotates, then appends the CRC of the rotated
bytes; `x-checksum, x-rot13` appends the CRC, then rotates all, the letters among the four bytes of the CRC too. The first
two messages were chosen for a CRC with letters in it: 73a74752 is "s.GR", 706d5142 is "pmQB".
"""

MESSAGES = {
    "ascii": "Hawser 142",
    "chinese": "缆绳 rope 92",
    "empty": "",
    "binary": bytes.fromhex("00415a617a80ff"),
    "long": "abcdefghij" * 20,
}

NONE, ROT13, CHECKSUM = (), ("x-rot13",), ("x-checksum",)
ROT13_CHECKSUM, CHECKSUM_ROT13 = ("x-rot13", "x-checksum"), ("x-checksum", "x-rot13")

WHOLE = {
    NONE: {
        "ascii": "81 0a 48617773657220313432",
        "chinese": "81 0e e7bc86e7bbb320726f7065203932",
        "empty": "81 00",
        "binary": "82 07 00415a617a80ff",
        "long": "81 7e00c8" + "6162636465666768696a" * 20,
    },
    ROT13: {
        "ascii": "a1 0a 556e6a66726520313432",
        "chinese": "a1 0e e7bc86e7bbb32065626372203932",
        "empty": "a1 00",
        "binary": "a2 07 004e4d6e6d80ff",
        "long": "a1 7e00c8" + "6e6f7071727374757677" * 20,
    },
    CHECKSUM: {
        "ascii": "91 0e 48617773657220313432 73a74752",
        "chinese": "91 12 e7bc86e7bbb320726f7065203932 706d5142",
        "empty": "91 04 00000000",
        "binary": "92 0b 00415a617a80ff e7b6dbfb",
        "long": "91 7e00cc" + "6162636465666768696a" * 20 + "5d360330",
    },
    ROT13_CHECKSUM: {
        "ascii": "b1 0e 556e6a66726520313432 60056cf9",
        "chinese": "b1 12 e7bc86e7bbb32065626372203932 840462a8",
        "empty": "b1 04 00000000",
        "binary": "b2 0b 004e4d6e6d80ff 852a871f",
        "long": "b1 7e00cc" + "6e6f7071727374757677" * 20 + "ab55618a",
    },
    CHECKSUM_ROT13: {
        "ascii": "b1 0e 556e6a66726520313432 66a75445",
        "chinese": "b1 12 e7bc86e7bbb32065626372203932 637a444f",
        "empty": "b1 04 00000000",
        "binary": "b2 0b 004e4d6e6d80ff e7b6dbfb",
        "long": "b1 7e00cc" + "6e6f7071727374757677" * 20 + "5d360330",
    },
}

# The Chinese message in the pieces below. Python `websockets` ends a fragmented message with an empty frame of its own, so
# the whole trailer of the checksum stands in that frame.
PIECES = ("缆", "绳 ro", "", "pe 92")
FRAGMENTED = {
    NONE: "01 03 e7bc86  00 06 e7bbb320726f  00 00  00 05 7065203932  80 00",
    ROT13: "21 03 e7bc86  00 06 e7bbb3206562  00 00  00 05 6372203932  80 00",
    CHECKSUM: "11 03 e7bc86  00 06 e7bbb320726f  00 00  00 05 7065203932  80 04 706d5142",
    ROT13_CHECKSUM: "31 03 e7bc86  00 06 e7bbb3206562  00 00  00 05 6372203932  80 04 840462a8",
    CHECKSUM_ROT13: "31 03 e7bc86  00 06 e7bbb3206562  00 00  00 05 6372203932  80 04 637a444f",
}


def whole(order, name):
    return bytes.fromhex(WHOLE[order][name])


def fragmented(order):
    return bytes.fromhex(FRAGMENTED[order])
