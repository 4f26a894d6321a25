//! Sends every text message to everybody, its author included: axum's WebSockets with tokio's broadcast channel, as axum's chat
//! example joins them.

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpListener,
    sync::broadcast::{self, error::RecvError},
};

/// The example's: so many messages behind, a reader loses the oldest.
const BACKLOG: usize = 100;

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("usage: PORT");
    let (comments, _) = broadcast::channel(BACKLOG);
    let app = Router::new().route("/ws/comments/", get(upgrade)).with_state(comments);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    // Not in the example, and without it pushes wait for acknowledgements.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("serving goes on");
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    State(comments): State<broadcast::Sender<Utf8Bytes>>,
) -> Response {
    upgrade.on_upgrade(|socket| follow(socket, comments))
}

/// Until either side of the socket ends.
async fn follow(socket: WebSocket, comments: broadcast::Sender<Utf8Bytes>) {
    let mut inbox = comments.subscribe();
    let (mut sender, mut receiver) = socket.split();
    let mut write = tokio::spawn(async move {
        loop {
            match inbox.recv().await {
                Ok(text) => {
                    if sender.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                // The example ends the connection here.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
    let mut read = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            let _ = comments.send(text);
        }
    });
    tokio::select! {
        _ = &mut write => read.abort(),
        _ = &mut read => write.abort(),
    }
}
