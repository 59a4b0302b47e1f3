// js/hawser-inband.mjs against the vectors of docs/wire: what the C++ tests read. Prints how many it held, or what it did not.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  ExtensionError, Pipeline, agree, checksum, crc32c, formatExtensions, messageExtension, offer, parseAnswer, parseExtensions,
} from '../../js/hawser-inband.mjs';

const utf8 = new TextEncoder();
const hex = (text) => Uint8Array.from(text.match(/../g) ?? [], (digits) => parseInt(digits, 16));
const toHex = (bytes) => Buffer.from(bytes).toString('hex');
const latin = (bytes) => String.fromCharCode(...bytes);

function vectors(name) {
  const page = readFileSync(new URL(`../../docs/wire/${name}.md`, import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/^```vectors\n(.*?)^```/gms)].map(([, rows]) => rows.trim().split('\n'));
  return blocks.flat().map((row) => Object.fromEntries(row.split(' ').map((word) => {
    const at = word.indexOf('=');
    return [word.slice(0, at), word.slice(at + 1)];
  })));
}

let told = null;

/// The code that a call fails with, or null: thrown, or told by a pipeline.
function failure(call) {
  told = null;
  try {
    call();
  } catch (error) {
    told = error;
  }
  if (told === null) return null;
  assert.ok(told instanceof ExtensionError, told);
  assert.ok(told.message.length > 10, 'no reason');
  return told.code;
}

/// A pipeline at work.
function pipelineOf(agreed, options) {
  const pipeline = new Pipeline(agreed, { output() {}, input() {}, fail: (error) => { told = error; }, ...options });
  pipeline.open();
  return pipeline;
}

