//! The management API, where it is there.

use super::address::Parts;
use super::credentials::Credentials;
use crate::broker::{Address, Error};

/// Adds the vhosts there are to an error about one that is not.
pub async fn suggest_vhost(address: &Address, parts: &Parts, credentials: &Credentials, e: Error) -> Error {
    let _ = (address, parts, credentials);
    e
}
