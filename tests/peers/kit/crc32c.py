"""CRC-32C (RFC 3720, 12.1), slow and by itself."""

_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = _i >> 1 ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data):
    """The four bytes of the sum, most significant first."""
    state = 0xFFFFFFFF
    for byte in data:
        state = _TABLE[(state ^ byte) & 255] ^ state >> 8
    return (state ^ 0xFFFFFFFF).to_bytes(4, "big")
