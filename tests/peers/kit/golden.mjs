// The messages of golden.json. Their bytes on the wire are there too; the Python side compares them.

import { readFileSync } from 'node:fs';

const all = JSON.parse(readFileSync(new URL('./golden.json', import.meta.url), 'utf8'));

/// Name to text, or to bytes.
export const MESSAGES = new Map(Object.entries(all.messages)
  .map(([name, message]) => [name, typeof message === 'string' ? message : Buffer.from(message.hex, 'hex')]));
