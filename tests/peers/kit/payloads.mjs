// The messages that every echo test sends: each edge of the length encoding, and text of one to four bytes a letter.

export const MEBIBYTE = 1 << 20;
export const SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, MEBIBYTE - 1, MEBIBYTE];
export const CHINESE = '扩展协议：系在缆绳上的船';
export const TEXTS = ['hello', '', ' ', 'a\tb\0c', CHINESE, 'é'.repeat(63), '漢字'.repeat(21) + 'x', '🚢⚓'.repeat(16),
  '\u{10ffff}\ufeff\u200b', CHINESE.repeat(2000)];

export function textOf(size) {
  const line = '0123456789 the quick brown fox jumps over the lazy dog; ';
  return line.repeat(Math.ceil(size / line.length)).slice(0, size);
}

export function chineseOf(size) {
  return CHINESE[0].repeat(Math.floor(size / 3)) + 'x'.repeat(size % 3);
}

export function binaryOf(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; ++i) bytes[i] = (17 * i + Math.floor(i / 251)) & 0xff;
  return bytes;
}

export function* everything() {
  yield* TEXTS;
  for (const size of SIZES) {
    yield textOf(size);
    yield chineseOf(size);
    yield binaryOf(size);
  }
}

/// Bytes that do not compress, the same on every run.
export function noiseOf(size, seed = 1) {
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let i = 0; i < size; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export const QUOTES = JSON.stringify(Array.from({ length: 18 }, (_, i) =>
  ({ symbol: `HWS${i}`, bid: 10025 + i, ask: 10050 + 3 * i, size: 100 * i, venue: 'XETRA' })));

/// What is sent where messages are compressed: nothing, little, the same twice, repetition, noise, and a repetition that
/// lies half a window of `bits` back; with `large` also long ones. Noise grows when it is compressed, and the limit of a
/// message holds before and after.
export function* compressible(bits, large) {
  const half = noiseOf(1 << (bits - 1), bits);
  yield* ['', Buffer.alloc(0), 'x', Buffer.from([0]), QUOTES, QUOTES, 'a'.repeat(10000), noiseOf(3000), CHINESE.repeat(30)];
  yield Buffer.concat([half, half]);
  if (large) yield* [textOf(65536), textOf(MEBIBYTE), noiseOf(MEBIBYTE - 4096), binaryOf(MEBIBYTE)];
}
