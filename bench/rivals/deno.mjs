// Deno as an echo server.
const server = Deno.serve({ hostname: '127.0.0.1', port: 0, onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`) },
  (request) => {
    if (request.headers.get('upgrade') !== 'websocket') return new Response('a WebSocket is wanted', { status: 426 });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
await server.finished;
