// What a script does with js/hawser-inband.mjs, in a browser (browser.mjs sends these functions there as text, so each stands
// alone) and under Node: (module, url, options) => what it saw.

export const scenes = {
  // The shipped checksum and an extension of the page's own, composed: sizes, texts, a clean close.
  async talk({ connect, checksum, messageExtension }, url, options) {
    const rotate = (bytes) => bytes.map((byte) => {
      const letter = byte | 32;
      return letter < 97 || letter > 122 ? byte : byte + (letter < 110 ? 13 : -13);
    });
    const rot13 = messageExtension('x-rot13', 2, { encode: rotate, decode: rotate });
    const ws = connect(url, { extensions: [rot13, checksum()], protocols: ['chat'], ...options });
    const bytes = (data) => [...new Uint8Array(data)].join();
    const messages = ['', 'Hello', '系在缆绳上的船 and a rope', '🚢⚓'.repeat(40)];
    for (const size of [0, 1, 119, 120, 125, 126, 65530, 65536, 200000]) {
      messages.push('x'.repeat(size), new Uint8Array(size).map((_, i) => i * 7).buffer);
    }
    await ws.opened;
    let echoed = 0;
    for (const message of messages) {
      const answer = new Promise((resolve, reject) => {
        ws.onmessage = ({ data }) => resolve(data);
        ws.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
      });
      ws.send(message);
      const data = await answer;
      if (typeof message === 'string' ? data === message : bytes(data) === bytes(message)) ++echoed;
    }
    const closed = new Promise((resolve) => { ws.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]); });
    ws.close(4321, '完');
    return { sent: messages.length, echoed, extensions: ws.extensions, protocol: ws.protocol, inband: ws.inband, closed: await closed };
  },

  // What this end cannot accept is told to the page by its code, and to the server by one that a script may send.
  async damage({ connect, checksum, messageExtension, ExtensionError }, url, options) {
    const picky = messageExtension('x-rot13', 2, {
      encode: (bytes) => bytes,
      decode: () => { throw new ExtensionError(1007, 'nothing pleases it'); },
    });
    const ws = connect(url, { extensions: [picky, checksum()], ...options });
    const errors = [];
    ws.onerror = ({ message }) => errors.push(message);
    const closed = new Promise((resolve) => { ws.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]); });
    await ws.opened;
    ws.send('abc');
    return { closed: await closed, errors };
  },

  // The same from a timer: what let it go has long returned, and must not throw there.
  async late({ connect, checksum, messageExtension, ExtensionError }, url, options) {
    const picky = messageExtension('x-rot13', 2, {
      encode: (bytes) => bytes,
      decode: () => { throw new ExtensionError(1007, 'nothing pleases it'); },
    });
    const sum = checksum();
    const hold = { ...sum, decode: (message, context) => void setTimeout(() => context.forward('in', sum.decode(message)), 5) };
    const ws = connect(url, { extensions: [picky, hold], ...options });
    const errors = [];
    ws.onerror = ({ message }) => errors.push(message);
    const closed = new Promise((resolve) => { ws.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]); });
    await ws.opened;
    ws.send('abc');
    return { closed: await closed, errors };
  },

  // A required extension that the server does not have.
  async missing({ connect, checksum }, url, options) {
    const ws = connect(url, { extensions: [checksum(), { name: 'x-nobody', required: true }], ...options });
    const refused = ws.opened.then(() => 'opened', ({ message }) => message);
    const closed = new Promise((resolve) => { ws.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]); });
    return { refused: await refused, closed: await closed };
  },

  // A server that does not know the subprotocol: what is required is missing, what is not does not matter.
  async without({ connect, checksum }, url, options) {
    const open = (required) => connect(url, { extensions: [checksum({ required })], protocols: ['chat.v2'], ...options });
    const first = open(false);
    await first.opened;
    const answer = new Promise((resolve) => { first.onmessage = ({ data }) => resolve(data); });
    first.send('plain');
    const seen = { inband: first.inband, protocol: first.protocol, answer: await answer };
    first.close();
    const second = open(true);
    const closed = new Promise((resolve) => { second.onclose = ({ code }) => resolve(code); });
    return { ...seen, refused: await second.opened.then(() => 'opened', ({ message }) => message), code: await closed };
  },
};
