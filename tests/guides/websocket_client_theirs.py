"""The Python of docs/from_websocket_client.md; websocket_client.cc does the same. Usage: ... app|calls|thread URL"""

import sys
import threading

import websocket


def app(url):
    def on_open(ws):
        ws.send("hello")

    def on_message(ws, message):
        print("message:", message)
        ws.close()

    def on_error(ws, error):
        print("error:", error)

    def on_close(ws, status, reason):
        print("closed")

    ws = websocket.WebSocketApp(url, header={"X-Token": "secret"}, subprotocols=["chat.v1"],
                                on_open=on_open, on_message=on_message, on_error=on_error, on_close=on_close)
    ws.run_forever(ping_interval=20, ping_timeout=10)


def calls(url):
    ws = websocket.create_connection(url, timeout=10)
    ws.send("hello")
    print("message:", ws.recv())
    ws.send_binary(b"\x00\x01\x02")
    print("bytes:", len(ws.recv()))
    ws.close()


def thread(url):
    heard = threading.Event()
    opened = threading.Event()

    def on_message(ws, message):
        print("message:", message)
        heard.set()

    ws = websocket.WebSocketApp(url, on_open=lambda ws: opened.set(), on_message=on_message)
    threading.Thread(target=ws.run_forever, daemon=True).start()
    opened.wait()
    ws.send("hello")
    heard.wait()
    ws.close()


if __name__ == "__main__":
    {"app": app, "calls": calls, "thread": thread}[sys.argv[1]](sys.argv[2])
