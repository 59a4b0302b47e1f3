// The differential test: npm `ws`' own Receiver, in this process, against Hawser's core behind `differential_core`.
//
//   node differential.mjs CORE server|client SEED COUNT [FIRST]
//
// The role is that of the receiver. CORE gets it as its argument, reads streams from its standard input, each as a length
// of four bytes (big-endian) and as many bytes, and answers each with one line of JSON:
//   {"messages": [[opcode, payload], ...], "output": hex}
// The payload of a message is given as hex up to 64 bytes, as "sha1:..." beyond; `output` is all that the connection
// wrote. Pongs and the close code are read from these bytes, not from what the core says of itself.
// Differences that are not among the classes of differences.md fail the test.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { NAMES, classOf } from './kit/differences.mjs';
import { CLOSE, PONG, takeFrame } from './kit/frames.mjs';
import { DAMAGE, stream } from './kit/streams.mjs';

const { Receiver } = createRequire(import.meta.url)('ws');
const [core, role, seedText, countText, firstText] = process.argv.slice(2);
const seed = Number(seedText), count = Number(countText), first = Number(firstText ?? 0);

const sha1 = (data) => createHash('sha1').update(data).digest('hex');
const shown = (data) => (data.length <= 64 ? data.toString('hex') : `sha1:${sha1(data)}`);

/// The verdict of ws: messages, payloads of pings, and the code it closes with (0: the connection stays open).
async function verdictOfWs(bytes) {
  const verdict = { messages: [], pongs: [], close: 0 };
  const receiver = new Receiver({ isServer: role === 'server', maxPayload: 1 << 20, maxFragments: 1024 });
  receiver.on('message', (data, binary) => verdict.messages.push([binary ? 2 : 1, shown(data)]));
  receiver.on('ping', (data) => verdict.pongs.push(data.toString('hex')));
  receiver.on('conclude', (code) => { verdict.close = code; });
  const failed = new Promise((resolve) => receiver.on('error', resolve));
  const written = new Promise((resolve) => receiver.write(Buffer.from(bytes), resolve));
  const error = await written;
  if (error) {
    await failed;
    const code = Object.getOwnPropertySymbols(error).find((symbol) => symbol.description === 'status-code');
    verdict.close = error[code];
  }
  return verdict;
}

/// The same of one answer of the core.
function verdictOfHawser(answer) {
  if (answer.error) throw new Error(answer.error);
  const verdict = { messages: answer.messages, pongs: [], close: 0 };
  let left = Buffer.from(answer.output, 'hex');
  for (let taken; (taken = takeFrame(left, role === 'client')) !== null; left = taken.rest) {
    const { opcode, payload } = taken.frame;
    if (verdict.close !== 0) throw new Error('frames after a Close frame');
    if (opcode === PONG) verdict.pongs.push(payload.toString('hex'));
    else if (opcode === CLOSE) verdict.close = payload.length ? payload.readUInt16BE(0) : 1005;
    else throw new Error(`a frame with opcode ${opcode} that nobody sent`);
  }
  if (left.length) throw new Error(`half a frame at the end: ${left.toString('hex')}`);
  return verdict;
}

const program = spawn(core, [role], { stdio: ['pipe', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => program.on('close', resolve));
const answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]();

async function askHawser(bytes) {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  program.stdin.write(Buffer.concat([head, bytes]));
  const { value, done } = await answers.next();
  if (done) throw new Error('differential_core ended');
  return verdictOfHawser(JSON.parse(value));
}

const seenClasses = new Map(), seenCodes = new Map(), seenDamage = new Map();
const bump = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
const listed = (map) => [...map].sort().map(([key, times]) => `${key} ${times}`).join(', ');
let damaged = 0, unexplained = 0;

for (let index = first; index < first + count; ++index) {
  const { bytes, damage } = stream(seed, index, role);
  if (damage.length) ++damaged;
  damage.forEach((name) => bump(seenDamage, name));
  const ws = await verdictOfWs(bytes);
  const hawser = await askHawser(bytes);
  bump(seenCodes, ws.close);
  if (JSON.stringify(ws) === JSON.stringify(hawser)) continue;
  const found = await classOf(bytes, role, hawser, verdictOfWs);
  if (found) {
    bump(seenClasses, found);
  } else if (++unexplained <= 10) {
    console.log(`stream ${index} of seed ${seed} for a ${role} (${damage.join(' and ') || 'sound'}), `
      + `${bytes.length} bytes: ${bytes.subarray(0, 100).toString('hex')}\n  ws     ${JSON.stringify(ws).slice(0, 400)}\n`
      + `  hawser ${JSON.stringify(hawser).slice(0, 400)}`);
  }
}
program.stdin.end();
const status = await ended;

console.log(`${count} streams for a ${role} from ${first} of seed ${seed}, ${damaged} damaged; `
  + `codes of ws: ${listed(seenCodes)}`);
console.log(`classes of difference (of ${NAMES.length}): ${listed(seenClasses) || 'none'}; `
  + `unexplained: ${unexplained}`);
const missing = DAMAGE.filter((name) => !seenDamage.has(name));
const codes = [0, 1000, 1002, 1005, 1007, 1009].filter((code) => (seenCodes.get(code) ?? 0) < count / 500);
if (count >= 1000 && missing.length) console.log(`kinds of damage that never happened: ${missing}`);
if (count >= 1000 && codes.length) console.log(`verdicts that hardly happened: ${codes}`);
const wide = count < 1000 || missing.length + codes.length === 0;
const good = unexplained === 0 && status === 0 && damaged >= 0.3 * count && wide;
process.exit(good ? 0 : 1);
