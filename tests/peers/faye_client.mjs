// Server role against faye's client: node faye_client.mjs URL ORDERS
//
// ORDERS is a JSON list of lists of extensions, in the order of preference (see kit/extensions.mjs); each is a connection.
// Sends each golden message when the echo of the one before is there, and a ping behind them; prints `ok` when every answer
// was right.

import net from 'node:net';
import websocket from 'websocket-driver';
import { addExtensions } from './kit/extensions.mjs';
import { MESSAGES } from './kit/golden.mjs';
import { Inbox, expectEqual, main } from './kit/talk.mjs';

async function talk(url, extensions) {
  const driver = websocket.client(url);
  addExtensions(driver, extensions);
  const inbox = new Inbox(driver, ['open', 'message', 'pong', 'close', 'error']);
  const next = async (wanted) => {
    const [event, detail] = await inbox.next();
    expectEqual(event, wanted, `the event (${detail?.message ?? detail?.reason ?? ''})`);
    return detail;
  };
  const socket = net.connect(new URL(url).port, '127.0.0.1', () => driver.start());
  socket.pipe(driver.io).pipe(socket);
  await next('open');
  for (const [name, message] of MESSAGES) {
    if (typeof message === 'string') driver.text(message);
    else driver.binary(message);
    expectEqual((await next('message')).data, message, `the echo of ${name} under ${extensions}`);
  }
  driver.ping('letters');
  expectEqual((await next('pong')).data, 'letters', 'the pong, which no message stage may touch');
  driver.close('done', 1000);
  expectEqual((await next('close')).code, 1000, 'the answer to the close');
}

async function echoes(url, orders) {
  for (const extensions of JSON.parse(orders)) await talk(url, extensions);
}

await main({ echoes }, 'echoes', ...process.argv.slice(2));
