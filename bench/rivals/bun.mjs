// Bun as an echo server; `fan` publishes each message to every client, `deflate` and `deflate-alone` compress: with a
// state for each connection, and with one for all. `tls CERT KEY` (files) speaks TLS.
const [, , job, cert, key] = process.argv;
const broadcast = job === 'fan';
const deflate = { deflate: { compress: 'dedicated', decompress: 'dedicated' }, 'deflate-alone': { compress: 'shared', decompress: 'shared' } };
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  tls: job === 'tls' ? { cert: Bun.file(cert), key: Bun.file(key) } : undefined,
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('a WebSocket is wanted', { status: 426 })),
  websocket: {
    perMessageDeflate: deflate[job] ?? false,
    maxPayloadLength: 64 << 20,
    open: (peer) => broadcast && peer.subscribe('all'),
    message: (peer, data) => (broadcast ? server.publish('all', data) : peer.send(data, job in deflate)),
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
