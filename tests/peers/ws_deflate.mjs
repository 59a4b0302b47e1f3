// permessage-deflate of npm `ws`:  node ws_deflate.mjs client CONFIGURATIONS
//                                  node ws_deflate.mjs server CONFIGURATIONS
//
// CONFIGURATIONS is a JSON list (see kit/compressed.mjs); `deflate` are the options of `ws`. The client opens a connection for
// each; the server plays each with `hawser echo --client URL/INDEX`.

import { once } from 'node:events';
import http from 'node:http';
import WebSocket, { WebSocketServer } from 'ws';
import { indexOf, converse, serve } from './kit/compressed.mjs';
import { Inbox, expectEqual, main } from './kit/talk.mjs';

const asPeer = (ws, inbox) => ({
  send: (message) => ws.send(message),
  cut(message, size) {
    const bytes = Buffer.from(message);
    for (let at = 0; at < bytes.length; at += size) {
      const fin = at + size >= bytes.length;
      ws.send(bytes.subarray(at, at + size), { binary: typeof message !== 'string', compress: true, fin });
    }
  },
  async next() {
    const [event, data, binary] = await inbox.next();
    expectEqual(event, 'message', `the event (${data})`);
    return binary ? data : data.toString('utf8');
  },
  close: () => ws.close(1000),
});

const checks = {
  async client(text) {
    for (const configuration of JSON.parse(text)) {
      const ws = new WebSocket(configuration.url, { perMessageDeflate: { threshold: 0, ...configuration.deflate }, maxPayload: 4 << 20 });
      const inbox = new Inbox(ws, ['open', 'message', 'close', 'error']);
      const [event, detail] = await inbox.next();
      expectEqual(event, 'open', `the first event (${detail})`);
      await converse(asPeer(ws, inbox), configuration);
      ws.close(1000);
      expectEqual((await inbox.next()).slice(0, 2), ['close', 1000], 'the close');
    }
  },

  async server(text) {
    const configurations = JSON.parse(text);
    const servers = configurations.map(({ deflate }) => new WebSocketServer(
      { noServer: true, maxPayload: 4 << 20, perMessageDeflate: { threshold: 0, ...deflate } }));
    const listener = http.createServer();
    listener.on('upgrade', (request, socket, head) => servers[indexOf(request.url)].handleUpgrade(request, socket, head,
      (ws) => serve(request.url, asPeer(ws, new Inbox(ws, ['message', 'error'])), configurations)));
    listener.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${listener.address().port}`));
    await once(listener, 'close');
  },
};

await main(checks, ...process.argv.slice(2));
