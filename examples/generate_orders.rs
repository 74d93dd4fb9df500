//! Writes `examples/orders.dlq.ndjson` to standard output: `cargo run --example generate_orders > examples/orders.dlq.ndjson`.

use std::io::Write;

#[path = "generate_orders/orders.rs"]
mod orders;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(&orders::archive())
}
