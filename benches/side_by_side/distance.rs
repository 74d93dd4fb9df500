//! A proxy that is some milliseconds away: bytes arrive as late as they would, and as many at once as are sent.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use super::Result;

/// Forwards connections to `server` (`127.0.0.1:9324`), each way `late` later. Its address; it ends with the runtime.
pub fn proxy(runtime: &Runtime, server: String, late: Duration) -> Result<String> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?.to_string();
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let Ok(upstream) = TcpStream::connect(server).await else { return };
                // A batch is more than one segment, and must not wait for what follows it.
                let plain = (client.set_nodelay(true), upstream.set_nodelay(true));
                debug_assert!(plain.0.is_ok() && plain.1.is_ok());
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), upstream.into_split());
                tokio::spawn(forward(from_client, to_server, late));
                forward(from_server, to_client, late).await;
            });
        }
    });
    Ok(address)
}

/// Reads on while what was read before is still under way, so that only time is added and no throughput taken.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, late: Duration) {
    let (mut under_way, mut block, mut ended) = (VecDeque::<(Instant, Vec<u8>)>::new(), vec![0; 64 << 10], false);
    while !ended || !under_way.is_empty() {
        let next = under_way.front().map_or_else(|| Instant::now() + Duration::from_secs(3600), |(at, _)| *at);
        tokio::select! {
            read = from.read(&mut block), if !ended => match read {
                Ok(0) | Err(_) => ended = true,
                Ok(n) => under_way.push_back((Instant::now() + late, block[..n].to_vec())),
            },
            () = sleep_until(next), if !under_way.is_empty() => {
                let Some((_, bytes)) = under_way.pop_front() else { continue };
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}
