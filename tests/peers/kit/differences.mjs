// The classes of differences.md as code. Each class says exactly which verdict of Hawser is right: that of ws on the
// bytes before the frame in question, and then one code. A class never says just "something else".

const isControl = (opcode) => opcode >= 8;

/// What the bytes at `start` say of a frame header: as much as is there.
function headerAt(bytes, start) {
  const left = bytes.length - start;
  if (left < 2) return null;
  const opcode = bytes[start] & 15, short = bytes[start + 1] & 0x7f, masked = bytes[start + 1] >= 0x80;
  const width = short === 126 ? 2 : short === 127 ? 8 : 0;
  const known = bytes.subarray(start + 2, Math.min(start + 2 + width, bytes.length));
  const size = 2 + width + (masked ? 4 : 0);
  const length = width === 0 ? BigInt(short)
    : known.length === width ? BigInt(`0x${known.toString('hex')}`) : null;
  return { start, opcode, short, masked, width, known, size, length, complete: left >= size,
    fin: bytes[start] >= 0x80, rsv: (bytes[start] >> 4) & 7 };
}

/// The frames from the front, up to and with the first one that is not there in full. A Close frame is the last.
function* walk(bytes) {
  for (let at = 0; ;) {
    const header = headerAt(bytes, at);
    if (header === null) return;
    yield header;
    if (!header.complete || header.opcode === 8) return;
    at += header.size + Number(header.length);
    if (at > bytes.length) return;
  }
}

function payloadOf(bytes, header) {
  const from = header.start + header.size;
  const payload = Buffer.from(bytes.subarray(from, Math.min(bytes.length, from + Number(header.length))));
  if (header.masked) for (let i = 0; i < payload.length; ++i) payload[i] ^= bytes[from - 4 + (i & 3)];
  return payload;
}

const highestBit = ({ width, known }) => width === 8 && known.length > 0 && known[0] >= 0x80;

// Of eight bytes of length, the first six say whether two would have been enough.
function notShortest({ width, known, length }) {
  if (width === 2) return length !== null && length < 126n;
  return width === 8 && known.length >= 6 && known.subarray(0, 6).every((byte) => byte === 0);
}

/// The frame in which the first byte lies that no text can have at its place; undefined when all is well.
function frameOfBadText(bytes, role) {
  let decoder = null;
  for (const header of walk(bytes)) {
    if (isControl(header.opcode) || !header.complete || header.masked !== (role === 'server')) continue;
    if (header.opcode !== 0) decoder = header.opcode === 1 ? new TextDecoder('utf-8', { fatal: true }) : null;
    if (!decoder) continue;
    const payload = payloadOf(bytes, header);
    const last = header.fin && BigInt(payload.length) === header.length;
    try {
      decoder.decode(payload, { stream: !last });
    } catch {
      return header;
    }
  }
  return undefined;
}

const lastOf = (bytes) => [...walk(bytes)].at(-1);
const find = (bytes, condition) => [...walk(bytes)].find(condition);

// name, the frame that makes the difference, the code that Hawser answers it with (0: it waits for more).
const CLASSES = [
  ['length not in its shortest form', (bytes) => find(bytes, notShortest), 1002],
  ['highest bit of a length', (bytes) => find(bytes, highestBit), 1002],
  ['text judged before its end', frameOfBadText, 1007],
  ['header not complete', (bytes) => {
    const last = lastOf(bytes);
    return last && !last.complete && !highestBit(last) && !notShortest(last) ? last : undefined;
  }, 0],
  ['close of one byte not complete', (bytes) => {
    const last = lastOf(bytes);
    const waits = last && last.complete && last.opcode === 8 && last.short === 1 && bytes.length === last.start + last.size;
    return waits ? last : undefined;
  }, 0],
  ['1010 is never sent by a server', (bytes, role) => role === 'client' ? undefined : find(bytes, (header) => header.complete
    && header.opcode === 8 && payloadOf(bytes, header).subarray(0, 2).equals(Buffer.from([0x03, 0xf2]))), 1005],
];

export const NAMES = CLASSES.map(([name]) => name);

/// The class that explains the verdicts, or undefined. `verdictOfWs` gives the verdict of ws on other bytes.
export async function classOf(bytes, role, hawser, verdictOfWs) {
  for (const [name, frameOf, code] of CLASSES) {
    const frame = frameOf(bytes, role);
    if (!frame) continue;
    const before = await verdictOfWs(bytes.subarray(0, frame.start), role);
    if (before.close !== 0) continue;
    if (JSON.stringify({ ...before, close: code }) === JSON.stringify(hawser)) return name;
  }
  return undefined;
}
