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
