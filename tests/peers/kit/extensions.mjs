// x-rot13 and x-checksum for faye's `websocket-extensions`, which hands an extension one whole message at a time.
//
// x-rot13     RSV2; ASCII letters rotated by 13 places, the size unchanged.
// x-checksum  RSV3; four bytes after the payload: its CRC-32 (zlib's polynomial), big-endian.

import zlib from 'node:zlib';
import permessageDeflate from 'permessage-deflate';

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}

function rotate(bytes) {
  return bytes.map((byte) => {
    const letter = byte & 0xdf;
    return letter < 0x41 || letter > 0x5a ? byte : ((letter - 0x41 + 13) % 26 + 0x41) | (byte & 0x20);
  });
}

function trailer(bytes) {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}

// The close code is what the driver looks for in `type`.
function failure(code, what) {
  return Object.assign(new Error(what), { type: code });
}

function rotateIn(message) {
  if (!message.rsv2) return message;
  message.data = rotate(message.data);
  return message;
}

function rotateOut(message) {
  message.rsv2 = true;
  message.data = rotate(message.data);
  return message;
}

function checkIn(message) {
  if (!message.rsv3) return message;
  const end = message.data.length - 4;
  if (end < 0) throw failure(1002, 'too short for a sum');
  const payload = message.data.subarray(0, end);
  if (!trailer(payload).equals(message.data.subarray(end))) throw failure(1007, 'wrong sum');
  message.data = payload;
  return message;
}

function sumOut(message) {
  message.rsv3 = true;
  message.data = Buffer.concat([message.data, trailer(message.data)]);
  return message;
}

class Session {
  constructor(incoming, outgoing) {
    this.processIncomingMessage = (message, callback) => callback(null, incoming(message));
    this.processOutgoingMessage = (message, callback) => callback(null, outgoing(message));
  }

  generateOffer() {
    return {};
  }

  generateResponse() {
    return {};
  }

  /// Of a client: takes only a plain acceptance.
  activate(params) {
    return Object.keys(params).length === 0;
  }

  close() {}
}

function extension(name, bit, incoming, outgoing) {
  return {
    name,
    type: 'permessage',
    rsv1: false,
    rsv2: bit === 2,
    rsv3: bit === 3,
    createClientSession: () => new Session(incoming, outgoing),
    createServerSession: (offers) =>
      (offers.some((params) => Object.keys(params).length === 0) ? new Session(incoming, outgoing) : null),
  };
}

const CUSTOM = {
  'x-rot13': extension('x-rot13', 2, rotateIn, rotateOut),
  'x-checksum': extension('x-checksum', 3, checkIn, sumOut),
};

// How golden.json is compressed, each message for itself: fixed Huffman codes and no choice.
const GOLDEN_CODES = { level: 9, strategy: zlib.constants.Z_FIXED, noContextTakeover: true };

/// Adds extensions to a driver, in order: a name, or the options of permessage-deflate.
export function addExtensions(driver, specs) {
  for (const spec of specs) {
    const options = spec === 'permessage-deflate' ? GOLDEN_CODES : spec;
    driver.addExtension(CUSTOM[spec] ?? permessageDeflate.configure(options));
  }
}
