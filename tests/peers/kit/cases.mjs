// The cases of the fuzzing pair. Each is strict: exactly these frames must come back, and nothing else.
// `p` is a Conversation; what differs between the roles is in `p.role`.

import { binaryOf, chineseOf, textOf, CHINESE, MEBIBYTE } from './payloads.mjs';
import { CLOSE, closePayload } from './frames.mjs';

// The largest message: a server's default, and what `hawser echo --client` takes so that fuzzing servers can be large.
const SERVER_LIMIT = MEBIBYTE;
const CLIENT_LIMIT = 64 * MEBIBYTE;
const FRAGMENT_LIMIT = 1024;  // a server's default

const cases = [];

function add(section, title, run) {
  cases.push({ id: cases.length + 1, section, title, run });
}

/// A case that ends with an orderly close after `run`.
function orderly(section, title, run) {
  add(section, title, async (p) => {
    await run(p);
    await p.closeWith(1000);
  });
}

/// A case in which the bytes that `bad` makes must be met with `code`. A good message in the same write comes first and
/// must be echoed, so the verdict is never that of a peer that just hangs up.
function failing(section, title, code, bad) {
  add(section, title, async (p) => {
    await p.send(p.text('good'), ...[bad(p)].flat());
    await p.expectText('good');
    await p.expectFail(code);
  });
}

// ---- 5.2: lengths --------------------------------------------------------------------------------------------------
for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, MEBIBYTE]) {
  orderly('5.2', `text of ${size} bytes`, async (p) => {
    await p.send(p.text(textOf(size)));
    await p.expectText(textOf(size));
  });
  orderly('5.2', `binary of ${size} bytes`, async (p) => {
    await p.send(p.binary(binaryOf(size)));
    await p.expectBinary(binaryOf(size));
  });
}
orderly('5.2', 'a 64-bit length, one byte a write', async (p) => {
  const whole = p.text(chineseOf(65537));
  await p.sendCut(1, whole.subarray(0, 40));
  await p.sendCut(997, whole.subarray(40));
  await p.expectText(chineseOf(65537));
});
orderly('5.2', 'three messages, one byte a write', async (p) => {
  await p.sendCut(1, p.text(CHINESE), p.binary(binaryOf(130)), p.text(''));
  await p.expectText(CHINESE);
  await p.expectBinary(binaryOf(130));
  await p.expectText('');
});
orderly('5.2', '1000 messages in one write', async (p) => {
  await p.send(...Array.from({ length: 1000 }, (_, i) => p.text(`message ${i}`)));
  for (let i = 0; i < 1000; ++i) await p.expectText(`message ${i}`);
});
orderly('5.2', '1000 empty messages', async (p) => {
  await p.send(...Array.from({ length: 1000 }, () => p.binary('')));
  for (let i = 0; i < 1000; ++i) await p.expectBinary('');
});
failing('5.2', 'a length with its highest bit set', 1002, (p) => p.binary('', { lengthBytes: 8, declared: 1n << 63n }));
failing('5.2', 'a 16-bit length where 7 bits are enough', 1002, (p) => p.binary('short', { lengthBytes: 2 }));
failing('5.2', 'a 64-bit length where 16 bits are enough', 1002, (p) => p.binary(binaryOf(200), { lengthBytes: 8 }));

// ---- 5.1, 5.3: masking ---------------------------------------------------------------------------------------------
failing('5.1', 'the wrong masking', 1002, (p) => p.text('x', { key: p.role === 'server' ? null : Buffer.from('mask') }));
failing('5.1', 'the wrong masking on a control frame', 1002,
  (p) => p.ping('x', { key: p.role === 'server' ? null : Buffer.from('mask') }));
orderly('5.3', 'a client masks each frame with a fresh key', async (p) => {
  for (let i = 0; i < 16; ++i) await p.send(p.text(`key ${i}`));
  for (let i = 0; i < 16; ++i) await p.expectText(`key ${i}`);
  if (p.role === 'client' && new Set(p.keys).size !== 16) throw new Error(`keys were used again: ${p.keys}`);
});

