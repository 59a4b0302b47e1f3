// A server made of npm `ws` for the client role. The path of a request says what the connection does; each event is
// printed as one line of JSON, so that the test sees what the server saw.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocketServer } from 'ws';
import { chineseOf } from './kit/payloads.mjs';

const say = (event, details = {}) => console.log(JSON.stringify({ event, ...details }));
const sha1 = (data) => createHash('sha1').update(data).digest('hex');
const shown = (data) => (data.length <= 300 ? data.toString('utf8') : `sha1:${sha1(data)}`);

const scenes = {
  '/echo': (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })),

  '/close': (ws, query) => ws.close(Number(query.get('code')) || undefined, query.get('reason') ?? ''),

  // Pings with payloads of several sizes, each sent when the pong of the one before is there.
  '/pings': (ws) => {
    const sizes = [0, 1, 125, 4];
    const next = () => (sizes.length ? ws.ping('p'.repeat(sizes.shift())) : ws.send('all pings answered'));
    ws.on('pong', next);
    next();
  },

  '/fragments': (ws) => {
    const whole = Buffer.from(chineseOf(9000));
    for (let at = 0; at < whole.length; at += 1000) {
      ws.send(whole.subarray(at, at + 1000), { binary: false, fin: at + 1000 >= whole.length });
      if (at === 3000) ws.ping('between');
    }
  },

  '/burst': (ws, query) => {
    for (let i = 0; i < Number(query.get('count')); ++i) ws.send(`line ${i}`);
    ws.close(1000, 'that was all');
  },

  '/vanish': (ws) => ws.on('message', () => ws.terminate()),
};

// With a certificate and its key it speaks TLS: node ws_server.mjs [CERTIFICATE KEY]
const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const listener = cert ? createSecureServer({ cert, key }) : createServer();
const wss = new WebSocketServer({
  server: listener, maxPayload: 32 << 20,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});
wss.on('connection', (ws, request) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  say('open', { url: request.url, protocol: ws.protocol, extensions: ws.extensions, headers: request.headers });
  ws.on('message', (data, binary) => say('message', { binary, size: data.length, data: shown(data) }));
  ws.on('ping', (data) => say('ping', { data: data.toString() }));
  ws.on('pong', (data) => say('pong', { data: data.toString() }));
  ws.on('close', (code, reason) => say('close', { code, reason: reason.toString() }));
  ws.on('error', (error) => say('error', { code: error.code }));
  scenes[pathname]?.(ws, searchParams);
});
listener.listen(0, '127.0.0.1', () => console.log(`listening on ${cert ? 'wss' : 'ws'}://127.0.0.1:${listener.address().port}`));
process.on('SIGTERM', () => process.exit(0));
