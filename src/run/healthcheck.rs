//! `healthcheck`: asks a running exporter whether it is well.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const AT_MOST: Duration = Duration::from_secs(3);

/// Asks `/-/healthy` at this address. An error says why the exporter is not well.
pub async fn healthcheck(address: SocketAddr) -> anyhow::Result<()> {
    let answer = tokio::time::timeout(AT_MOST, ask(address)).await;
    let answer = answer
        .with_context(|| format!("{address} did not answer within {AT_MOST:?}"))?
        .with_context(|| format!("no exporter answers at {address}"))?;
    if !answer.starts_with("HTTP/1.1 200 ") {
        let status = answer.lines().next().unwrap_or_default();
        bail!("{address} is not healthy: it answered {status:?}");
    }
    Ok(())
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
