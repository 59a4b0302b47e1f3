// A server made of faye's driver for the client role: node faye_server.mjs ORDERS
//
// ORDERS is a JSON list of lists of extensions (see kit/extensions.mjs); the path /2 gets the third. faye answers in that
// order, whatever the order of the offers. Each message comes back as it went in; each event is printed as a line of JSON.

import net from 'node:net';
import websocket from 'websocket-driver';
import { addExtensions } from './kit/extensions.mjs';

const orders = JSON.parse(process.argv[2]);
const say = (event, details = {}) => console.log(JSON.stringify({ event, ...details }));

const server = net.createServer((socket) => {
  const driver = websocket.server({ maxLength: 4 << 20 });
  driver.on('connect', () => {
    addExtensions(driver, orders[Number(new URL(driver.url, 'ws://localhost').pathname.slice(1))]);
    driver.start();
  });
  driver.on('message', ({ data }) => {
    if (typeof data === 'string') driver.text(data);
    else driver.binary(data);
    say('message', { text: typeof data === 'string', data: data.toString() });
  });
  driver.on('close', ({ code, reason }) => {
    say('close', { code, reason });
    socket.end();
  });
  driver.on('error', ({ message }) => say('error', { message }));
  socket.on('error', () => {});
  socket.pipe(driver.io).pipe(socket);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
