// Sends every text message to everybody, its author included: a loop over the clients, as the README of `ws` shows it.
// Compression is off, which is the default.

const { WebSocket, WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), path: "/ws/comments/" });

server.on("connection", (author) => {
  author.on("error", () => author.terminate());
  author.on("message", (message, binary) => {
    for (const reader of server.clients) {
      if (reader.readyState === WebSocket.OPEN) reader.send(message, { binary });
    }
  });
});
