// The same cases for the server role: node fuzzing_client.mjs URL REPORT_FILE [ID,ID...]
// npm `ws` does the opening handshake; the frames are raw.

import { writeFileSync } from 'node:fs';
import WebSocket from 'ws';
import { cases as all } from './kit/cases.mjs';
import { Conversation, judge } from './kit/conversation.mjs';

const [url, reportFile, chosen] = process.argv.slice(2);
const ids = chosen?.split(',').map(Number);
const cases = ids ? all.filter(({ id }) => ids.includes(id)) : all;

function open() {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { perMessageDeflate: false });
    ws.on('error', reject);
    ws.on('open', () => resolve(new Conversation(ws._socket, 'server')));
  });
}

const results = [];
for (const kase of cases) {
  const { id, section, title } = kase;
  const verdict = await open().then((conversation) => judge(kase, conversation),
    (failure) => ({ behavior: 'FAILED', detail: `no connection: ${failure.message}` }));
  results.push({ id, section, title, ...verdict });
  if (verdict.behavior !== 'OK') console.log(`case ${id} (${section}, ${title}): ${verdict.detail}`);
}
writeFileSync(reportFile, `${JSON.stringify({ expected: cases.length, cases: results }, null, 1)}\n`);
console.log(`report of ${results.length} cases`);
