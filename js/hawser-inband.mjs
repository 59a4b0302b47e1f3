// Extensions for WebSockets in browsers and in Node, inside the messages: the subprotocol ext1.hawser.
//
//   import { connect, checksum, messageExtension } from './hawser-inband.mjs';
//
//   const rot13 = messageExtension('x-rot13', 2, { encode: rotate, decode: rotate });
//   const ws = connect('wss://example.com/chat', { extensions: [checksum(), rot13], protocols: ['chat'] });
//   ws.onmessage = ({ data }) => console.log(data);
//   await ws.opened;
//   ws.send('hello');
//
// What comes back looks like a WebSocket. docs/wire/inband.md is the format, docs/extensions.md says what the mode cannot do.
// No dependencies; where there is no global WebSocket (Node before 22) give one: { WebSocket } of the package "ws".

export const subprotocol = 'ext1.hawser';

const maxAgreement = 4096;
const maxElements = 8;
const maxParameters = 16;
const maxReason = 123;
const opcodes = { text: 1, binary: 2 };
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/// Ends the connection when a stage throws it: `code` is one that may be sent (RFC 6455, 7.4; 1007 for what cannot be
/// decoded), the message is for people.
export class ExtensionError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'ExtensionError';
    this.code = code;
  }
}

const maySend = (code) => [[1000, 1003], [1007, 1014], [3000, 4999]].some(([from, to]) => code >= from && code <= to);

// What an extension throws ends the connection: with its own words, or with 1011 and its name.
function blaming(name, call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof ExtensionError && maySend(error.code)) throw error;
    throw new ExtensionError(1011, `${name} threw: ${error?.message ?? error}`);
  }
}

// What was thrown where there is nothing to end is for its author, and must not keep from coming what comes next.
function report(error) {
  if (globalThis.reportError) reportError(error);
  else console.error(error);
}

// ---- Sec-WebSocket-Extensions, RFC 6455, 9.1 ------------------------------------------------------------------------

const isToken = (text) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }
  fail(what) {
    throw new ExtensionError(1002, `byte ${this.at + 1} of the list of extensions: ${what}`);
  }
  blanks() {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') ++this.at;
  }
  takes(character) {
    this.blanks();
    if (this.text[this.at] !== character) return false;
    ++this.at;
    this.blanks();
    return true;
  }
  token(what) {
    const from = this.at;
    while (this.at < this.text.length && isToken(this.text[this.at])) ++this.at;
    if (this.at === from) this.fail(`${what} is missing`);
    return this.text.slice(from, this.at);
  }
  value() {
    if (this.text[this.at] !== '"') return this.token('a value');
    let value = '';
    for (++this.at; this.at < this.text.length && this.text[this.at] !== '"'; ++this.at) {
      if (this.text[this.at] === '\\') ++this.at;
      value += this.text[this.at] ?? '';
    }
    if (this.at >= this.text.length || !isToken(value)) this.fail('a quoted value that is no token');
    ++this.at;
    return value;
  }
}

/// Reads a list: [{ name, params: [{ name, value }] }], with a value of null where there is none. Order and doubles are
/// kept. Throws an ExtensionError with 1002.
export function parseExtensions(text, most = maxElements) {
  const in_ = new Reader(text);
  const list = [];
  for (in_.blanks(); in_.at < text.length;) {
    if (in_.takes(',')) continue;
    const element = { name: in_.token('a name'), params: [] };
    while (in_.takes(';')) {
      const param = { name: in_.token('the name of a parameter'), value: null };
      if (in_.takes('=')) param.value = in_.value();
      if (element.params.push(param) > maxParameters) in_.fail('too many parameters');
    }
    in_.blanks();
    if (in_.at < text.length && text[in_.at] !== ',') in_.fail('neither a comma nor a semicolon');
    if (list.push(element) > most) in_.fail('too many elements');
  }
  if (list.length === 0) in_.fail('there is nothing in it');
  return list;
}

/// Writes a list. Throws a TypeError for what is no token.
export function formatExtensions(list) {
  return list.map(({ name, params = [] }) => [name, ...params.map(({ name: key, value }) => {
    if (!isToken(key) || !((value ?? null) === null || isToken(String(value)))) throw new TypeError(`${name}: no token`);
    return (value ?? null) === null ? key : `${key}=${value}`;
  })].join('; ')).join(', ');
}

// ---- the agreement --------------------------------------------------------------------------------------------------

