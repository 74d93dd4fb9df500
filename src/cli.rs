//! The clap tree and the shared flag groups; no I/O.
