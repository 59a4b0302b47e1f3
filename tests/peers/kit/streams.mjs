// Streams of frames for the differential test, written by kit/frames.mjs and then, in most cases, damaged. Every stream
// follows from the seed, its number and the role of the receiver alone: what a server receives is masked.

import * as wire from './frames.mjs';

const LIMIT = 1 << 20;  // maxPayload of both receivers
const LETTERS = ['a', 'Z', ' ', 'é', 'ß', '缆', '绳', '扩', '🚢', '\u{10ffff}', '\ufeff', '\u0000'];
const CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 9999, 65535];
const BAD_UTF8 = ['80', 'bf', 'c080', 'c1bf', 'e08080', 'e09fbf', 'eda080', 'edbfbf', 'f0808080', 'f08fbfbf', 'f4908080',
  'f5808080', 'f888808080', 'fe', 'ff', 'c3', 'e4bd', 'f09f9a', 'e4bd41', 'c328'].map((hex) => Buffer.from(hex, 'hex'));

/// A generator of 32-bit numbers (the sfc32 design), seeded by two numbers; it knows who receives.
export class Random {
  constructor(seed, stream, role) {
    this.role = role;
    [this.a, this.b, this.c, this.d] = [seed | 0, stream | 0, 0x9e3779b9 | 0, 1];
    for (let i = 0; i < 15; ++i) this.next();
  }

  next() {
    const t = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t | 0;
    return t >>> 0;
  }

  below(end) {
    return this.next() % end;
  }

  oneIn(n) {
    return this.below(n) === 0;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  bytes(size) {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; ++i) bytes[i] = this.next() >>> 13;
    return bytes;
  }
}

// ---- well-formed streams -------------------------------------------------------------------------------------------
function messageSize(random) {
  const draw = random.below(1000);
  if (draw < 600) return random.below(24);
  if (draw < 800) return 120 + random.below(12);
  if (draw < 960) return 200 + random.below(3000);
  if (draw < 997) return 65530 + random.below(12);
  return LIMIT - random.below(3);
}

function textOf(random, size) {
  if (size > 5000) return Buffer.concat([Buffer.alloc(size - 3, 'x'), Buffer.from('缆')]);
  const letters = [];
  for (let left = size; left > 0;) {
    const letter = Buffer.from(random.pick(LETTERS));
    const taken = letter.length <= left ? letter : Buffer.from('.'.repeat(left));
    letters.push(taken);
    left -= taken.length;
  }
  return Buffer.concat(letters);
}

function maskingKey(random) {
  if (random.role === 'client') return null;
  return random.oneIn(20) ? Buffer.alloc(4) : random.bytes(4);
}

function controlFrame(random) {
  const opcode = random.pick([wire.PING, wire.PONG]);
  return { opcode, payload: random.bytes(random.pick([0, 1, 5, 124, 125])), fin: true, rsv: 0, key: maskingKey(random) };
}

function messageFrames(random) {
  const opcode = random.pick([wire.TEXT, wire.BINARY]);
  const size = messageSize(random);
  const whole = opcode === wire.TEXT ? textOf(random, size) : random.bytes(size);
  const count = random.oneIn(3) ? 1 + random.below(6) : 1;
  const cuts = Array.from({ length: count - 1 }, () => random.below(whole.length + 1)).sort((a, b) => a - b);
  const frames = [];
  [...cuts, whole.length].reduce((from, to, index) => {
    frames.push({ opcode: index ? wire.CONTINUATION : opcode, payload: whole.subarray(from, to), fin: index === count - 1,
      rsv: 0, key: maskingKey(random) });
    if (index < count - 1 && random.oneIn(4)) frames.push(controlFrame(random));
    return to;
  }, 0);
  return frames;
}

function closeFrame(random) {
  const payload = random.oneIn(5) ? Buffer.alloc(0)
    : wire.closePayload(random.pick(CLOSE_CODES), textOf(random, random.pick([0, 3, 20, 123])));
  return { opcode: wire.CLOSE, payload, fin: true, rsv: 0, key: maskingKey(random) };
}

function wellFormed(random) {
  const frames = [];
  for (let left = 1 + random.below(7); left > 0; --left) {
    frames.push(...(random.oneIn(4) ? [controlFrame(random)] : messageFrames(random)));
  }
  if (random.oneIn(2)) frames.push(closeFrame(random));
  return frames;
}

// ---- damage --------------------------------------------------------------------------------------------------------
const isData = ({ opcode }) => opcode < 8;

function dataFrame(random, frames) {
  const found = frames.filter(isData);
  return found.length ? random.pick(found) : frames[0];
}