const offersOf = (extension) => (extension.offers ? extension.offers() : [[]]);

/// What a client with these extensions offers, as text.
export function offer(extensions) {
  for (const { name, rsv = 0, opcodes: own = [] } of extensions) {
    if (!isToken(name)) throw new TypeError(`${name}: no token`);
    const free = own.every((opcode) => [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].includes(opcode));
    if (!free || (rsv & ~7) !== 0) throw new TypeError(`${name} claims an opcode or a bit that no extension may have`);
  }
  const list = extensions.flatMap((one) => offersOf(one).map((params) => ({ name: one.name, params })));
  if (list.length === 0 || list.length > maxElements) throw new TypeError(`1 to ${maxElements} offers, not ${list.length}`);
  const text = formatExtensions(list);
  if (text.length > maxAgreement) throw new TypeError(`the offer is longer than ${maxAgreement} bytes`);
  return text;
}

/// Reads a server's answer: { protocol, extensions }, the latter as `parseExtensions` gives them.
export function parseAnswer(text) {
  const [own, ...extensions] = parseExtensions(text, maxElements + 1);
  const named = own.params.length === 1 && own.params[0].name === 'protocol' && own.params[0].value !== null;
  if (own.name !== subprotocol || (own.params.length > 0 && !named)) {
    throw new ExtensionError(1002, 'an in-band answer begins with ext1.hawser, alone or with protocol=NAME');
  }
  return { protocol: named ? own.params[0].value : '', extensions };
}

/// Confirms what was answered: the list of agreed extensions with their stages, in the order of the answer. Throws an
/// ExtensionError: 1002, or 1010 when a required one is missing.
export function agree(extensions, answered) {
  const agreed = [];
  for (const { name, params } of answered) {
    if (agreed.some((one) => one.name === name)) throw new ExtensionError(1002, `the server answered ${name} twice`);
    const candidates = extensions.filter((one) => one.name === name);
    if (candidates.length === 0) throw new ExtensionError(1002, `the server answered ${name}, which was not offered`);
    let stage = null;
    const extension = candidates.find((one) => (stage = blaming(name, () => confirm(one, params))));
    if (!extension) throw new ExtensionError(1002, `the server's parameters for ${name} are not acceptable`);
    const claims = { rsv: extension.rsv ?? 0, opcodes: extension.opcodes ?? [] };
    for (const other of agreed) {
      if ((other.rsv & claims.rsv) !== 0) throw new ExtensionError(1002, `${other.name} and ${name} claim the same bit`);
      const both = claims.opcodes.find((op) => other.opcodes.includes(op));
      if (both) throw new ExtensionError(1002, `${other.name} and ${name} both claim opcode ${both}`);
    }
    agreed.push({ name, params, stage, adds: extension.adds ?? 0, ...claims });
  }
  const missing = extensions.find((one) => one.required && !agreed.some(({ name }) => name === one.name));
  if (missing) throw new ExtensionError(1010, `the extension ${missing.name} is required and was not agreed on`);
  return agreed;
}

// An extension without `confirm` has no parameters and no state: it is its own stage.
function confirm(extension, params) {
  if (extension.confirm) return extension.confirm(params);
  return params.length === 0 ? extension : null;
}

// ---- messages -------------------------------------------------------------------------------------------------------

/// The agreed stages at work, without a socket. `output(wire)` gets what is to be sent, `input(message)` what is for the
/// application, and `fail(error)`, once, the ExtensionError that ends it all: afterwards nothing happens any more. They are
/// called from within `open`, `send`, `receive`, and later, when a stage forwards something; none of these throws.
export class Pipeline {
  #agreed;
  #contexts;
  #maxMessage;
  #claimed = 0;
  #owner = new Map();
  #asked = null;
  #over = false;

  constructor(agreed, { output, input, fail, maxMessage = 16 << 20 }) {
    this.#agreed = agreed;
    this.#contexts = agreed.map((_, index) => this.#context(index));
    this.#maxMessage = maxMessage;
    this.output = output;
    this.input = input;
    this.fail = fail;
    agreed.forEach((one, index) => {
      this.#claimed |= one.rsv;
      for (const op of one.opcodes) this.#owner.set(op, index);
    });
  }