// ---- 5.2: RSV bits and opcodes, with no extension agreed -----------------------------------------------------------
for (const rsv of [1, 2, 4, 7]) {
  failing('5.2', `RSV ${rsv} on text`, 1002, (p) => p.text('x', { rsv }));
  failing('5.2', `RSV ${rsv} on a ping`, 1002, (p) => p.ping('x', { rsv }));
  failing('5.2', `RSV ${rsv} on a continuation`, 1002, (p) => [p.binary('x'.repeat(20), { fin: false }), p.rest('x', { rsv })]);
  failing('5.2', `RSV ${rsv} on a close`, 1002, (p) => p.close(1000, '', { rsv }));
}
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  failing('5.2', `reserved opcode ${opcode}`, 1002, (p) => p.frame({ opcode, payload: 'x' }));
}
failing('5.2', 'a reserved opcode between fragments', 1002,
  (p) => [p.text('a fragment of a text', { fin: false }), p.frame({ opcode: 3 }), p.rest('the rest')]);

// ---- 5.5: control frames -------------------------------------------------------------------------------------------
for (const size of [0, 1, 125]) {
  orderly('5.5.2', `a ping of ${size} bytes`, async (p) => {
    await p.send(p.ping(binaryOf(size)));
    await p.expectPong(binaryOf(size));
  });
}
orderly('5.5.2', 'a ping, one byte a write', async (p) => {
  await p.sendCut(1, p.ping('slowly'));
  await p.expectPong('slowly');
});
orderly('5.5.2', 'ten pings in one write', async (p) => {
  await p.send(...Array.from({ length: 10 }, (_, i) => p.ping(`ping ${i}`)));
  for (let i = 0; i < 10; ++i) await p.expectPong(`ping ${i}`);
});
orderly('5.5.3', 'pongs that nobody asked for', async (p) => {
  await p.send(p.pong('one'), p.pong(''), p.text('after them'));
  await p.expectText('after them');
});
failing('5.5', 'a ping of 126 bytes', 1002, (p) => p.ping(binaryOf(126)));
failing('5.5', 'a ping of 65536 bytes', 1002, (p) => p.ping(binaryOf(65536)));
failing('5.5', 'a pong of 126 bytes', 1002, (p) => p.pong(binaryOf(126)));
failing('5.5', 'a fragmented ping', 1002, (p) => [p.ping('x', { fin: false }), p.rest('y')]);
failing('5.5', 'a fragmented pong', 1002, (p) => p.pong('x', { fin: false }));
failing('5.5', 'a fragmented close', 1002, (p) => p.close(1000, '', { fin: false }));

// ---- 5.4: fragmentation --------------------------------------------------------------------------------------------
orderly('5.4', 'text in two fragments', async (p) => {
  await p.send(p.text('frag', { fin: false }), p.rest('ment'));
  await p.expectText('fragment');
});
orderly('5.4', 'fragments with a ping between them, one byte a write', async (p) => {
  await p.sendCut(1, p.text('缆', { fin: false }), p.ping('now'), p.rest('绳'));
  await p.expectPong('now');
  await p.expectText('缆绳');
});
orderly('5.4', 'empty fragments around a text', async (p) => {
  await p.send(p.text('', { fin: false }), p.rest('middle', { fin: false }), p.rest(''));
  await p.expectText('middle');
});
orderly('5.4', 'a message of nothing but empty fragments', async (p) => {
  await p.send(p.binary('', { fin: false }), p.rest('', { fin: false }), p.rest(''));
  await p.expectBinary('');
});
orderly('5.4', '200 fragments, each its own write, a ping after every tenth', async (p) => {
  const piece = binaryOf(300);
  for (let i = 0; i < 200; ++i) {
    await p.send(i === 0 ? p.binary(piece, { fin: false }) : p.rest(piece, { fin: i === 199 }));
    if (i % 10 === 5) {
      await p.send(p.ping(`${i}`));
      await p.expectPong(`${i}`);
    }
  }
  await p.expectBinary(Buffer.concat(Array(200).fill(piece)));
});
orderly('5.4', 'two fragmented messages after each other', async (p) => {
  await p.send(p.text('a', { fin: false }), p.rest('b'), p.binary('c', { fin: false }), p.rest('d'), p.text('e'));
  await p.expectText('ab');
  await p.expectBinary('cd');
  await p.expectText('e');
});
failing('5.4', 'a continuation of nothing', 1002, (p) => p.rest('x'));
failing('5.4', 'an unfinished continuation of nothing', 1002, (p) => p.rest('x', { fin: false }));
add('5.4', 'a continuation after a finished message', async (p) => {
  await p.send(p.text('all ', { fin: false }), p.rest('there'), p.rest('once more'));
  await p.expectText('all there');
  await p.expectFail(1002);
});
failing('5.4', 'binary inside a fragmented text', 1002, (p) => [p.text('a', { fin: false }), p.binary('b'), p.rest('c')]);
failing('5.4', 'unfinished text inside a fragmented text', 1002,
  (p) => [p.text('a', { fin: false }), p.text('b', { fin: false }), p.rest('c')]);

