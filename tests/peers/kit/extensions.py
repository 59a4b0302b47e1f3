"""x-rot13 and x-checksum for Python's `websockets`, which hands an extension one frame at a time.

Both work on whole data messages, so what belongs to a message is remembered from frame to frame. Control frames may come
between the frames of a message and are left alone.

x-rot13     RSV2 on the first frame; ASCII letters rotated by 13 places, the size unchanged.
x-checksum  RSV3 on the first frame; four bytes after the payload: its CRC-32 (zlib's polynomial), big-endian.
"""

import dataclasses
import zlib

from websockets.exceptions import NegotiationError
from websockets.extensions import ClientExtensionFactory, Extension, ServerExtensionFactory
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import OP_BINARY, OP_CONT, OP_TEXT

from . import golden

LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
ROTATED = LETTERS[13:26] + LETTERS[:13] + LETTERS[39:] + LETTERS[26:39]
ROT13 = bytes.maketrans(LETTERS, ROTATED)


class Rot13(Extension):
    name = "x-rot13"

    def __init__(self):
        self._inbound_flagged = False

    def encode(self, frame):
        if frame.opcode in (OP_TEXT, OP_BINARY):
            return dataclasses.replace(frame, data=bytes(frame.data).translate(ROT13), rsv2=True)
        if frame.opcode == OP_CONT:
            return dataclasses.replace(frame, data=bytes(frame.data).translate(ROT13))
        return frame

    def decode(self, frame, *, max_size=None):
        if frame.opcode in (OP_TEXT, OP_BINARY):
            self._inbound_flagged = frame.rsv2
            if frame.rsv2:
                return dataclasses.replace(frame, data=bytes(frame.data).translate(ROT13), rsv2=False)
        elif frame.opcode == OP_CONT and self._inbound_flagged:
            return dataclasses.replace(frame, data=bytes(frame.data).translate(ROT13))
        return frame


class Checksum(Extension):
    name = "x-checksum"

    def __init__(self):
        self._outbound_crc = 0
        self._inbound_flagged, self._inbound_crc, self._held = False, 0, b""

    def encode(self, frame):
        if frame.opcode in (OP_TEXT, OP_BINARY):
            self._outbound_crc = 0
            frame = dataclasses.replace(frame, rsv3=True)
        elif frame.opcode != OP_CONT:
            return frame
        self._outbound_crc = zlib.crc32(frame.data, self._outbound_crc)
        if frame.fin:
            frame = dataclasses.replace(frame, data=bytes(frame.data) + self._outbound_crc.to_bytes(4, "big"))
        return frame

    def decode(self, frame, *, max_size=None):
        if frame.opcode in (OP_TEXT, OP_BINARY):
            self._inbound_flagged, self._inbound_crc, self._held = frame.rsv3, 0, b""
            frame = dataclasses.replace(frame, rsv3=False)
        elif frame.opcode != OP_CONT:
            return frame
        if not self._inbound_flagged:
            return frame
        data = self._held + bytes(frame.data)  # the trailer may lie across several fragments
        payload, self._held = data[:max(len(data) - 4, 0)], data[max(len(data) - 4, 0):]
        self._inbound_crc = zlib.crc32(payload, self._inbound_crc)
        if frame.fin and self._held != self._inbound_crc.to_bytes(4, "big"):
            raise UnicodeDecodeError("x-checksum", data, 0, len(data), "wrong checksum")  # the way to a close with 1007
        return dataclasses.replace(frame, data=payload)


class ClientFactory(ClientExtensionFactory):
    """Offers one extension, with the parameters given, and takes only a plain acceptance."""

    def __init__(self, extension, *parameters):
        self.name, self._extension, self._parameters = extension.name, extension, list(parameters)

    def get_request_params(self):
        return self._parameters

    def process_response_params(self, params, accepted_extensions):
        if params:
            raise NegotiationError(f"{self.name} was accepted with parameters: {params}")
        return self._extension()


class ServerFactory(ServerExtensionFactory):
    """Accepts an offer without parameters."""

    def __init__(self, extension):
        self.name, self._extension = extension.name, extension

    def process_request_params(self, params, accepted_extensions):
        if params:
            raise NegotiationError(f"{self.name} knows no parameters")
        return [], self._extension()


CLASSES = {"x-rot13": Rot13, "x-checksum": Checksum}
# How the bytes of golden.py are compressed, each message for itself: fixed Huffman codes and no choice.
GOLDEN_CODES = {"level": 9, "strategy": zlib.Z_FIXED}


def client_factories(*extensions):
    """Extensions by name, or by class."""
    return [ClientPerMessageDeflateFactory(client_no_context_takeover=True, compress_settings=GOLDEN_CODES) if one == golden.DEFLATE
            else ClientFactory(CLASSES.get(one, one)) for one in extensions]


def server_factories(*extensions):
    return [ServerPerMessageDeflateFactory(server_no_context_takeover=True, compress_settings=GOLDEN_CODES) if one == golden.DEFLATE
            else ServerFactory(CLASSES.get(one, one)) for one in extensions]
