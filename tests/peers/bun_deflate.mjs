// permessage-deflate of Bun:  bun bun_deflate.mjs client CONFIGURATIONS
//                             bun bun_deflate.mjs server CONFIGURATIONS
//
// CONFIGURATIONS is a JSON list (see kit/compressed.mjs). Bun's client offers what it always offers. A server has one `deflate` for all connections: that of the first configuration. Bun never fragments.

import { EventEmitter } from 'node:events';
import { converse, serve } from './kit/compressed.mjs';
import { Inbox, expectEqual, main } from './kit/talk.mjs';

const asMessage = (data) => (typeof data === 'string' ? data : Buffer.from(data));

const asPeer = (ws, inbox, send) => ({
  send,
  async next() {
    const [event, data] = await inbox.next();
    expectEqual(event, 'message', `the event (${data})`);
    return data;
  },
  close: () => ws.close(1000),
});

const checks = {
  async client(text) {
    for (const configuration of JSON.parse(text)) {
      const ws = new WebSocket(configuration.url);
      ws.binaryType = 'arraybuffer';
      const events = new EventEmitter();
      const inbox = new Inbox(events, ['open', 'message', 'close', 'failed']);
      ws.onopen = () => events.emit('open');
      ws.onmessage = ({ data }) => events.emit('message', asMessage(data));
      ws.onclose = ({ code, reason }) => events.emit('close', code, reason);
      ws.onerror = ({ message }) => events.emit('failed', message);
      expectEqual((await inbox.next())[0], 'open', 'the first event');
      const peer = asPeer(ws, inbox, (message) => ws.send(message));
      await converse(peer, configuration);
      peer.close();
      expectEqual((await inbox.next()).slice(0, 2), ['close', 1000], 'the close');
    }
  },

  async server(text) {
    const configurations = JSON.parse(text);
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (request, self) => {
        const events = new EventEmitter();
        const inbox = new Inbox(events, ['message', 'close']);
        const { pathname, search } = new URL(request.url);
        return self.upgrade(request, { data: { events, inbox, target: pathname + search } }) ? undefined : new Response('no');
      },
      websocket: {
        perMessageDeflate: configurations[0].deflate,
        maxPayloadLength: 4 << 20,
        backpressureLimit: 16 << 20,
        open: (ws) => serve(ws.data.target, asPeer(ws, ws.data.inbox, (message) => ws.send(message, true)), configurations),
        message: (ws, data) => ws.data.events.emit('message', asMessage(data)),
        close: (ws, code) => ws.data.events.emit('close', code),
      },
    });
    console.log(`listening on ws://127.0.0.1:${server.port}`);
    await new Promise(() => {});
  },
};

await main(checks, ...process.argv.slice(2));
