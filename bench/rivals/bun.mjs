// Bun as an echo server; `fan` publishes each message to every client.
const broadcast = process.argv[2] === 'fan';
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('a WebSocket is wanted', { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 64 << 20,
    open: (peer) => broadcast && peer.subscribe('all'),
    message: (peer, data) => (broadcast ? server.publish('all', data) : peer.send(data)),
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
