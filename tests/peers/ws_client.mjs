// Server role against the client of npm `ws`: node ws_client.mjs CHECK URL

import WebSocket from 'ws';
import * as payloads from './kit/payloads.mjs';
import { Inbox, expect, expectEqual, main } from './kit/talk.mjs';

async function open(url, options = {}) {
  const ws = new WebSocket(url, { perMessageDeflate: false, maxPayload: 4 << 20, ...options });
  const inbox = new Inbox(ws, ['open', 'message', 'ping', 'pong', 'close', 'error']);
  const [event, detail] = await inbox.next();
  expectEqual(event, 'open', `the first event (${detail})`);
  return { ws, inbox };
}

async function expectMessage(inbox, wanted, what) {
  const [event, data, binary] = await inbox.next();
  expectEqual(event, 'message', `the event for ${what}`);
  expectEqual(binary, typeof wanted !== 'string', `the kind of ${what}`);
  expectEqual(binary ? data : data.toString('utf8'), wanted, what);
}

async function expectClose(inbox, code, what) {
  const [event, seen] = await inbox.next();
  expectEqual(event, 'close', what);
  expectEqual(seen, code, what);
}

const checks = {
  async sizes(url) {
    const { ws, inbox } = await open(url);
    for (const message of payloads.everything()) {
      ws.send(message);
      await expectMessage(inbox, message, `the echo of ${message.length} (${typeof message})`);
    }
    ws.close(1000, '完');
    await expectClose(inbox, 1000, 'the close');
  },

  async fragments(url) {
    const { ws, inbox } = await open(url);
    const whole = Buffer.from(payloads.CHINESE.repeat(300));
    for (const size of [whole.length - 1, 5000, 1001, 127, 125]) {
      for (const binary of [false, true]) {
        const pings = [];
        for (let at = 0; at < whole.length; at += size) {
          const fin = at + size >= whole.length;
          ws.send(whole.subarray(at, at + size), { binary, fin });
          if (fin) continue;
          pings.push(`after ${at}`);
          ws.ping(`after ${at}`);
        }
        for (const ping of pings) {
          const [event, data] = await inbox.next();
          expectEqual([event, data.toString()], ['pong', ping], 'the pong between fragments');
        }
        await expectMessage(inbox, binary ? whole : whole.toString(), `fragments of ${size}`);
      }
    }
    ws.close();
    await expectClose(inbox, 1005, 'a close without a code comes back without one');
  },

  async pings(url) {
    const { ws, inbox } = await open(url);
    for (const size of [0, 1, 124, 125]) {
      ws.ping(payloads.binaryOf(size));
      const [event, data] = await inbox.next();
      expectEqual([event, data], ['pong', payloads.binaryOf(size)], `the pong of ${size} bytes`);
    }
    ws.pong('unasked');
    ws.send('after it');
    await expectMessage(inbox, 'after it', 'the echo after an unasked pong');
    ws.terminate();
  },

  async closes(url) {
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4999]) {
      const { ws, inbox } = await open(url);
      ws.close(code, code % 2 ? 'r'.repeat(123) : '');
      await expectClose(inbox, code, `the answer to a close with ${code}`);
    }
  },

  async many(url) {
    const { ws, inbox } = await open(url);
    const number = (i) => (i % 2 ? `number ${i}` : Buffer.from(`number ${i}`));
    for (let i = 0; i < 5000; ++i) ws.send(number(i));
    for (let i = 0; i < 5000; ++i) await expectMessage(inbox, number(i), `echo ${i}`);
    ws.close(1000);
    await expectClose(inbox, 1000, 'the close');
  },

  async concurrent(url) {
    await Promise.all(Array.from({ length: 200 }, async (_, index) => {
      const { ws, inbox } = await open(url);
      for (let turn = 0; turn < 10; ++turn) {
        const message = `${index}/${turn} ${payloads.textOf(index * turn)}`;
        ws.send(message);
        await expectMessage(inbox, message, `an echo on connection ${index}`);
      }
      ws.close(1000);
      await expectClose(inbox, 1000, `the close of connection ${index}`);
    }));
  },

  // A close frame behind many messages must not overtake or drop what they caused.
  async closeBehindMessages(url) {
    const { ws, inbox } = await open(url);
    for (let i = 0; i < 500; ++i) ws.send(`before the close ${i}`);
    ws.close(4000, 'that was all');
    for (let i = 0; i < 500; ++i) await expectMessage(inbox, `before the close ${i}`, `echo ${i}`);
    await expectClose(inbox, 4000, 'the close behind the messages');
  },

  // Default options: this peer offers permessage-deflate, with a parameter, and must take a plain "no".
  async deflateDeclined(url) {
    const { ws, inbox } = await open(url, { perMessageDeflate: true });
    expectEqual(ws.extensions, '', 'what was agreed');
    ws.send(payloads.textOf(5000));
    await expectMessage(inbox, payloads.textOf(5000), 'the echo');
    ws.close(1000);
    await expectClose(inbox, 1000, 'the close');
  },

  // The process says `ready` and is then told by the server that it goes away.
  async goingAway(url) {
    const peers = await Promise.all(Array.from({ length: 20 }, () => open(url)));
    for (const { ws, inbox } of peers) {
      ws.send('up');
      await expectMessage(inbox, 'up', 'the first echo');
    }
    console.log('ready');
    for (const { inbox } of peers) await expectClose(inbox, 1001, 'what SIGTERM says');
  },

  // Abrupt ends of every kind leave the server in good health.
  async rude(url) {
    for (let i = 0; i < 50; ++i) {
      const { ws } = await open(url);
      if (i % 3 === 1) ws.send(payloads.binaryOf(300000));
      if (i % 3 === 2) ws.send('begun', { fin: false });
      if (i % 2 && !ws._socket.encrypted) ws._socket.resetAndDestroy?.(); // Node 18 cannot under TLS
      ws.terminate();
    }
    const { ws, inbox } = await open(url);
    ws.send('well?');
    await expectMessage(inbox, 'well?', 'the echo after fifty rude peers');
    expect(ws.readyState === WebSocket.OPEN, 'the connection stays open');
    ws.close(1000);
    await expectClose(inbox, 1000, 'the close');
  },
};

await main(checks, ...process.argv.slice(2));