function splice(bytes, at, remove, insert = Buffer.alloc(0)) {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

// What can be wrong with the frames. Each gets the list and may change it in place.
const FRAME_DAMAGE = {
  rsv: (random, frames) => { random.pick(frames).rsv = 1 + random.below(7); },
  opcode: (random, frames) => { random.pick(frames).opcode = random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]); },
  wrongMask: (random, frames) => {
    const frame = random.pick(frames);
    frame.key = frame.key ? null : random.bytes(4);
  },
  longLength: (random, frames) => {
    const frame = random.pick(frames);
    if (frame.declared === undefined) frame.lengthBytes = frame.payload.length < 126 ? random.pick([2, 8]) : 8;
  },
  highestBit: (random, frames) => Object.assign(random.pick(frames), { lengthBytes: 8,
    declared: (1n << 63n) | BigInt(random.next()) }),
  hugeLength: (random, frames) => Object.assign(dataFrame(random, frames), { lengthBytes: 8,
    declared: BigInt(LIMIT + 1) + (random.oneIn(2) ? 0n : BigInt(random.next()) << BigInt(random.below(30))) }),
  overTheLimit: (random, frames) => {
    const frame = dataFrame(random, frames);
    if (isData(frame)) frame.payload = Buffer.concat([frame.payload, Buffer.alloc(LIMIT + 1 - frame.payload.length, 'y')]);
  },
  overTheSum: (random, frames) => {
    const cuts = [LIMIT - 5 - random.below(20), 3, 30 + random.below(5)];
    frames.push(...cuts.map((size, index) => ({ opcode: index ? 0 : wire.BINARY, payload: Buffer.alloc(size, 'z'),
      fin: index === 2, rsv: 0, key: maskingKey(random) })));
  },
  badText: (random, frames) => {
    const frame = dataFrame(random, frames);
    frame.payload = splice(frame.payload, random.below(frame.payload.length + 1), 0, random.pick(BAD_UTF8));
  },
  cutText: (random, frames) => {
    const frame = dataFrame(random, frames);
    frame.payload = Buffer.concat([frame.payload, random.pick(BAD_UTF8).subarray(0, 1)]);
  },
  longControl: (random, frames) => frames.splice(random.below(frames.length + 1), 0,
    { ...controlFrame(random), payload: random.bytes(126 + random.below(200)) }),
  fragmentedControl: (random, frames) => frames.splice(random.below(frames.length + 1), 0,
    { ...controlFrame(random), fin: false }),
  lostStart: (random, frames) => { dataFrame(random, frames).opcode = wire.CONTINUATION; },
  newStart: (random, frames) => { dataFrame(random, frames).opcode = random.pick([wire.TEXT, wire.BINARY]); },
  otherEnd: (random, frames) => { const frame = random.pick(frames); frame.fin = !frame.fin; },
  dropped: (random, frames) => frames.splice(random.below(frames.length), 1),
  doubled: (random, frames) => {
    const at = random.below(frames.length);
    frames.splice(at, 0, { ...frames[at] });
  },
  swapped: (random, frames) => {
    const at = random.below(frames.length), to = random.below(frames.length);
    [frames[at], frames[to]] = [frames[to], frames[at]];
  },
  closeEarly: (random, frames) => frames.splice(random.below(frames.length), 0, closeFrame(random)),
  closeOfOneByte: (random, frames) => frames.splice(random.below(frames.length + 1), 0,
    { ...closeFrame(random), payload: random.bytes(1) }),
  closeCode: (random, frames) => frames.splice(random.below(frames.length + 1), 0,
    { ...closeFrame(random), payload: wire.closePayload(random.pick(BAD_CODES), 'x') }),
  closeReason: (random, frames) => frames.splice(random.below(frames.length + 1), 0,
    { ...closeFrame(random), payload: Buffer.concat([wire.closePayload(1000, 'ab'), random.pick(BAD_UTF8)]) }),
};

// What can happen to the bytes. Each returns the new ones.
const BYTE_DAMAGE = {
  truncated: (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  cutInAHeader: (random, bytes, frames) => {
    const starts = [];
    let at = 0;
    for (const frame of frames) {
      starts.push(at);
      at += wire.frame(frame).length;
    }
    return bytes.subarray(0, random.pick(starts) + 1 + random.below(14));
  },
  bitFlipped: (random, bytes) => {
    const copy = Buffer.from(bytes);
    copy[random.below(Math.min(copy.length, 300))] ^= 1 << random.below(8);
    return copy;
  },
  byteLost: (random, bytes) => splice(bytes, random.below(Math.min(bytes.length, 300)), 1),
  byteGained: (random, bytes) => splice(bytes, random.below(Math.min(bytes.length, 300)), 0, random.bytes(1)),
  overwritten: (random, bytes) => {
    const at = random.below(Math.min(bytes.length, 300));
    const noise = random.bytes(1 + random.below(8)).subarray(0, bytes.length - at);
    return splice(bytes, at, noise.length, noise);
  },
  noise: (random, bytes) => Buffer.concat([bytes, random.bytes(1 + random.below(60))]),
};

export const DAMAGE = [...Object.keys(FRAME_DAMAGE), ...Object.keys(BYTE_DAMAGE)];

const serialize = (frames) => Buffer.concat(frames.map((frame) => wire.frame(frame)));

/// Stream number `index` of `seed` for a receiver in `role`: {bytes, damage}, `damage` being the names of what was done
/// to it, if anything.
export function stream(seed, index, role) {
  const random = new Random(seed, index, role);
  const frames = wellFormed(random);
  const sound = serialize(frames);
  const damage = [];
  let bytes = sound;
  if (random.below(100) < 65) {
    const name = DAMAGE[(index + random.below(3)) % DAMAGE.length];  // in turn, so that each kind gets its share
    damage.push(name);
    if (random.oneIn(4)) damage.push(random.pick(DAMAGE));
    for (const one of damage) if (frames.length) FRAME_DAMAGE[one]?.(random, frames);
    bytes = serialize(frames);
    for (const one of damage) if (BYTE_DAMAGE[one] && bytes.length) bytes = BYTE_DAMAGE[one](random, bytes, frames);
  }
  return { bytes, damage: bytes.equals(sound) ? [] : damage };
}
