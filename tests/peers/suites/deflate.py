"""permessage-deflate against peers that have it, in both roles: windows of 9 to 15 bits each way, with and without context
takeover each way, messages of every kind. Each connection runs through a recording relay. What counts is what was recorded:
the agreement, RSV1, and that each message decompresses under Python's zlib with exactly the window agreed; what the peer
understood, it says itself."""

import asyncio
import dataclasses
import itertools
import json

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from kit import deflate, payloads
from kit.deflate import Agreement
from kit.registry import Failed, expect, expect_equal, peer_test
from kit.relay import Relay
from kit.wire import messages
from suites.chromium import Browser, websockets_of

TAKEOVERS = list(itertools.product((True, False), repeat=2))  # (server, client)
WINDOWS = range(9, 16)


@dataclasses.dataclass
class Case:
    """One connection: what shall be agreed, whether long messages are sent, and what Hawser is told of its extension."""

    wanted: Agreement
    large: bool = False
    tool: str = deflate.SMALL

    @property
    def parameters(self):
        """Of the header, to ask for all of `wanted`."""
        return "".join(text for asked, text in (
            (not self.wanted.server_takeover, "; server_no_context_takeover"),
            (not self.wanted.client_takeover, "; client_no_context_takeover"),
            (self.wanted.server_bits < 15, f"; server_max_window_bits={self.wanted.server_bits}"),
            (self.wanted.client_bits < 15, f"; client_max_window_bits={self.wanted.client_bits}")) if asked)


def windows(tool=deflate.SMALL):
    """Each window each way, each of the four takeovers with some of them."""
    for index, bits in enumerate(WINDOWS):
        yield Case(Agreement(*TAKEOVERS[index % 4], bits, WINDOWS[-1 - index]), tool=tool)


EVERYTHING = [*windows(), *windows(deflate.FAST),
              *(Case(Agreement(*takeovers), True, tool)
                for takeovers, tool in zip(TAKEOVERS, (deflate.SMALL, deflate.FAST, deflate.FAST, deflate.SMALL))),
              Case(Agreement(True, True, 12, 12), tool=deflate.BALANCED), Case(Agreement(False, False, 12, 12), tool=deflate.NAME)]


def judge(seen, case, hawser_serves):
    """Looks at one recorded connection."""
    expect(seen is not None and seen.response.first.startswith("HTTP/1.1 101 "), f"no connection for {case}")
    sent, received = deflate.conversation(seen, case.wanted)
    hawser, peer = (received, sent) if hawser_serves else (sent, received)
    expect(len(hawser) > 9, f"{len(hawser)} echoes only, {case}")
    expect_equal([(one.opcode, one.said) for one in hawser], [(one.opcode, one.said) for one in peer], f"the echoes, {case}")
    expect(any(one.compressed for one in peer), f"the peer compresses nothing, {case}")
    plain = [len(one.said) for one in hawser if not one.compressed]
    expect(max(plain, default=-1) < min(len(one.said) for one in hawser if one.compressed), f"not chosen by length: {plain}, {case}")
    bits, takeover = ((case.wanted.server_bits, case.wanted.server_takeover) if hawser_serves else
                      (case.wanted.client_bits, case.wanted.client_takeover))
    quotes = [one for one in hawser if one.said == payloads.QUOTES.encode()]
    expect(all(one.compressed for one in quotes) and quotes[0].size < len(payloads.QUOTES) / 2, f"{quotes} under {case}")
    if takeover and 1 << bits > 2 * len(payloads.QUOTES):
        expect(quotes[1].size < quotes[0].size / 2, f"nothing taken over: {quotes[0].size}, {quotes[1].size} under {case}")
    if not takeover:
        expect_equal(quotes[1].size, quotes[0].size, f"the size of the same message again under {case}")
    for one in hawser:
        half = len(one.said) // 2
        if half == 1 << (bits - 1) and 9 < bits <= deflate.JUDGED[case.tool] and one.said[:half] == one.said[half:]:
            expect(one.compressed and one.size < 1.6 * half, f"the window is not used: {one.size} of {2 * half} under {case}")


# ---- server role -----------------------------------------------------------------------------------------------------
def configurations(cases, options_of, role_bits, **more):
    """Those of kit/compressed.mjs; the messages are made for the window of Hawser's direction."""
    return [{"bits": getattr(case.wanted, role_bits), "large": case.large, "deflate": options_of(case), **more}
            for case in cases]


def for_bun():
    """What Bun agrees to: a smaller window only together with takeover."""
    for bits, client_bits, client_takeover in zip(WINDOWS, reversed(WINDOWS), itertools.cycle((True, False))):
        yield Case(Agreement(True, client_takeover, bits, client_bits if client_takeover else 15))
    yield Case(Agreement(False, True))


def nothing(case):
    return None


