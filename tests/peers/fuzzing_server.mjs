// A fuzzing server for the client role: node fuzzing_server.mjs REPORT_FILE [ID,ID...]
//
// The usual exchange: /getCaseCount sends the number of cases as a text message and closes; /runCase?case=N&agent=NAME
// runs one case on raw frames; /updateReports?agent=NAME writes the report. npm `ws` does the opening handshake, and the
// whole of the first and last connection. `listening on ws://...` is printed when it is ready.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { cases as all } from './kit/cases.mjs';
import { Conversation, judge } from './kit/conversation.mjs';

const [reportFile, chosen] = process.argv.slice(2);
const ids = chosen?.split(',').map(Number);
const cases = ids ? all.filter(({ id }) => ids.includes(id)) : all;
const reports = new Map();

// A number that is not a case would leave the peer without an answer it can use: it is refused as a handshake.
const routes = {
  '/getCaseCount': () => (ws) => {
    ws.send(String(cases.length));
    ws.close(1000);
  },
  '/runCase': (query) => {
    const kase = cases[Number(query.get('case')) - 1];
    return kase && ((ws) => run(kase, query.get('agent'), ws));
  },
  '/updateReports': (query) => (ws) => {
    writeReport(query.get('agent'));
    ws.close(1000);
  },
};

async function run(kase, agent, ws) {
  const verdict = await judge(kase, new Conversation(ws._socket, 'client'));
  const { id, section, title } = kase;
  if (!reports.has(agent)) reports.set(agent, []);
  reports.get(agent).push({ id, section, title, ...verdict });
  if (verdict.behavior !== 'OK') console.log(`case ${id} (${section}, ${title}): ${verdict.detail}`);
}

function writeReport(agent) {
  const results = reports.get(agent) ?? [];
  writeFileSync(reportFile, `${JSON.stringify({ agent, expected: cases.length, cases: results }, null, 1)}\n`);
  console.log(`report of ${results.length} cases for ${agent}`);
}

const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const server = createServer((_, response) => response.writeHead(426).end());
server.on('upgrade', (request, socket, head) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const action = routes[pathname]?.(searchParams);
  if (!action) return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  return wss.handleUpgrade(request, socket, head, action);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
