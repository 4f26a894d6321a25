// Sends every text message to everybody, its author included: Bun's publish, without compression.

const TOPIC = "comments";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(Bun.argv[2]),
  fetch(request, server) {
    const known = new URL(request.url).pathname === "/ws/comments/";
    if (known && server.upgrade(request)) return;
    return new Response("not found", { status: 404 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    open(socket) {
      socket.subscribe(TOPIC);
    },
    message(_, message) {
      server.publish(TOPIC, message);
    },
  },
});