  /// Comes first. What a stage asks for here is done when all of them are open.
  open() {
    const asked = [];
    this.#asked = asked;
    this.#run(() => this.#agreed.forEach((_, index) => this.#guard(index, ({ stage }, context) => stage.open?.(context))));
    this.#asked = null;
    for (const work of asked) this.#run(work);
  }

  /// An application's message goes out.
  send(opcode, payload) {
    this.#run(() => this.#out(0, { opcode, rsv: 0, payload }));
  }

  /// A binary message came.
  receive(wire) {
    this.#run(() => this.#take(wire));
  }

  /// The connection is over.
  closed(code) {
    this.#over = true;
    for (const { stage } of this.#agreed) {
      try {
        stage.closed?.(code);
      } catch (error) {
        report(error);
      }
    }
  }

  // Whoever called, the network or a timer of a stage: it is `fail` that hears of a failure, and only of the first.
  #run(work) {
    try {
      if (!this.#over) work();
    } catch (error) {
      if (this.#over) return false;
      this.#over = true;
      this.fail(error instanceof ExtensionError ? error : new ExtensionError(1011, String(error?.message ?? error)));
    }
    return !this.#over;
  }

  #take(wire) {
    if (wire.length === 0) throw new ExtensionError(1002, 'a message without the byte that says what it is');
    const [opcode, rsv] = [wire[0] & 15, wire[0] >> 4];
    const payload = wire.subarray(1);
    if (opcode !== opcodes.text && opcode !== opcodes.binary && !this.#owner.has(opcode)) {
      throw new ExtensionError(1002, `opcode ${opcode} has no meaning here`);
    }
    if ((rsv & ~(opcode < 8 ? this.#claimed : 0)) !== 0) throw new ExtensionError(1002, 'a bit has no meaning here');
    if (opcode >= 8 && payload.length > 125) throw new ExtensionError(1002, 'a control message over 125 bytes');
    if (opcode < 8) return this.#in(this.#agreed.length - 1, { opcode, rsv, payload });
    const index = this.#owner.get(opcode);
    return this.#guard(index, ({ stage }, context) => stage.control?.(opcode, payload, context));
  }

  #out(from, message) {
    let now = message;
    for (let i = from; i < this.#agreed.length; ++i) {
      const before = { opcode: now.opcode, rsv: now.rsv };
      now = this.#guard(i, ({ stage }, context) => (stage.encode ? stage.encode(now, context) : now));
      if (!now || this.#over) return;
      this.#check(i, before, now, this.#agreed[i].rsv);
    }
    this.#put(now);
  }

  #put({ opcode, rsv, payload }) {
    const wire = new Uint8Array(1 + payload.length);
    wire[0] = (rsv << 4) | opcode;
    wire.set(payload, 1);
    this.output(wire);
  }

  // A message of an own data opcode (3 to 7) comes no further than to its owner.
  #in(from, message) {
    const last = message.opcode > 2 ? this.#owner.get(message.opcode) : 0;
    let now = message;
    this.#bound(from, now);
    for (let i = from; i >= last; --i) {
      const before = { opcode: now.opcode, rsv: now.rsv };
      now = this.#guard(i, ({ stage }, context) => (stage.decode ? stage.decode(now, context) : now));
      if (!now || this.#over) return;
      this.#check(i, before, now, this.#agreed[i].rsv & before.rsv);
      this.#bound(i - 1, now);
    }
    if (now.rsv !== 0) throw new ExtensionError(1002, 'a bit that no extension took off');
    if (now.opcode <= 2) this.input(now);
  }

  // Behind each stage: a message of exactly the limit still has what the stages to come take off it.
  #bound(last, { payload }) {
    let most = this.#maxMessage;
    for (let i = 0; i <= last; ++i) most += this.#agreed[i].adds;
    if (payload.length > most) throw new ExtensionError(1009, `a message over ${this.#maxMessage} bytes (maxMessage)`);
  }

  #check(index, before, after, may) {
    const { name } = this.#agreed[index];
    if (!(after.payload instanceof Uint8Array)) throw new ExtensionError(1011, `${name} gave back what is no message`);
    if (after.opcode === before.opcode && ((after.rsv ^ before.rsv) & ~may) === 0) return;
    throw new ExtensionError(1011, `${name} changed the opcode or a bit that is not its own`);
  }

  #guard(index, call) {
    const one = this.#agreed[index];
    return blaming(one.name, () => call(one, this.#contexts[index]));
  }

  // What a stage asks for, from a hook or whenever else.
  #act(work) {
    return this.#asked && !this.#over ? this.#asked.push(work) > 0 : this.#run(work);
  }

