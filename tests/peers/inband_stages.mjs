// js/hawser-inband.mjs and what the authors of stages do wrong, late or early, over a socket that this file plays. Whatever
// it is, the connection ends in words, and the process goes on. Prints how many it held, or what it did not.

import assert from 'node:assert/strict';
import { ExtensionError, checksum, connect } from '../../js/hawser-inband.mjs';

const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const latin = (data) => String.fromCharCode(...data);
const later = () => new Promise((resolve) => { setTimeout(resolve, 1); });

const escaped = [];
process.on('uncaughtException', (error) => escaped.push(error));
process.on('unhandledRejection', (error) => escaped.push(error));
const reported = [];
console.error = (error) => reported.push(error);

/// As a browser's WebSocket, with a server that this file plays by `says` and `hangsUp`.
class Played {
  constructor() {
    this.sent = [];
    this.protocol = 'ext1.hawser';
    Played.last = this;
  }
  send(wire) {
    this.sent.push(latin(wire));
  }
  close(code, reason = '') {
    assert.ok(code === undefined || code === 1000 || (code >= 3000 && code <= 4999), `a script cannot close with ${code}`);
    this.sent.push(`close ${code} ${reason}`);
  }
  says(text) {
    this.onmessage({ data: bytes(text).buffer });
  }
  hangsUp() {
    this.onclose({ code: 1000, reason: '', wasClean: true });
  }
}

/// A connection that agreed on these stages, and what was seen of it: `events`, and `sent` behind the offer.
function agreed(...stages) {
  const extensions = stages.map((stage, index) => ({ name: `x-${index}`, ...stage }));
  const ws = connect('ws://played/', { extensions, WebSocket: Played });
  const raw = Played.last;
  const events = [];
  ws.onopen = () => events.push('open');
  ws.onmessage = ({ data }) => events.push(`message ${typeof data === 'string' ? data : latin(new Uint8Array(data))}`);
  ws.onerror = ({ message }) => events.push(`error ${message}`);
  ws.onclose = ({ code, reason, wasClean }) => events.push(`close ${code} ${reason} ${wasClean}`);
  raw.onopen();
  raw.sent.length = 0;
  return { ws, raw, events, sent: raw.sent, answer: () => raw.says(`ext1.hawser, ${extensions.map(({ name }) => name).join()}`) };
}

function opened(...stages) {
  const one = agreed(...stages);
  one.answer();
  return one;
}

/// How a connection ends that fails here.
const failed = (code, reason) => [`error ${code} ${reason}`, `close ${code} ${reason} false`];

/// Takes every message away, and gives a way to let it go on.
function holder(held = []) {
  return {
    held,
    decode(message, context) { held.push((changed) => context.forward('in', { ...message, ...changed })); },
    encode(message, context) { held.push((changed) => context.forward('out', { ...message, ...changed })); },
  };
}

const text = (payload, opcode = 1, rsv = 0) => ({ opcode, rsv, payload: bytes(payload) });