// ---- 8.1: UTF-8 ----------------------------------------------------------------------------------------------------
const GOOD = ['κόσμε', '\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}', '\ud7ff\ue000\ufffd', '\ufeff',
  '🚢'.repeat(50)];
orderly('8.1', 'good UTF-8', async (p) => {
  for (const text of GOOD) {
    await p.send(p.text(text));
    await p.expectText(text);
  }
});
orderly('8.1', 'good UTF-8, cut at every byte into two fragments', async (p) => {
  for (const text of GOOD) {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= Math.min(bytes.length, 20); ++at) {
      await p.send(p.text(bytes.subarray(0, at), { fin: false }), p.rest(bytes.subarray(at)));
      await p.expectText(text);
    }
  }
});
const BAD = {
  'a lone continuation byte': '80', 'an overlong slash of two bytes': 'c0af', 'an overlong slash of three bytes': 'e080af',
  'an overlong nothing of four bytes': 'f0808080', 'a low surrogate': 'edb080', 'a high surrogate': 'eda080',
  'beyond U+10FFFF': 'f4908080', 'a five-byte form': 'f888808080', '0xFE': 'fe', '0xFF': 'ff', 'a letter cut short': 'e4bd',
  'a letter cut by ASCII': 'e4bd41',
};
for (const [title, hex] of Object.entries(BAD)) {
  failing('8.1', `${title} in a text`, 1007, (p) => p.text(Buffer.from(`616263${hex}`, 'hex')));
  failing('8.1', `${title} after 100 good letters, in the second fragment`, 1007,
    (p) => [p.text('好'.repeat(100), { fin: false }), p.rest(Buffer.from(hex, 'hex'))]);
}
failing('8.1', 'a letter cut short at the end of the last fragment', 1007,
  (p) => [p.text('a fragment of good text', { fin: false }), p.rest(Buffer.from('e4bd', 'hex'))]);
failing('8.1', 'a bad byte in a frame that never ends', 1007,
  (p) => p.text(Buffer.from('good so far\xff and no more', 'latin1'), { declared: 5000n, lengthBytes: 2 }));
failing('8.1', 'a bad byte in an unfinished message', 1007,
  (p) => p.text(Buffer.from('good so far\xc0', 'latin1'), { fin: false }));
orderly('8.1', 'bad UTF-8 is good binary', async (p) => {
  for (const hex of Object.values(BAD)) {
    await p.send(p.binary(Buffer.from(hex, 'hex')));
    await p.expectBinary(Buffer.from(hex, 'hex'));
  }
});

// ---- 5.5.1, 7: closing ---------------------------------------------------------------------------------------------
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  // 1010 is for clients (7.4.1): a server may answer it without a code. Conformance suites allow the same code or none.
  const others = (p) => (code === 1010 && p.role === 'server' ? [undefined] : []);
  add('7.4', `a close with ${code}`, (p) => p.closeWith(code, 'because', others(p)));
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
  failing('7.4', `a close with ${code}`, 1002, (p) => p.close(code, 'because'));
}
add('5.5.1', 'a close without a code', (p) => p.closeWith(undefined));
add('5.5.1', 'a close with a reason of 123 bytes', (p) => p.closeWith(1000, '再'.repeat(41)));
add('5.5.1', 'a close, one byte a write', async (p) => {
  await p.sendCut(1, p.close(1000, '再见'));
  await p.expectCloseAnswer(1000);
});
failing('5.5.1', 'a close of one byte', 1002, (p) => p.frame({ opcode: CLOSE, payload: 'x' }));
failing('5.5.1', 'a close of 126 bytes', 1002, (p) => p.close(1000, 'x'.repeat(124)));
failing('5.5.1', 'a close whose reason is not UTF-8', 1007,
  (p) => p.frame({ opcode: CLOSE, payload: Buffer.concat([closePayload(1000), Buffer.from([0xce, 0xba, 0xe1])]) }));
