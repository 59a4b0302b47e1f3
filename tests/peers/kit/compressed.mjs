// What every JavaScript peer says where messages are compressed. A configuration is {bits, large, cuts, ...}: the window that
// the messages are made for, whether long ones are among them, into how many fragments each is cut when it is sent once more (where the peer can), and what its
// peer makes of it: `deflate`, the options of permessage-deflate, and `url` of a client.

import { compressible } from './payloads.mjs';
import { expectEqual } from './talk.mjs';

/// Sends each message when the echo of the one before is there. `peer` is {send(message), cut(message, size), next()}.
export async function converse(peer, { bits, large = false, cuts = [] }) {
  for (const message of compressible(bits, large)) {
    const what = `the echo of ${message.length} (${typeof message})`;
    peer.send(message);
    expectEqual(await peer.next(), message, what);
    for (const pieces of peer.cut && message.length > 100 && message.length < 100000 ? cuts : []) {
      peer.cut(message, Math.ceil(message.length / pieces));
      expectEqual(await peer.next(), message, `${what} in ${pieces} fragments`);
    }
  }
}

/// The part of a fuzzing server: `hawser echo --client URL/2` asks how many cases there are, plays the only one, which is the
/// third configuration, and asks for a report. `peer` is that of a connection as `converse` wants it, with close().
export async function serve(target, peer, configurations) {
  if (target.includes('/getCaseCount')) peer.send('1');
  if (target.includes('/runCase')) {
    try {
      await converse(peer, configurations[indexOf(target)]);
      console.log('ok');
    } catch (failure) {
      console.log(`failed: ${failure.stack.replaceAll('\n', ' ')}`);
    }
  }
  peer.close();
}

/// The configuration that a target asks for.
export function indexOf(target) {
  return Number(target.split('/')[1]);
}