def ws_client_options(case):
    return {"threshold": 0 if case.wanted.client_takeover else 1024,  # so some connections mix plain and compressed ones
            "serverNoContextTakeover": not case.wanted.server_takeover,
            "clientNoContextTakeover": not case.wanted.client_takeover,
            "serverMaxWindowBits": case.wanted.server_bits, "clientMaxWindowBits": case.wanted.client_bits}


def faye_options(own_takeover, own_bits, asked_takeover, asked_bits):
    return {"noContextTakeover": not own_takeover, "maxWindowBits": own_bits,
            "requestNoContextTakeover": not asked_takeover, "requestMaxWindowBits": asked_bits}


def faye_client_options(case):
    wanted = case.wanted
    return faye_options(wanted.client_takeover, wanted.client_bits, wanted.server_takeover, wanted.server_bits)


class Servers:
    """`hawser echo` for each case, one for those that tell it the same. With `imposes` it insists on what is wanted."""

    def __init__(self, bench, cases, imposes):
        words = [case.tool + (case.parameters if imposes else "") for case in cases]
        self._servers = {word: bench.echo("--extension", word) for word in dict.fromkeys(words)}
        self._relays = [Relay(self._servers[word].port) for word in words]
        self.urls = [f"ws://127.0.0.1:{relay.port}/" for relay in self._relays]
        self._cases = cases

    def judge(self):
        for relay, case in zip(self._relays, self._cases):
            judge(relay.closed(), case, True)

    def stop(self):
        for server in self._servers.values():
            server.stop()


def script_client(bench, script, options_of, cases, imposes=False, **more):
    servers = Servers(bench, cases, imposes)
    told = [{**one, "url": url} for one, url in zip(configurations(cases, options_of, "server_bits", **more), servers.urls)]
    bench.script(script, "client", json.dumps(told)).expect_success()
    servers.judge()
    servers.stop()


def test_client(title, *args, **more):
    peer_test(f"deflate/server/{title}", seconds=120)(lambda bench: script_client(bench, *args, **more))


test_client("npm-ws asks for every window and takeover", "ws_deflate.mjs", ws_client_options, EVERYTHING, cuts=[2, 7])
test_client("faye asks for every window and takeover", "faye_deflate.mjs", faye_client_options, EVERYTHING)
for peer, script in (("npm-ws", "ws_deflate.mjs"), ("faye", "faye_deflate.mjs"), ("Bun", "bun_deflate.mjs")):
    test_client(f"{peer} takes every window and takeover", script, nothing,
                [*windows(), Case(Agreement(), True), Case(Agreement(False, False), True, deflate.FAST)], True)


@peer_test("deflate/server/websockets asks for every window and takeover", seconds=120)
def websockets_client(bench):
    servers = Servers(bench, EVERYTHING, False)

    async def talk(case, url):
        factory = ClientPerMessageDeflateFactory(not case.wanted.server_takeover, not case.wanted.client_takeover,
                                                 case.wanted.server_bits, case.wanted.client_bits)
        async with websockets.connect(url, compression=None, ping_interval=None, max_size=4 << 20,
                                      extensions=[factory]) as peer:
            await converse(peer, case.wanted.server_bits, case.large)

    for case, url in zip(EVERYTHING, servers.urls):
        asyncio.run(talk(case, url))
    servers.judge()
    servers.stop()


@peer_test("deflate/server/chromium takes windows and takeovers", seconds=120)
def chromium(bench):
    browser = Browser(bench)
    for case in (Case(Agreement(), large=True), Case(Agreement(False, False), large=True),
                 Case(Agreement(True, False, 9, 12)), Case(Agreement(False, True, 12, 9))):
        server = bench.echo("--extension", case.tool + case.parameters)
        relay = Relay(server.port)
        told = browser.play(f"http://127.0.0.1:{relay.port}/", "compressed", case.wanted.server_bits, case.large)
        seen = [one for one in websockets_of(relay.connections) if len(messages(one.received)) > 9]
        expect_equal(len(seen), 1, f"connections with echoes on the wire, {told}")
        judge(seen[0], case, True)
        expect_equal(told["closed"], [1000, True], f"what the page was told, {told}")
        server.stop()
    browser.close()


