// Small things for the programs that use npm `ws`.

/// Turns an emitter's events into a queue that can be awaited: a message that came early is not lost.
export class Inbox {
  #waiting = [];
  #items = [];

  constructor(emitter, events) {
    for (const event of events) emitter.on(event, (...values) => this.push([event, ...values]));
  }

  push(item) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(item);
    else this.#items.push(item);
  }

  next() {
    if (this.#items.length) return Promise.resolve(this.#items.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export function expect(condition, what) {
  if (!condition) throw new Error(what);
}

export function expectEqual(seen, wanted, what) {
  if (!same(seen, wanted)) throw new Error(`${what}: wanted ${short(wanted)}, saw ${short(seen)}`);
}

function same(a, b) {
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return a.equals(b);
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => same(value, b[i]));
  return a === b;
}

function short(value) {
  const text = Buffer.isBuffer(value) ? `<${value.subarray(0, 60).toString('hex')}>` : JSON.stringify(value) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}... (${text.length})` : text;
}

/// Runs the check called `name` of `checks`; prints `ok` or the reason, and ends the process with the status that fits.
export async function main(checks, name, ...args) {
  try {
    expect(checks[name], `there is no check called ${name}`);
    await checks[name](...args);
    console.log('ok');
    process.exit(0);
  } catch (failure) {
    console.log(`failed: ${failure.stack}`);
    process.exit(1);
  }
}