const checks = {
  async 'what a held message has wrong ends the connection as if it had just come'() {
    const cases = [
      [[holder()], '\x01\xff', 1007, 'text that is not UTF-8'],
      [[{ ...checksum(), name: 'x-0' }, holder()], '\x11hi\0\0\0\0', 1007, 'checksum mismatch'],
      [[{ decode() { throw new Error('a mistake'); } }, holder()], '\x01hi', 1011, 'x-0 threw: a mistake'],
      [[{ rsv: 4 }, holder()], '\x41hi', 1002, 'a bit that no extension took off'],
    ];
    for (const [stages, wire, code, reason] of cases) {
      const { raw, events, sent } = opened(...stages);
      raw.says(wire);
      assert.deepEqual(events, ['open']);
      let went;
      setTimeout(() => { went = stages.at(-1).held[0](); });
      await later();
      await later();
      assert.deepEqual(events, ['open', ...failed(code, reason)]);
      assert.deepEqual(sent, [`close ${code + 3000} ${reason}`]);
      assert.equal(went, false);
    }
    return cases.length;
  },

  async 'what a stage asks for and must not is told to its author, whenever it asks'() {
    const nothing = new Uint8Array();
    const wrong = [
      [(context) => context.sendControl(12), 'sent a control message that it must not send'],
      [(context) => context.sendControl(9), 'sent a control message that it must not send'],
      [(context) => context.sendControl(11, new Uint8Array(126)), 'sent a control message that it must not send'],
      [(context) => context.sendControl(11, 'text'), 'sent a control message that it must not send'],
      [(context) => context.forward('out', { opcode: 9, rsv: 15, payload: nothing }), 'forwarded a message with an opcode or a bit that is not its own'],
      [(context) => context.forward('out', { opcode: 11, rsv: 0, payload: nothing }), 'forwarded a message with an opcode or a bit that is not its own'],
      [(context) => context.forward('out', { opcode: 6, rsv: 0, payload: nothing }), 'forwarded a message with an opcode or a bit that is not its own'],
      [(context) => context.forward('out', { opcode: 1, rsv: 4, payload: nothing }), 'forwarded a message with an opcode or a bit that is not its own'],
      [(context) => context.forward('in', { opcode: 5, rsv: 0, payload: nothing }), 'forwarded a message with an opcode or a bit that is not its own'],
      [(context) => context.forward('up', { opcode: 1, rsv: 0, payload: nothing }), "forwarded a message neither 'in' nor 'out'"],
      [(context) => context.forward('out', { opcode: 1, rsv: 0, payload: 'text' }), 'forwarded what is no message'],
      [(context) => context.forward('in'), 'forwarded what is no message'],
    ];
    for (const [act, words] of wrong) {
      for (const when of ['encode', 'control', 'a timer', 'open']) {
        let context;
        const stage = {
          rsv: 2,
          opcodes: [5, 11],
          open: (given) => void (when === 'open' ? act(given) : context = given),
          encode(message) {
            act(context);
            return message;  // It goes nowhere any more.
          },
          control: () => void act(context),
        };
        const { ws, raw, events, sent } = opened(stage, { rsv: 4 });
        if (when === 'encode') ws.send('x');
        if (when === 'control') raw.says('\x0b');
        if (when === 'a timer') setTimeout(() => act(context));
        await later();
        await later();
        const reason = `x-0 ${words}`;
        assert.deepEqual(events, [...(when === 'open' ? [] : ['open']), ...failed(1011, reason)], `${act} in ${when}`);
        assert.deepEqual(sent, [`close 4011 ${reason}`]);
      }
    }
    return 4 * wrong.length;
  },

  'what a stage may forward and send goes on the wire'() {
    let context;
    const { sent, events } = opened({ rsv: 4 }, { rsv: 2, opcodes: [5, 11], open: (given) => { context = given; } }, checksum());
    assert.equal(context.forward('out', text('a', 1, 6)), true);
    assert.equal(context.forward('out', text('b', 5)), true);
    assert.equal(context.forward('out', { opcode: 2, payload: bytes('c') }), true);
    assert.equal(context.sendControl(11), true);
    assert.equal(context.forward('in', text('d', 2)), true);
    assert.deepEqual(sent.map((wire) => wire.slice(0, 2)), ['\x71a', '\x15b', '\x12c', '\x0b']);
    assert.deepEqual(events, ['open', 'message d']);
    return 5;
  },

  'behind the end nothing happens, and nobody is blamed'() {
    for (const end of ['the peer', 'a failure']) {
      const stage = { ...holder(), closed: () => stage.held[0]() };
      const { ws, raw, events, sent } = opened(stage);
      raw.says('\x01hi');
      ws.send('there');
      if (end === 'the peer') raw.hangsUp();
      else raw.says('');
      const seen = [...events];
      assert.match(seen.at(-1), /^close/);
      sent.length = 0;
      assert.deepEqual([stage.held[0](), stage.held[1](), stage.held[0]({ opcode: 9 })], [false, false, false]);
      raw.says('\x01late');
      ws.send('late');
      assert.deepEqual([events, sent], [seen, []]);
    }
    return 2;
  },

  'a stage that catches what it caused saves nothing'() {
    const stage = {
      decode(message, context) {
        try {
          context.forward('in', { ...message, payload: bytes('\xff') });
        } catch {
          // Nothing comes of it.
        }
        return message;
      },
    };
    const { raw, events } = opened(stage);
    raw.says('\x01hi');
    assert.deepEqual(events, ['open', ...failed(1007, 'text that is not UTF-8')]);
    return 1;
  },

  'what `closed` throws is reported, and all others hear of the end'() {
    for (const end of ['the peer', 'a failure']) {
      const codes = [];
      const thrown = new Error('closed threw');
      const { raw, events } = opened({ closed() { throw thrown; } }, { closed: (code) => codes.push(code) });
      reported.length = 0;
      if (end === 'the peer') raw.hangsUp();
      else raw.says('\x01\xff');
      assert.deepEqual(events.slice(1), end === 'the peer' ? ['close 1000  true'] : failed(1007, 'text that is not UTF-8'));
      assert.deepEqual(codes, [end === 'the peer' ? 1000 : 1007]);
      assert.deepEqual(reported, [thrown]);
    }
    return 2;
  },

  async 'what `open` or `confirm` throws names the extension'() {
    const codes = [];
    const first = { closed: (code) => codes.push(code) };
    const { ws, events, sent } = opened(first, { open() { throw new Error('open'); } });
    const words = 'x-1 threw: open';
    assert.deepEqual([events, sent, codes], [failed(1011, words), [`close 4011 ${words}`], [1011]]);
    await assert.rejects(ws.opened, { message: `not opened: 1011 ${words}` });
    const other = opened({ confirm() { throw new Error('confirm'); } });
    assert.deepEqual(other.events, failed(1011, 'x-0 threw: confirm'));
    return 3;
  },

  // What goes out first may have to: it leaves before `open`, for which the application waits to send.
  'no message comes before the `open` event'() {
    const eager = {
      open(context) {
        context.forward('in', text('early'));
        context.forward('out', text('first'));
        context.sendControl(11, bytes('c'));
      },
      opcodes: [11],
    };
    const order = [];
    const note = { open: () => order.push('open'), encode: (message) => (order.push('encode'), message), decode: (message) => (order.push('decode'), message) };
    const one = agreed(note, eager, note);
    one.ws.addEventListener('open', () => one.ws.send('x'));
    one.answer();
    assert.deepEqual(order.slice(0, 4), ['open', 'open', 'decode', 'encode']);
    assert.deepEqual(one.sent, ['\x01first', '\x0bc', '\x01x']);
    assert.deepEqual(one.events, ['open', 'message early']);
    const bad = opened({ open: (context) => context.forward('in', text('\xff')) });
    assert.deepEqual(bad.events, ['open', ...failed(1007, 'text that is not UTF-8')]);
    const left = agreed(eager);
    left.ws.onopen = () => left.ws.send(new Uint8Array([1]));
    left.ws.addEventListener('open', () => left.raw.hangsUp());
    left.answer();
    assert.deepEqual(left.events, ['close 1000  true']);
    return 3;
  },

  'an answer to who has closed already opens nothing'() {
    const { ws, raw, events, answer } = agreed({ open: () => events.push('opened') });
    ws.close();
    answer();
    raw.hangsUp();
    assert.deepEqual(events, ['close 1000  true']);
    return 1;
  },

  'codes that a stage ends with'() {
    const cases = [[1003, 4003, 1003], [3999, 3999, 3999], [1006, 4011, 1011], [99999, 4011, 1011], [undefined, 4011, 1011]];
    for (const [code, wire, told] of cases) {
      const { raw, events, sent } = opened({ decode() { throw new ExtensionError(code, 'why'); } });
      raw.says('\x01x');
      const words = code === told ? 'why' : 'x-0 threw: why';
      assert.deepEqual([sent, events.slice(1)], [[`close ${wire} ${words}`], failed(told, words)]);
    }
    return cases.length;
  },

  'what gives back no message'() {
    const cases = [() => 5, () => ({ opcode: 1, rsv: 0 }), async (message) => message];
    for (const encode of cases) {
      const { ws, events } = opened({ encode });
      ws.send('x');
      assert.deepEqual(events.slice(1), failed(1011, 'x-0 gave back what is no message'));
    }
    return cases.length;
  },

  'claims that no extension may have'() {
    for (const claims of [{ opcodes: [9] }, { opcodes: [1] }, { opcodes: [16] }, { rsv: 8 }]) {
      assert.throws(() => agreed(claims), /x-0 claims an opcode or a bit/);
    }
    return 4;
  },
};

let count = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    count += await check();
    await later();
    assert.deepEqual(escaped, [], 'ends a process');
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    process.exit(1);
  }
}
console.log(`${count} held`);
process.exit(0);