add('5.5.1', 'messages and pings after a close are not answered', async (p) => {
  await p.send(p.text('before'), p.close(1000), p.text('after'), p.ping('after'), p.close(1001));
  await p.expectText('before');
  await p.expectCloseAnswer(1000);
});
add('5.5.1', 'a close in the middle of a fragmented message', async (p) => {
  await p.send(p.text('never finished, it seems', { fin: false }), p.close(1000));
  await p.expectCloseAnswer(1000);
});
add('7.1.7', 'nothing after a breach is looked at', async (p) => {
  await p.send(p.text('good'), p.text('bad', { rsv: 4 }), p.text('not seen'), p.ping('not seen'), p.close(1000));
  await p.expectText('good');
  await p.expectFail(1002);
});
add('5.5.1', 'a close waits for the echo of a large message', async (p) => {
  await p.send(p.binary(binaryOf(MEBIBYTE)), p.close(4000));
  await p.expectBinary(binaryOf(MEBIBYTE));
  await p.expectCloseAnswer(4000);
});

// ---- 10.4: limits --------------------------------------------------------------------------------------------------
const limit = (p) => (p.role === 'server' ? SERVER_LIMIT : CLIENT_LIMIT);
orderly('10.4', 'a large message, for a server the largest, in two fragments', async (p) => {
  const whole = binaryOf(p.role === 'server' ? SERVER_LIMIT : 8 * MEBIBYTE);
  await p.send(p.binary(whole.subarray(0, 1000), { fin: false }), p.rest(whole.subarray(1000)));
  await p.expectBinary(whole);
});
failing('10.4', 'one byte over the limit, declared only', 1009,
  (p) => p.binary('', { declared: BigInt(limit(p)) + 1n, lengthBytes: 8 }));
failing('10.4', '2^62 bytes declared', 1009, (p) => p.binary('', { declared: 1n << 62n, lengthBytes: 8 }));
failing('10.4', 'a second fragment that would overflow a sum', 1009,
  (p) => [p.binary('0123456789abcdef', { fin: false }), p.rest('', { declared: (1n << 63n) - 1n, lengthBytes: 8 })]);
failing('10.4', 'one byte over the limit in the second fragment', 1009,
  (p) => [p.binary(binaryOf(1000), { fin: false }), p.rest('', { declared: BigInt(limit(p) - 999), lengthBytes: 8 })]);
orderly('10.4', `${FRAGMENT_LIMIT} fragments`, async (p) => {
  const piece = binaryOf(20);
  const more = Array.from({ length: FRAGMENT_LIMIT - 1 }, (_, i) => p.rest(piece, { fin: i === FRAGMENT_LIMIT - 2 }));
  await p.send(p.binary(piece, { fin: false }), ...more);
  await p.expectBinary(Buffer.concat(Array(FRAGMENT_LIMIT).fill(piece)));
});
add('10.4', `${FRAGMENT_LIMIT + 1} fragments: too many for a server`, async (p) => {
  const more = Array.from({ length: FRAGMENT_LIMIT }, (_, i) => p.rest(binaryOf(20), { fin: i === FRAGMENT_LIMIT - 1 }));
  await p.send(p.text('good'), p.binary(binaryOf(20), { fin: false }), ...more);
  await p.expectText('good');
  if (p.role === 'server') return p.expectFail(1008);
  await p.expectBinary(Buffer.concat(Array(FRAGMENT_LIMIT + 1).fill(binaryOf(20))));
  return p.closeWith(1000);
});

export { cases };
