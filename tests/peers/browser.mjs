// Lets headless Chromium show a page and run a script in it, over its DevTools port:
//
//   node browser.mjs DEVTOOLS_URL PAGE_URL SCENE [ARGUMENT]...       arguments in JSON
//
// Prints the script's result as one line of JSON. Whether it is true, the test judges by the bytes on the wire.

import WebSocket from 'ws';
import { scenes as inbandScenes } from './kit/inband_scenes.mjs';
import { Inbox } from './kit/talk.mjs';

const [devtools, pageUrl, scene, ...given] = process.argv.slice(2);

// These functions run in the browser: they are sent as text and see nothing of this file.
const scenes = {
  async sizes() {
    const open = () => new Promise((resolve, reject) => {
      const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/`);
      ws.binaryType = 'arraybuffer';
      ws.onopen = () => resolve(ws);
      ws.onerror = () => reject(new Error('no connection'));
    });
    const next = (ws) => new Promise((resolve, reject) => {
      ws.onmessage = ({ data }) => resolve(data);
      ws.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    });
    const same = (a, b) => {
      if (typeof a === 'string' || typeof b === 'string') return a === b;
      const [one, two] = [new Uint8Array(a), new Uint8Array(b)];
      return one.length === two.length && one.every((byte, i) => byte === two[i]);
    };
    const ws = await open();
    const messages = ['', 'hello', '系在缆绳上的船', '🚢⚓'.repeat(40)];
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]) {
      messages.push('x'.repeat(size), new Uint8Array(size).map((_, i) => i * 7).buffer);
    }
    let echoed = 0;
    for (const message of messages) {
      const answer = next(ws);
      ws.send(message);
      if (same(await answer, message)) ++echoed;
    }
    const closed = new Promise((resolve) => { ws.onclose = ({ code, wasClean }) => resolve([code, wasClean]); });
    ws.close(4001, '再见');
    return { sent: messages.length, echoed, closed: await closed, extensions: ws.extensions };
  },

  async concurrent() {
    const talk = (index) => new Promise((resolve, reject) => {
      const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/`);
      let turn = 0;
      ws.onopen = () => ws.send(`${index}/${turn}`);
      ws.onerror = () => reject(new Error(`connection ${index} failed`));
      ws.onmessage = ({ data }) => {
        if (data !== `${index}/${turn}`) reject(new Error(`${index}/${turn} came back as ${data}`));
        else if (++turn < 50) ws.send(`${index}/${turn}`);
        else ws.close(1000);
      };
      ws.onclose = ({ code }) => resolve(code);
    });
    return { codes: await Promise.all(Array.from({ length: 50 }, (_, index) => talk(index))) };
  },

  // The echo server's own page: its button for extensions inside the messages.
  async press() {
    document.getElementById('inband').click();
    return {};
  },

  // The same kinds of messages as kit/payloads.mjs says for compressed connections.
  async compressed(bits, large) {
    const noise = (size) => {
      const bytes = new Uint8Array(size);
      let state = size;
      for (let i = 0; i < size; ++i) bytes[i] = (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
      return bytes;
    };
    const half = noise(1 << (bits - 1));
    const quotes = JSON.stringify(Array.from({ length: 18 }, (_, i) =>
      ({ symbol: `HWS${i}`, bid: 10025 + i, ask: 10050 + 3 * i, size: 100 * i, venue: 'XETRA' })));
    const messages = ['', new Uint8Array(0), 'x', new Uint8Array(1), quotes, quotes, 'a'.repeat(10000), noise(3000),
      '系在缆绳上的船'.repeat(30), new Uint8Array([...half, ...half])];
    if (large) messages.push(quotes.repeat(100), quotes.repeat(700), noise((1 << 20) - 4096));
    const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/`);
    ws.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => Object.assign(ws, { onopen: resolve, onerror: reject }));
    const same = (a, b) => (typeof a === 'string' ? a === b :
      a.length === b.byteLength && new Uint8Array(b).every((byte, i) => byte === a[i]));
    for (const message of messages) {
      const answer = new Promise((resolve) => Object.assign(ws, { onmessage: resolve, onclose: resolve }));
      ws.send(message);
      const { data } = await answer;
      if (!same(message, data)) return { different: message.length };
    }
    const closed = new Promise((resolve) => { ws.onclose = ({ code, wasClean }) => resolve([code, wasClean]); });
    ws.close(1000);
    return { closed: await closed, extensions: ws.extensions };
  },

  // The pages that are wider than a window of that width, each in a frame of its own.
  async widths(width, pages) {
    const tooWide = [];
    const frame = document.createElement('iframe');
    frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
    document.body.replaceChildren(frame);
    for (const page of pages) {
      await new Promise((loaded) => { frame.onload = loaded; frame.src = page; });
      const { scrollWidth, clientWidth } = frame.contentDocument.documentElement;
      if (scrollWidth > clientWidth) tooWide.push(`${page} has ${scrollWidth - clientWidth} more than ${width}`);
    }
    return tooWide;
  },

  // A page of another origin must not get in.
  async stranger(target) {
    return new Promise((resolve) => {
      const ws = new WebSocket(target);
      ws.onopen = () => resolve({ opened: true });
      ws.onclose = ({ code }) => resolve({ opened: false, code });
    });
  },
};

// The page gets the module from the server, as any page would.
async function inband(name) {
  const module = await import('/hawser-inband.mjs');
  return PLAY(module, `ws://${location.host}/`, {});
}

// What is sent: the function of that name, as an expression that is called with the argument.
function source(name) {
  if (!name.startsWith('inband-')) return `({ ${scenes[name].toString()} }).${name}`;
  const own = name.slice('inband-'.length);
  return `(${inband.toString().replace('PLAY', `({ ${inbandScenes[own].toString()} }).${own}`)})`;
}

class DevTools {
  #ids = 0;
  #events = [];

  constructor(ws, inbox) {
    this.ws = ws;
    this.inbox = inbox;
  }

  async call(method, params = {}, sessionId = undefined) {
    const id = ++this.#ids;
    this.ws.send(JSON.stringify({ id, method, params, sessionId }));
    for (;;) {
      const answer = await this.#next();
      if (answer.method) this.#events.push(answer.method);
      if (answer.id !== id) continue;
      if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
      return answer.result;
    }
  }

  /// Waits for an event, unless it has come while an answer was awaited.
  async event(method) {
    if (this.#events.includes(method)) return;
    while ((await this.#next()).method !== method);
  }

  async #next() {
    const [, data] = await this.inbox.next();
    return JSON.parse(data.toString());
  }
}

const ws = new WebSocket(devtools, { perMessageDeflate: false, maxPayload: 64 << 20 });
await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
const tools = new DevTools(ws, new Inbox(ws, ['message']));
const { targetInfos } = await tools.call('Target.getTargets');
const page = targetInfos.find(({ type }) => type === 'page');
const { sessionId } = await tools.call('Target.attachToTarget', { targetId: page.targetId, flatten: true });
await tools.call('Page.enable', {}, sessionId);
await tools.call('Page.navigate', { url: pageUrl }, sessionId);
await tools.event('Page.loadEventFired');
const expression = `${source(scene)}(${given.join(', ')})`;
const { result, exceptionDetails } = await tools.call('Runtime.evaluate',
  { expression, awaitPromise: true, returnByValue: true }, sessionId);
console.log(JSON.stringify(exceptionDetails ? { failed: exceptionDetails.exception?.description } : result.value));
process.exit(0);