  #context(index) {
    const { name, opcodes: own } = this.#agreed[index];
    const bits = this.#agreed.slice(0, index + 1).reduce((all, { rsv }) => all | rsv, 0);
    const demand = (fine, what) => {
      if (!fine) throw new ExtensionError(1011, `${name} ${what}`);
    };
    return {
      sendControl: (opcode, payload = new Uint8Array()) => this.#act(() => {
        const fits = payload instanceof Uint8Array && payload.length <= 125;
        demand(opcode >= 8 && own.includes(opcode) && fits, 'sent a control message that it must not send');
        this.#put({ opcode, rsv: 0, payload });
      }),
      forward: (direction, message) => this.#act(() => {
        const { opcode, rsv = 0, payload } = message ?? {};
        const out = direction === 'out';
        demand(out || direction === 'in', "forwarded a message neither 'in' nor 'out'");
        demand(payload instanceof Uint8Array, 'forwarded what is no message');
        const mine = opcode === 1 || opcode === 2 || (out && opcode < 8 && own.includes(opcode));
        demand(mine && (!out || (rsv & ~bits) === 0), 'forwarded a message with an opcode or a bit that is not its own');
        if (out) this.#out(index + 1, { opcode, rsv, payload });
        else this.#in(index - 1, { opcode, rsv, payload });
      }),
    };
  }
}

// ---- the socket -----------------------------------------------------------------------------------------------------

// At most 123 bytes of UTF-8, no half characters.
function cutReason(text) {
  let cut = String(text ?? '').slice(0, maxReason);
  while (utf8.encode(cut).length > maxReason) cut = [...cut].slice(0, -1).join('');
  return cut;
}

const event = (type, fields) => Object.assign(new Event(type), fields);

