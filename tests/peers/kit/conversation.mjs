// One case of the fuzzing pair: writes raw frames to the peer under test and judges it by the bytes that come back.

import { isUtf8 } from 'node:buffer';
import * as wire from './frames.mjs';

const PATIENCE = 15000;  // milliseconds until silence counts as failure; never a pause

/// `role` is the role of the peer under test: 'client' or 'server'.
export class Conversation {
  #socket;
  #left = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};
  keys = [];

  constructor(socket, role) {
    this.role = role;
    this.#socket = socket;
    socket.removeAllListeners();
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.#left = this.#left.length ? Buffer.concat([this.#left, data]) : data;
      this.#wake();
    });
    socket.on('error', () => {});  // a reset after the end is the peer's right; before it, frames will be missing
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
    socket.resume();
  }

  /// A frame as our side has to write it, unless `what` says otherwise.
  frame(what) {
    return wire.frame({ key: this.role === 'server' ? wire.freshKey() : null, ...what });
  }

  text(payload, more = {}) {
    return this.frame({ opcode: wire.TEXT, payload, ...more });
  }

  binary(payload, more = {}) {
    return this.frame({ opcode: wire.BINARY, payload, ...more });
  }

  rest(payload, more = {}) {
    return this.frame({ opcode: wire.CONTINUATION, payload, ...more });
  }

  ping(payload, more = {}) {
    return this.frame({ opcode: wire.PING, payload, ...more });
  }

  pong(payload, more = {}) {
    return this.frame({ opcode: wire.PONG, payload, ...more });
  }

  close(code, reason, more = {}) {
    return this.frame({ opcode: wire.CLOSE, payload: code === undefined ? '' : wire.closePayload(code, reason), ...more });
  }

  /// Sends everything in one write.
  async send(...parts) {
    await this.#write(Buffer.concat(parts));
  }

  /// Sends everything in writes of `size` bytes, each handed to the kernel before the next.
  async sendCut(size, ...parts) {
    const bytes = Buffer.concat(parts);
    for (let at = 0; at < bytes.length; at += size) await this.#write(bytes.subarray(at, at + size));
  }

  async expectMessage(opcode, payload) {
    const wanted = Buffer.from(payload);
    const pieces = [];
    for (let first = true, fin = false; !fin; first = false) {
      const seen = await this.#next(`a message of ${wanted.length} bytes`);
      if (seen.opcode !== (first ? opcode : wire.CONTINUATION)) throw new Error(`wanted a message, got ${describe(seen)}`);
      pieces.push(seen.payload);
      fin = seen.fin;
    }
    const whole = Buffer.concat(pieces);
    if (opcode === wire.TEXT && !isUtf8(whole)) throw new Error('the peer sent text that is not UTF-8');
    if (!whole.equals(wanted)) throw new Error(`wanted a message of ${wanted.length} bytes, got others (${whole.length})`);
  }

  expectText(payload) {
    return this.expectMessage(wire.TEXT, payload);
  }

  expectBinary(payload) {
    return this.expectMessage(wire.BINARY, payload);
  }

  async expectPong(payload) {
    const seen = await this.#next('a pong');
    if (seen.opcode !== wire.PONG) throw new Error(`wanted a pong, got ${describe(seen)}`);
    if (!seen.payload.equals(Buffer.from(payload))) throw new Error('the pong carries another payload than the ping');
  }

  /// The peer fails the connection: a Close frame with `code`, then the end, nothing in between.
  async expectFail(code) {
    await this.#expectCloseFrame([code]);
    this.#endAfterClose(this.close(code));
    await this.#expectEnd();
  }

  /// We close; the peer must answer with the same code (none for none) or one of `others`, and the connection must end.
  async closeWith(code, reason, others = []) {
    await this.send(this.close(code, reason));
    await this.expectCloseAnswer(code, others);
  }

  async expectCloseAnswer(code, others = []) {
    await this.#expectCloseFrame([code, ...others]);
    this.#endAfterClose();
    await this.#expectEnd();
  }

  destroy() {
    this.#socket.destroy();
  }

  async #expectCloseFrame(codes) {
    const seen = await this.#next(`a Close frame with ${codes}`);
    if (seen.opcode !== wire.CLOSE) throw new Error(`wanted a Close frame with ${codes}, got ${describe(seen)}`);
    if (seen.payload.length === 1) throw new Error('a Close frame of one byte');
    const code = seen.payload.length ? seen.payload.readUInt16BE(0) : undefined;
    if (!codes.includes(code)) throw new Error(`wanted close code ${codes}, got ${code}`);
    if (!isUtf8(seen.payload.subarray(2))) throw new Error('the reason of a Close frame is not UTF-8');
  }

  // The server ends the TCP connection first (RFC 6455, 7.1.1): when the peer is the server, it is waited for.
  #endAfterClose(answer) {
    if (answer && this.#socket.writable) this.#socket.write(answer);
    if (this.role === 'client') this.#socket.end();
  }

  async #expectEnd() {
    await this.#until(() => this.#ended || this.#left.length > 0, 'the end of the connection');
    if (this.#left.length > 0) throw new Error(`${this.#left.length} bytes after the Close frame`);
  }

  async #next(what) {
    let taken = null;
    await this.#until(() => (taken = wire.takeFrame(this.#left, this.role === 'client')) !== null || this.#ended, what);
    if (taken === null) throw new Error(`the connection ended before ${what}`);
    this.#left = taken.rest;
    if (taken.frame.key) this.keys.push(taken.frame.key.toString('hex'));
    return taken.frame;
  }

  #write(bytes) {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  async #until(condition, what) {
    const deadline = Date.now() + PATIENCE;
    while (!condition()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing in ${PATIENCE} ms while waiting for ${what}`);
      let timer;
      await new Promise((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }
}

function describe({ opcode, payload, fin }) {
  const code = opcode === wire.CLOSE && payload.length > 1 ? ` (${payload.readUInt16BE(0)} ${payload.subarray(2)})` : '';
  return `${fin ? '' : 'unfinished '}opcode ${opcode}${code}, ${payload.length} bytes`;
}

/// Runs one case; {behavior: 'OK' | 'FAILED', detail}.
export async function judge(kase, conversation) {
  try {
    await kase.run(conversation);
    return { behavior: 'OK', detail: '' };
  } catch (failure) {
    return { behavior: 'FAILED', detail: failure.message };
  } finally {
    conversation.destroy();
  }
}