const checks = {
  answers() {
    const rows = vectors('inband').filter((row) => 'answer' in row);
    for (const row of rows) {
      const read = () => parseAnswer(latin(hex(row.answer)));
      if (row.fails) {
        assert.equal(failure(read), Number(row.fails), row.name);
        continue;
      }
      const { protocol, extensions } = read();
      assert.equal(protocol, row.protocol, row.name);
      const wanted = latin(hex(row.extensions));
      assert.deepEqual(extensions, wanted === '' ? [] : parseExtensions(wanted), row.name);
    }
    return rows.length;
  },

  messages() {
    const rows = vectors('inband').filter((row) => 'message' in row);
    for (const row of rows) {
      const got = { rsv: 0, controls: [], messages: [], out: [] };
      // As the tests in C++: claims RSV2 and opcode 11, notes what is marked and lets all of it be.
      const marker = {
        name: 'x-mark',
        rsv: 2,
        opcodes: [11],
        encode: (message) => ({ ...message, rsv: Number(row.rsv) }),
        decode(message) {
          got.rsv = message.rsv;
          return { ...message, rsv: 0 };
        },
        control: (opcode, payload) => got.controls.push([opcode, toHex(payload)]),
      };
      const pipeline = pipelineOf(agree([marker], [{ name: 'x-mark', params: [] }]), {
        output: (wire) => got.out.push(toHex(wire)),
        input: (message) => got.messages.push([message.opcode, toHex(message.payload)]),
      });
      const code = failure(() => pipeline.receive(hex(row.message)));
      if (row.name === 'no_utf8') {  // Judged where text becomes a string.
        assert.equal(code, null);
        continue;
      }
      assert.equal(code, row.fails ? Number(row.fails) : null, row.name);
      if (row.fails) continue;
      if (row.opcode === '11') {
        assert.deepEqual(got.controls, [[11, row.payload]], row.name);
        continue;
      }
      assert.deepEqual(got.messages, [[Number(row.opcode), row.payload]], row.name);
      assert.equal(got.rsv, Number(row.rsv), row.name);
      pipeline.send(Number(row.opcode), hex(row.payload));
      assert.deepEqual(got.out, [row.message], row.name);
    }
    return rows.length;
  },

  checksum() {
    assert.equal(crc32c(utf8.encode('123456789')), 0xe3069283);
    const rows = vectors('checksum');
    for (const row of rows) {
      const got = [];
      const stages = agree([checksum()], [{ name: 'x-hawser-checksum', params: [] }]);
      const pipeline = pipelineOf(stages, { output: (wire) => got.push(toHex(wire)), input: ({ payload }) => got.push(toHex(payload)) });
      const code = failure(() => pipeline.receive(Uint8Array.of(0x12, ...hex(row.wire))));
      assert.equal(code, row.fails ? Number(row.fails) : null, row.name);
      if (row.fails) continue;
      pipeline.send(2, hex(row.message));
      assert.deepEqual(got, [row.message, `12${row.wire}`], row.name);
    }
    return rows.length;
  },

  // N-01 to N-03, as the C++ parser has them.
  lists() {
    const good = [
      ['a', 'a'], ['a;b', 'a; b'], [' a , b;c=1 ;\td = "x" ,, ', 'a, b; c=1; d=x'], ['a;b="\\x"', 'a; b=x'], [',a', 'a'], ['a;b;b=1', 'a; b; b=1'],
    ];
    for (const [text, normal] of good) assert.equal(formatExtensions(parseExtensions(text)), normal, text);
    const bad = ['', ' ', ',', ',,', ';', 'a;', 'a;=1', 'a;b=', 'a;b=""', 'a;b="x y"', 'a;b="x', 'a;b="x\\', 'a b', 'a;b=1 2', 'ä', '\0', 'a;b="a,b"',
      'a,b,c,d,e,f,g,h,i', `a${';p'.repeat(17)}`];
    for (const text of bad) assert.equal(failure(() => parseExtensions(text)), 1002, JSON.stringify(text));
    assert.equal(offer([checksum(), messageExtension('x-b', 2, {})]), 'x-hawser-checksum, x-b');
    assert.throws(() => offer([{ name: 'a b' }]), TypeError);
    assert.throws(() => offer(Array(9).fill({ name: 'a' })), TypeError);
    return good.length + bad.length + 3;
  },

  // Whatever comes, it is read or refused with a code; nothing else is thrown.
  noise() {
    let state = 6455;
    const random = (below) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % below;
    };
    const pieces = ['ext1.hawser', 'x-a', ';', ',', '=', '"', '\\', ' ', '\t', 'protocol', '\0', 'é', 'b'];
    const codes = new Set();
    for (let i = 0; i < 3000; ++i) {
      const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('');
      codes.add(failure(() => parseAnswer(text)));
      const pipeline = pipelineOf(agree([checksum(), { name: 'x-own', opcodes: [5, 11] }], parseExtensions('x-own, x-hawser-checksum')),
        { maxMessage: 20 });
      const wire = Uint8Array.from({ length: random(40) }, () => random(256));
      if (wire.length > 0 && random(2)) wire[0] &= 0x1f;
      codes.add(failure(() => pipeline.receive(wire)));
    }
    assert.deepEqual([...codes].sort(), [1002, 1007, 1009, null]);
    return 6000;
  },

  // N-08, P-12, N-16, N-20.
  agreements() {
    const level = { name: 'x-level', rsv: 2, offers: () => [[{ name: 'level', value: '3' }]], confirm: (params) => (params.length === 1 ? {} : null) };
    const bit = { name: 'x-bit', rsv: 2 };
    const own = { name: 'x-own', opcodes: [11] };
    const cases = [
      [[level], 'x-level; level=3', null], [[level], 'x-level', 1002], [[level], 'x-other', 1002], [[bit], 'x-bit; a=1', 1002],
      [[bit], 'x-bit, x-bit', 1002], [[level, bit], 'x-bit, x-level; level=1', 1002], [[own, { ...own, name: 'x-too' }], 'x-own, x-too', 1002],
      [[bit, { name: 'x-must', required: true }], 'x-bit', 1010], [[bit, own], 'x-own, x-bit', null],
    ];
    for (const [extensions, answer, code] of cases) {
      assert.equal(failure(() => agree(extensions, parseExtensions(answer))), code, answer);
    }
    assert.deepEqual(agree([bit, own], parseExtensions('x-own, x-bit')).map(({ name }) => name), ['x-own', 'x-bit']);
    return cases.length + 1;
  },

  // N-11: the sender computes b(a(message)) for "a, b", the receiver undoes b, then a. The limit is behind each stage.
  order_and_limits() {
    const tail = (name, letter, rsv) => messageExtension(name, rsv, {
      encode: (bytes) => Uint8Array.of(...bytes, letter.charCodeAt(0)),
      decode(bytes) {
        if (bytes.at(-1) !== letter.charCodeAt(0)) throw new ExtensionError(1007, `no ${letter} at the end`);
        return bytes.subarray(0, -1);
      },
      adds: 1,
    });
    const make = (answer, got, maxMessage) => pipelineOf(agree([tail('a', 'A', 4), tail('b', 'B', 2)], parseExtensions(answer)), {
      output: (wire) => got.push(latin(wire)), input: ({ payload }) => got.push(latin(payload)), maxMessage,
    });
    for (const [answer, wire] of [['a, b', 'xAB'], ['b, a', 'xBA']]) {
      const got = [];
      const pipeline = make(answer, got, 1);
      pipeline.send(1, utf8.encode('x'));
      assert.deepEqual(got, [`\x61${wire}`]);
      pipeline.receive(utf8.encode(`\x61${wire}`));
      assert.deepEqual(got.at(-1), 'x');
      assert.equal(failure(() => pipeline.receive(utf8.encode(`\x61x${wire}`))), 1009);
      assert.equal(failure(() => make(answer, got, 1).receive(utf8.encode(`\x61${[...wire].reverse().join('')}`))), 1007);
    }
    return 8;
  },

  // Held and let go later; own control messages; what a stage must not do is 1011.
  stages() {
    const held = [];
    const got = [];
    const holder = {
      name: 'x-hold',
      opcodes: [12],
      decode(message, context) {
        held.push(() => context.forward('in', message));
      },
      control: (opcode, payload, context) => context.sendControl(12, payload),
    };
    const pipeline = pipelineOf(agree([holder], parseExtensions('x-hold')), { output: (wire) => got.push(latin(wire)), input: ({ payload }) => got.push(latin(payload)) });
    pipeline.receive(utf8.encode('\x01held'));
    pipeline.receive(utf8.encode('\x0cping'));
    assert.deepEqual(got, ['\x0cping']);
    held[0]();
    assert.deepEqual(got, ['\x0cping', 'held']);
    const wrong = [
      { encode: (message) => ({ ...message, rsv: 4 }) }, { encode: (message) => ({ ...message, opcode: 2 }) }, { encode: () => ({ opcode: 1, rsv: 0 }) },
      { encode() { throw new Error('a mistake'); } }, { encode: (message, context) => context.sendControl(9) },
      { encode: (message, context) => context.sendControl(12, new Uint8Array(126)) },
    ];
    for (const stage of wrong) {
      const one = pipelineOf(agree([{ name: 'x-wrong', rsv: 2, opcodes: [12], ...stage }], parseExtensions('x-wrong')));
      assert.equal(failure(() => one.send(1, utf8.encode('x'))), 1011, stage.encode.toString());
    }
    // An own data opcode ends at its owner; the stages behind it work on it.
    const records = [];
    const owner = {
      name: 'x-owner',
      opcodes: [5],
      encode(message, context) {
        context.forward('out', { opcode: 5, rsv: 0, payload: utf8.encode('own') });
        return message;
      },
      decode: (message) => (records.push([message.opcode, latin(message.payload)]), message),
    };
    const tap = { name: 'x-tap', decode: (message) => (records.push('tap'), message) };
    const data = pipelineOf(agree([tap, owner, checksum()], parseExtensions('x-tap, x-owner, x-hawser-checksum')),
      { output: (wire) => got.push(wire), input: (message) => records.push(latin(message.payload)) });
    data.send(1, utf8.encode('text'));
    data.receive(got.at(-2));
    assert.deepEqual(records, [[5, 'own']]);
    data.receive(got.at(-1));
    assert.deepEqual(records, [[5, 'own'], [1, 'text'], 'tap', 'text']);
    const left = pipelineOf(agree([{ name: 'x-left', rsv: 2 }], parseExtensions('x-left')));
    assert.equal(failure(() => left.receive(utf8.encode('\x21x'))), 1002);
    return 5 + wrong.length;
  },
};

let held = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    held += check();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    process.exit(1);
  }
}
console.log(`${held} held`);