async def converse(peer, bits, large):
    """The same as kit/compressed.mjs."""
    for message in payloads.compressible(bits, large):
        await peer.send(message)
        expect_equal(await peer.recv(), message, f"the echo of {len(message)}")
        for pieces in (2, 7) if 100 < len(message) < 100000 else ():
            size = -(-len(message) // pieces)
            await peer.send([message[at:at + size] for at in range(0, len(message), size)])
            expect_equal(await peer.recv(), message, f"the echo of {len(message)} in {pieces} fragments")


# ---- client role -----------------------------------------------------------------------------------------------------
def play(bench, relay, index, case, asks):
    """`hawser echo --client` plays one case; returns what was recorded of it. It asks for the number of cases, plays, and
    asks for the report: three connections."""
    begun = len(relay.connections)
    tool = bench.start(bench.hawser, "echo", "--client", f"ws://127.0.0.1:{relay.port}/{index}",
                       "--extension", case.tool + (case.parameters if asks else ""), name="hawser echo --client")
    tool.expect_success()
    relay.closed(begun + 2)
    return relay.closed(begun + 1)


def ws_server_options(case):
    options = ws_client_options(case)
    return {key: value for key, value in options.items() if value not in (False, 15)}


def faye_server_options(case):
    wanted = case.wanted
    return faye_options(wanted.server_takeover, wanted.server_bits, wanted.client_takeover, wanted.client_bits)


def script_server(bench, script, options_of, cases, asks=False, **more):
    server = bench.script(script, "server", json.dumps(configurations(cases, options_of, "client_bits", **more)))
    relay = Relay(int(server.find(r"^listening on ws://127\.0\.0\.1:(\d+)$").group(1)))
    for index, case in enumerate(cases):
        seen = play(bench, relay, index, case, asks)
        expect_equal(server.next_line(), "ok", f"the verdict of the peer under {case}")
        judge(seen, case, False)


def for_faye(cases):
    """What faye imposes: it speaks of its own window only to clients that did, as two of the presets do."""
    return [dataclasses.replace(case, wanted=dataclasses.replace(case.wanted, server_bits=15))
            if case.tool in (deflate.SMALL, deflate.FAST) else case for case in cases]


def test_server(title, *args, **more):
    peer_test(f"deflate/client/{title}", seconds=120)(lambda bench: script_server(bench, *args, **more))


BUN = "bun_deflate.mjs"
test_server("npm-ws chooses every window and takeover", "ws_deflate.mjs", ws_server_options, EVERYTHING, cuts=[2, 7])
test_server("npm-ws is asked for every window and takeover", "ws_deflate.mjs", nothing, list(windows()), asks=True)
test_server("faye chooses every window and takeover", "faye_deflate.mjs", faye_server_options, for_faye(EVERYTHING))
test_server("faye is asked for every window and takeover", "faye_deflate.mjs", nothing, list(windows(deflate.FAST)), asks=True)
test_server("Bun is asked for every window", BUN, lambda case: {"compress": "dedicated", "decompress": "dedicated"},
            list(for_bun()), asks=True)
test_server("Bun keeps no state, long messages", BUN, lambda case: True, [Case(Agreement(False, False), True)])
# It declines a limit on its window then, and takes the second offer.
test_server("Bun keeps no state and cannot choose its window", BUN, lambda case: True,
            [Case(Agreement(False, False), True, tool) for tool in (deflate.NAME, deflate.BALANCED)])
test_server("Bun keeps 32 KiB, long messages", BUN, lambda case: {"compress": "32KB", "decompress": "32KB"},
            [Case(Agreement(server_bits=12), True, deflate.FAST)])


@peer_test("deflate/client/websockets chooses every window and takeover", args=(False, EVERYTHING), seconds=120)
@peer_test("deflate/client/websockets is asked for every window and takeover", args=(True, list(windows())), seconds=120)
def websockets_server(bench, asks, cases):
    asyncio.run(websockets_cases(bench, asks, cases))


async def websockets_cases(bench, asks, cases):
    for index, case in enumerate(cases):
        verdict = asyncio.get_running_loop().create_future()

        async def handle(ws, path, case=case, verdict=verdict):
            if path.endswith("/getCaseCount"):
                await ws.send("1")
            if "/runCase" in path:
                try:
                    verdict.set_result(await converse(ws, case.wanted.client_bits, case.large))
                except Exception as failure:  # told to the test, whatever it is
                    verdict.set_exception(failure)

        wanted = Agreement() if asks else case.wanted
        factory = ServerPerMessageDeflateFactory(*(
            value or None for value in (not wanted.server_takeover, not wanted.client_takeover,
                                        wanted.server_bits % 15, wanted.client_bits % 15)))
        async with websockets.serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=4 << 20,
                                    extensions=[factory]) as server:
            relay = Relay(server.sockets[0].getsockname()[1])
            seen = await asyncio.get_running_loop().run_in_executor(None, play, bench, relay, index, case, asks)
            await asyncio.wait_for(verdict, 30)
        judge(seen, case, False)


@peer_test("deflate/the judge sees a reference one byte beyond the window")
def judge_of_windows(bench):
    """600 stored bytes, then three bytes copied from 512, or from 513, bytes before."""
    stored = b"\x00" + (600).to_bytes(2, "little") + (0xFFFF - 600).to_bytes(2, "little") + payloads.noise_of(600)
    for copy, bits, good in (("02c63f00", 9, True), ("0226000000", 9, False), ("0226000000", 10, True)):
        inflater = deflate.Inflater(bits, True, "the judged")
        try:
            inflater.message(stored + bytes.fromhex(copy))
            seen = True
        except Failed:
            seen = False
        expect_equal(seen, good, f"the judgement of {copy} in a window of {bits} bits")
