// faye's permessage-deflate:  node faye_deflate.mjs client CONFIGURATIONS
//                             node faye_deflate.mjs server CONFIGURATIONS
//
// CONFIGURATIONS is a JSON list (see kit/compressed.mjs); `deflate` are the options of the extension. faye never fragments.

import { once } from 'node:events';
import net from 'node:net';
import deflate from 'permessage-deflate';
import websocket from 'websocket-driver';
import { converse, indexOf, serve } from './kit/compressed.mjs';
import { Inbox, expectEqual, main } from './kit/talk.mjs';

const asPeer = (driver, inbox) => ({
  send: (message) => (typeof message === 'string' ? driver.text(message) : driver.binary(message)),
  async next() {
    const [event, detail] = await inbox.next();
    expectEqual(event, 'message', `the event (${detail?.message ?? detail?.reason})`);
    return detail.data;
  },
  close: () => driver.close('', 1000),
});

const checks = {
  async client(text) {
    for (const configuration of JSON.parse(text)) {
      const driver = websocket.client(configuration.url, { maxLength: 4 << 20 });
      driver.addExtension(deflate.configure(configuration.deflate ?? {}));
      const inbox = new Inbox(driver, ['open', 'message', 'close', 'error']);
      const socket = net.connect(new URL(configuration.url).port, '127.0.0.1', () => driver.start());
      socket.pipe(driver.io).pipe(socket);
      const [event, detail] = await inbox.next();
      expectEqual(event, 'open', `the first event (${detail?.message})`);
      const peer = asPeer(driver, inbox);
      await converse(peer, configuration);
      peer.close();
      expectEqual((await inbox.next())[0], 'close', 'the answer to the close');
    }
  },

  async server(text) {
    const configurations = JSON.parse(text);
    const listener = net.createServer((socket) => {
      const driver = websocket.server({ maxLength: 4 << 20 });
      const inbox = new Inbox(driver, ['message', 'error']);
      driver.on('connect', () => {
        const target = new URL(driver.url, 'ws://localhost').pathname;
        driver.addExtension(deflate.configure(configurations[indexOf(target)].deflate ?? {}));
        driver.start();
        serve(target, asPeer(driver, inbox), configurations);
      });
      driver.on('close', () => socket.end());
      socket.on('error', () => {});
      socket.pipe(driver.io).pipe(socket);
    });
    listener.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${listener.address().port}`));
    await once(listener, 'close');
  },
};

await main(checks, ...process.argv.slice(2));