/// A WebSocket with extensions. Events, properties and methods are those of WebSocket, but: `binaryType` is 'arraybuffer'
/// unless set, `send` takes no Blob, `close` events have the code of RFC 6455 that an extension or this module failed
/// with, `error` events have a `message`, and `opened` is a promise.
export class InbandSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  #raw;
  #extensions;
  #pipeline = null;
  #agreed = [];
  #early = [];
  #state = 0;
  #protocols;
  #maxMessage;
  #timer;
  #settle;
  protocol = '';
  binaryType = 'arraybuffer';
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;

  constructor(url, { extensions = [], protocols = [], maxMessage, timeout = 10000, WebSocket: Raw = globalThis.WebSocket } = {}) {
    super();
    if (!Raw) throw new TypeError('there is no global WebSocket: give one, such as { WebSocket } of the package "ws"');
    this.#extensions = extensions;
    this.#protocols = [protocols].flat();
    this.#maxMessage = maxMessage;
    this.opened = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
    this.opened.catch(() => {});  // Who does not wait for it is told by `close`.
    const text = extensions.length > 0 ? offer(extensions) : null;
    this.#raw = new Raw(url, text === null ? this.#protocols : [subprotocol, ...this.#protocols]);
    this.#raw.binaryType = 'arraybuffer';
    this.#raw.onopen = () => this.#guard(() => (this.#raw.protocol === subprotocol ? this.#raw.send(utf8.encode(text)) : this.#openPlain()));
    this.#raw.onmessage = ({ data }) => this.#guard(() => this.#take(data));
    this.#raw.onerror = () => {};  // `close` follows, and says no less.
    this.#raw.onclose = ({ code, reason, wasClean }) => this.#over(code, reason, wasClean);
    this.#timer = setTimeout(() => this.#fail(1008, 'the server did not answer in time'), timeout);
  }

  get url() { return this.#raw.url; }
  get readyState() { return this.#state; }
  get bufferedAmount() { return this.#raw.bufferedAmount; }
  /// The agreed extensions, as in Sec-WebSocket-Extensions.
  get extensions() { return formatExtensions(this.#agreed); }
  /// False when the server did not know ext1.hawser: then this is a plain WebSocket.
  get inband() { return this.#pipeline !== null; }

  /// Sends a string as text, or an ArrayBuffer or a view of one as binary.
  send(data) {
    if (this.#state === InbandSocket.CONNECTING) throw new DOMException('still connecting', 'InvalidStateError');
    if (typeof data !== 'string' && !(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data)) {
      throw new TypeError('send takes a string, an ArrayBuffer or a view; await blob.arrayBuffer() first');
    }
    if (this.#state !== InbandSocket.OPEN) return;
    if (!this.#pipeline) return void this.#raw.send(data);
    const text = typeof data === 'string';
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
    // A copy: stages may change what they get.
    const payload = text ? utf8.encode(data) : new Uint8Array(bytes).slice();
    this.#pipeline.send(text ? opcodes.text : opcodes.binary, payload);
  }

  /// Closes with 1000 or a code from 3000 to 4999, as a script may.
  close(code, reason) {
    if (this.#state >= InbandSocket.CLOSING) return;
    if (code === undefined) this.#raw.close();
    else this.#raw.close(code, reason);
    this.#state = InbandSocket.CLOSING;
  }

  #openPlain() {
    const missing = this.#extensions.find(({ required }) => required);
    if (missing) throw new ExtensionError(1010, `the server does not speak ext1.hawser, and ${missing.name} is required`);
    this.protocol = this.#raw.protocol;
    this.#open();
  }

  #open() {
    clearTimeout(this.#timer);
    this.#state = InbandSocket.OPEN;
    this.#settle.resolve(this);
    this.#tell(event('open'));
  }

  #take(data) {
    if (this.#state === InbandSocket.CLOSED) return;
    if (this.#raw.protocol !== subprotocol || this.#extensions.length === 0) return void this.#deliver(data);
    if (typeof data === 'string') throw new ExtensionError(1003, 'a text message, where all messages are binary');
    const bytes = new Uint8Array(data);
    if (this.#pipeline) return void this.#pipeline.receive(bytes);
    if (this.#state !== InbandSocket.CONNECTING) return;  // `close` was called before the answer came.
    if (bytes.length > maxAgreement) throw new ExtensionError(1009, `an answer over ${maxAgreement} bytes`);
    const answer = parseAnswer(String.fromCharCode(...bytes));
    if (answer.protocol !== '' && !this.#protocols.includes(answer.protocol)) {
      throw new ExtensionError(1002, `the server chose the subprotocol ${answer.protocol}, which was not offered`);
    }
    this.#agreed = agree(this.#extensions, answer.extensions);
    this.protocol = answer.protocol;
    this.#pipeline = new Pipeline(this.#agreed, {
      output: (wire) => this.#raw.send(wire),
      input: (message) => this.#deliverMessage(message),
      fail: ({ code, message }) => this.#fail(code, message),
      maxMessage: this.#maxMessage,
    });
    this.#pipeline.open();
    if (this.#state === InbandSocket.CONNECTING) this.#open();
    for (const message of this.#early.splice(0)) this.#deliverMessage(message);
  }

  #deliverMessage({ opcode, payload }) {
    if (this.#state === InbandSocket.CONNECTING) return this.#early.push({ opcode, payload });
    if (opcode !== opcodes.text) return this.#deliver(payload.slice().buffer);
    let text;
    try {
      text = strictUtf8.decode(payload);
    } catch {
      throw new ExtensionError(1007, 'text that is not UTF-8');
    }
    return this.#deliver(text);
  }

  #deliver(data) {
    if (this.#state === InbandSocket.CLOSED) return;
    const binary = typeof data !== 'string';
    this.#tell(event('message', { data: binary && this.binaryType === 'blob' ? new Blob([data]) : data }));
  }

  #guard(call) {
    try {
      call();
    } catch (error) {
      this.#fail(error instanceof ExtensionError ? error.code : 1011, error?.message ?? String(error));
    }
  }

  // A script cannot close with 1002 to 1011: the code goes out plus 3000.
  #fail(code, reason) {
    if (this.#state === InbandSocket.CLOSED) return;
    const words = cutReason(reason);
    try {
      this.#raw.close(code < 3000 ? code + 3000 : code, words);
    } catch {
      // It was not open yet, or is closed already.
    }
    this.#over(code, words, false);
  }

  #over(code, reason, wasClean) {
    if (this.#state === InbandSocket.CLOSED) return;
    clearTimeout(this.#timer);
    const opened = this.#state !== InbandSocket.CONNECTING;
    this.#state = InbandSocket.CLOSED;
    this.#pipeline?.closed(code);
    const words = `${code}${reason ? ` ${reason}` : ''}`;
    this.#settle.reject(new Error(`not opened: ${words}`));
    if (!wasClean || !opened) this.#tell(event('error', { message: words }));
    this.#tell(event('close', { code, reason, wasClean }));
  }

  // What a handler throws is its own: it must neither end the connection nor keep later events from coming.
  #tell(what) {
    try {
      this[`on${what.type}`]?.(what);
    } catch (error) {
      report(error);
    }
    this.dispatchEvent(what);
  }
}

/// Connects. `options`:
///   extensions  in order of preference: see the shipped ones below for what an extension is
///   protocols   the application's subprotocols, in order of preference
///   maxMessage  the longest message that is received, behind all extensions; 16 MiB
///   timeout     how long the opening may take, in milliseconds; 10,000
///   WebSocket   the class to connect with, where there is no global one
export const connect = (url, options) => new InbandSocket(url, options);

// ---- extensions -----------------------------------------------------------------------------------------------------
//
// An extension is an object: `name`; `rsv`, the bits that it claims (4, 2, 1 for RSV1, RSV2, RSV3); `opcodes`, the opcodes
// that it claims (3 to 7 for data, which it sends by `forward`, 11 to 15 for control); `adds`, the most bytes that it makes
// a message longer by; `required`; `offers()`, lists of parameters [{ name, value }], best first; `confirm(params)`, which
// gives the stage for the server's answer, or null.
//
// A stage has some of these hooks:
//   open(context)                        once, before all others and before the `open` event
//   encode(message, context)             a message on its way out; gives back { opcode, rsv, payload }, or nothing when it
//   decode(message, context)             ... in          took it away. It may change the payload, a Uint8Array, and its own
//                                        bits (inwards it takes them off), at once: nothing here waits for a promise
//   control(opcode, payload, context)    a message of an own control opcode came
//   closed(code)                         once, after all others; what it still holds is lost
//
// `context` is the same one in every hook of a connection, and may be used by them and at any time later, as in a timer:
//   forward('in' or 'out', message)      lets a message go on behind this stage: one that it took away, or one of its own.
//                                        Opcode 1 or 2, outwards also its own of 3 to 7, and no bits but its own and,
//                                        outwards, those of stages before it
//   sendControl(opcode, payload)         sends a message of an own control opcode, with at most 125 bytes
// Neither throws. They answer whether the connection goes on: when it is over, they do nothing and say false. What is wrong
// ends it just as if it were found while receiving: by the peer's fault with its code, such as 1007 for a text that is no
// UTF-8 when it is forwarded at last; by a call that a stage must not make with 1011, and words that name the extension.
//
// A hook may throw: an ExtensionError ends the connection with its code, all else with 1011. What `closed` throws goes to
// `reportError`, or to the console where there is none.

/// An extension of two functions from bytes to bytes. The bit marks what was encoded.
export const messageExtension = (name, rsv, { encode, decode, adds = 0, required = false }) => ({
  name,
  rsv,
  adds,
  required,
  encode: (message) => ({ ...message, rsv: message.rsv | rsv, payload: encode(message.payload) }),
  decode(message) {
    if ((message.rsv & rsv) === 0) return message;
    return { ...message, rsv: message.rsv & ~rsv, payload: decode(message.payload) };
  },
});

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let sum = i;
  for (let bit = 0; bit < 8; ++bit) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  return sum;
});

/// CRC-32C of bytes (RFC 3720, 12.1).
export function crc32c(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = crcTable[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/// x-hawser-checksum: each message ends in the CRC-32C of what comes before; another sum is 1007. docs/wire/checksum.md
export const checksum = ({ required = false } = {}) => ({
  name: 'x-hawser-checksum',
  rsv: 1,
  adds: 4,
  required,
  encode(message) {
    const payload = new Uint8Array(message.payload.length + 4);
    payload.set(message.payload);
    new DataView(payload.buffer).setUint32(message.payload.length, crc32c(message.payload));
    return { ...message, rsv: message.rsv | 1, payload };
  },
  decode(message) {
    if ((message.rsv & 1) === 0) return message;
    const size = message.payload.length - 4;
    if (size < 0) throw new ExtensionError(1002, 'a message shorter than its checksum');
    const payload = message.payload.subarray(0, size);
    const sum = new DataView(message.payload.buffer, message.payload.byteOffset + size).getUint32(0);
    if (sum !== crc32c(payload)) throw new ExtensionError(1007, 'checksum mismatch');
    return { ...message, rsv: message.rsv & ~1, payload };
  },
});
