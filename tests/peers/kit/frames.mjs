// Frames as bytes, written without looking at any library, and able to write what the protocol forbids.

import { randomBytes } from 'node:crypto';

export const CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

/// One frame. `lengthBytes` (0, 2 or 8) forces a longer length field than needed; `declared` lies about the length;
/// `key` is the masking key, or null for none.
export function frame({ opcode, payload = Buffer.alloc(0), fin = true, rsv = 0, key = null, lengthBytes, declared }) {
  const body = Buffer.from(payload);
  const length = declared ?? BigInt(body.length);
  const width = Math.max(lengthBytes ?? 0, length < 126n ? 0 : length < 65536n ? 2 : 8);
  const head = Buffer.alloc(2 + width);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (key ? 0x80 : 0) | (width === 0 ? Number(length) : width === 2 ? 126 : 127);
  if (width === 2) head.writeUInt16BE(Number(length), 2);
  if (width === 8) head.writeBigUInt64BE(length, 2);
  if (!key) return Buffer.concat([head, body]);
  for (let i = 0; i < body.length; ++i) body[i] ^= key[i & 3];
  return Buffer.concat([head, key, body]);
}

export const freshKey = () => randomBytes(4);

/// The payload of a Close frame.
export function closePayload(code, reason = '') {
  const bytes = Buffer.from(reason);
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), bytes]);
}

/// Takes the first complete frame off `bytes`: {frame, rest}, or null. Throws at what no sender may ever write.
export function takeFrame(bytes, wantMask) {
  if (bytes.length < 2) return null;
  const fin = (bytes[0] & 0x80) !== 0, rsv = (bytes[0] >> 4) & 7, opcode = bytes[0] & 15;
  const masked = (bytes[1] & 0x80) !== 0, short = bytes[1] & 0x7f;
  demand(rsv === 0, `RSV bits ${rsv} without an extension`);
  demand([0, 1, 2, 8, 9, 10].includes(opcode), `reserved opcode ${opcode}`);
  demand(masked === wantMask, masked ? 'a masked frame from a server' : 'an unmasked frame from a client');
  demand(opcode < 8 || fin, 'a fragmented control frame');
  demand(opcode < 8 || short <= 125, 'a control frame over 125 bytes');
  const width = short === 126 ? 2 : short === 127 ? 8 : 0;
  const bodyAt = 2 + width + (masked ? 4 : 0);
  if (bytes.length < bodyAt) return null;
  const length = width === 2 ? bytes.readUInt16BE(2) : width === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  demand(width !== 2 || length > 125, 'a 16-bit length that fits into 7 bits');
  demand(width !== 8 || length > 65535, 'a 64-bit length that fits into 16 bits');
  if (bytes.length < bodyAt + length) return null;
  const payload = Buffer.from(bytes.subarray(bodyAt, bodyAt + length));
  const key = masked ? Buffer.from(bytes.subarray(bodyAt - 4, bodyAt)) : null;
  if (key) for (let i = 0; i < length; ++i) payload[i] ^= key[i & 3];
  return { frame: { fin, opcode, payload, key }, rest: bytes.subarray(bodyAt + length) };
}

function demand(condition, breach) {
  if (!condition) throw new Error(`the peer wrote ${breach}`);
}
