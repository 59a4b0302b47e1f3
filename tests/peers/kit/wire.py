"""A small reader of recorded bytes: one HTTP head, then frames. It judges nothing and shares no code with any peer."""

import dataclasses
import typing

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@dataclasses.dataclass
class Head:
    first: str
    fields: typing.List[typing.Tuple[str, str]]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        return values[0] if len(values) == 1 else None


@dataclasses.dataclass
class Frame:
    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes
    plain: bytes  # the frame as it would be on the wire without a mask: header, then payload

    @property
    def close_code(self):
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None


def split_head(data):
    """(head, rest), or (None, data) while the head is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, data
    first, *lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    fields = [tuple(part.strip() for part in line.partition(":")[::2]) for line in lines]
    return Head(first, fields), bytes(data[end + 4:])


def frames(data):
    """(list of complete frames, bytes left over)."""
    found, at = [], 0
    while True:
        if len(data) - at < 2:
            return found, data[at:]
        start, body = at, at + 2
        masked, length = bool(data[at + 1] & 0x80), data[at + 1] & 0x7F
        if length >= 126:
            body += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2:body], "big")
        key_at = body
        body += 4 if masked else 0
        if len(data) < body + length:
            return found, data[at:]
        payload = data[body:body + length]
        if masked:
            payload = unmask(payload, data[key_at:body])
        header = bytes([data[start], data[start + 1] & 0x7F]) + data[start + 2:key_at]
        found.append(Frame(bool(data[start] & 0x80), data[start] >> 4 & 7, data[start] & 15, masked, payload,
                           header + payload))
        at = body + length


def messages(read, own=()):
    """[(opcode, RSV bits, payload)] of the data messages in a list of frames, fragments put together; `own` are the data
    opcodes of extensions."""
    whole, open_message = [], None
    for frame in read:
        if frame.opcode in (TEXT, BINARY, *own):
            open_message = [frame.opcode, frame.rsv, b""]
        if frame.opcode in (TEXT, BINARY, CONTINUATION, *own):
            open_message[2] += frame.payload
            if frame.fin:
                whole.append(tuple(open_message))
    return whole


def unmask(payload, key):
    if not payload:
        return b""
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


@dataclasses.dataclass
class Transcript:
    """Both directions of one recorded connection, read."""

    request: Head
    response: Head
    sent: typing.List[Frame]      # by the client
    received: typing.List[Frame]  # by the client
    rest: typing.Tuple[bytes, bytes]


def transcript(up, down):
    """Reads the recorded bytes of client (`up`) and server (`down`); None while a head is missing."""
    request, up_rest = split_head(up)
    response, down_rest = split_head(down)
    if request is None or response is None:
        return None
    sent, up_left = frames(up_rest)
    received, down_left = frames(down_rest)
    return Transcript(request, response, sent, received, (up_left, down_left))
