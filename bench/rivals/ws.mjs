// npm ws on Node as an echo server; `fan` sends each message to every client.
import { WebSocketServer } from 'ws';

const broadcast = process.argv[2] === 'fan';
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });
server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
server.on('connection', (peer) => {
  peer.on('error', () => {});
  peer.on('message', (data, binary) => {
    if (broadcast) for (const each of server.clients) each.send(data, { binary });
    else peer.send(data, { binary });
  });
});
