//! What Duplicity's backend (`backend.py`) and a resident process say to each other.
//!
//! JSON lines: requests on the resident's standard input, answers on its standard output. Names and
//! paths are bytes, written as hex digits, two for each byte. Sizes are bytes of the object, not of its
//! shares.
//!
//! The resident greets, once the store is open, with `{"id":0,"ok":true,"protocol":1}`, or it says why
//! there is nothing to greet with and ends: `{"id":0,"ok":false,"kind":"failed","error":"..."}`. Then
//! the backend sends one request at a time, each with an id, and gets exactly one answer with the same
//! id before it sends the next:
//!
//! | request | answer, besides `"ok":true` |
//! | --- | --- |
//! | `{"id":1,"op":"put","name":"6161","size":5,"fifo":"2f72..."}` | `"size":5,"degraded":[{"host":"h1","error":"..."}]` |
//! | `{"id":2,"op":"get","name":"6161","fifo":"2f72..."}` | `"size":5` |
//! | `{"id":3,"op":"list"}` | `"objects":[{"name":"6161"}]` |
//! | `{"id":4,"op":"query","name":"6161"}` | `"size":5`; -1 if there is no such object |
//! | `{"id":5,"op":"delete","name":"6161"}` | nothing; also if there is no such object |
//!
//! **put.** The resident opens the named pipe `fifo` for reading; the backend opens it for writing once
//! it has a reader, writes the object, and closes it. Then it says `{"id":1,"op":"commit","size":5}`, the
//! number of bytes that it wrote. Only after that, and only if as many came, may the object be
//! committed; `size` in the request is what the backend expects to send, for whoever shows progress.
//! `{"id":1,"op":"abort"}` in place of `commit`, or the end of the control channel, means that the object
//! is not to be. Neither has an answer of its own. The resident may answer earlier, if it fails: then it
//! has closed the pipe, or will not open it, and passes over a `commit` or `abort` that still comes.
//! `degraded` lists the hosts that did not take their share.
//!
//! **get.** The backend has `fifo` open for reading before it asks. The resident opens it for writing,
//! writes the object, closes it, and only then answers. What came through the pipe is the object if the
//! answer is ok and its `size` is what came.
//!
//! **list** is all committed names, also of objects that cannot be read at the moment, or an error.
//! Duplicity deletes data on a short list.
//!
//! An answer that says no: `{"id":1,"ok":false,"kind":"no_space","error":"..."}`, see [`ErrorKind`].
//!
//! The resident ends when its standard input does. What is not committed by then never will be.
//!
//! **Locks.** Before its first put or delete the resident locks the hosts, together with all residents of
//! the same session, until it ends. A Duplicity that was started by itself gives its session a number, in
//! `DISTDUP_SESSION`.
//!
//! **Reports.** If the environment has `DISTDUP_REPORT`, the path of a UNIX datagram socket, the resident
//! sends a [`Report`] there for every put, get and delete that was done, and every delete that failed, before
//! it answers: Duplicity itself exits with 0 also if puts were degraded, gets met damage, or objects could
//! not be deleted. While a put goes on, it reports how far it is.

use std::error::Error;

use serde::{Deserialize, Serialize};

use crate::catalogue::{catalogue, said};

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;

/// The resident's command line, a JSON array.
pub const RESIDENT: &str = "DISTDUP_RESIDENT";
/// The [runtime folder](super::runtime), where the backend makes its pipes.
pub const RUNTIME: &str = "DISTDUP_RUNTIME";
/// What the processes of one Duplicity that was started by itself share their locks by, a number.
pub const SESSION: &str = "DISTDUP_SESSION";
/// The socket for [`Report`]s.
pub const REPORT: &str = "DISTDUP_REPORT";
/// Is set where Duplicity's log is read by us.
pub const LOG: &str = "DISTDUP_LOG";

/// Bytes that need not be text: names of objects, paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hex(pub Vec<u8>);

/// One line on the control channel, to the resident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number of the request; `commit` and `abort` have the put's.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub operation: Operation,
}

/// What a [`Request`] asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Store an object that comes through a pipe.
    Put {
        /// Its name.
        name: Hex,
        /// Bytes that it is expected to have.
        size: u64,
        /// The pipe.
        fifo: Hex,
    },
    /// All of the object went into the pipe.
    Commit {
        /// Bytes that went into it.
        size: u64,
    },
    /// The object is not to be stored.
    Abort,
    /// Write an object into a pipe.
    Get {
        /// Its name.
        name: Hex,
        /// The pipe.
        fifo: Hex,
    },
    /// All names.
    List,
    /// The size of an object.
    Query {
        /// Its name.
        name: Hex,
    },
    /// Delete an object.
    Delete {
        /// Its name.
        name: Hex,
    },
}

/// One line on the control channel, from the resident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Number of the request; 0 for the greeting.
    pub id: u64,
    /// Was it done?
    pub ok: bool,
    /// What it gave, or why it was not done.
    #[serde(flatten)]
    pub content: Content,
}

/// What an [`Answer`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// The greeting.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
    },
    /// Of a put.
    Stored {
        /// Bytes of the object.
        size: u64,
        /// Hosts without a share of it.
        degraded: Vec<HostFault>,
    },
    /// Of a get or a query.
    Size {
        /// Bytes of the object, -1 if there is none.
        size: i64,
    },
    /// Of a list.
    Objects {
        /// All of them.
        objects: Vec<Listed>,
    },
    /// Of a delete.
    Deleted {},
    /// Of anything.
    Refused {
        /// What Duplicity is to make of it.
        kind: ErrorKind,
        /// For people.
        error: String,
    },
}

/// One object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: Hex,
}

/// What Duplicity is to make of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// There is no such object. Not tried again.
    NotFound,
    /// The hosts do not let us.
    Permission,
    /// The hosts are full.
    NoSpace,
    /// The object is beyond repair, however often it is tried.
    Damaged,
    /// Anything else.
    Failed,
}

/// A host that did not do its part, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFault {
    /// The host's name.
    pub host: String,
    /// What is wrong.
    pub error: String,
    /// The code of that, in the catalogue of errors.
    pub code: Option<String>,
}

impl HostFault {
    /// That a host failed by an error.
    pub fn of(host: &str, error: &(dyn Error + 'static)) -> Self {
        let (error, code) = said(error);
        let host = host.to_owned();
        Self { host, error, code }
    }
}

/// Sent to whoever started Duplicity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was done.
    pub event: Event,
    /// To which object.
    pub name: Hex,
    /// Its bytes; of a part, those that have come so far.
    pub size: u64,
    /// What hosts took, where something was written.
    pub written: Vec<Written>,
    /// Hosts, or shares, that were not as they should be.
    pub faults: Vec<HostFault>,
    /// Why it was not done, if it was not: of a delete.
    pub failure: Option<Failure>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong.
    pub error: String,
    /// The code of that, in the catalogue of errors.
    pub code: Option<String>,
}

impl Failure {
    /// By an error.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let (error, code) = said(error);
        Self { error, code }
    }
}

/// A host that took its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The host's name.
    pub host: String,
    /// Bytes of the share.
    pub bytes: u64,
}

/// What a [`Report`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// An object was stored; where there are faults, not on all hosts.
    Put,
    /// An object was read; where there are faults, not all of its shares were good.
    Get,
    /// Part of an object that is being stored has come.
    Part,
    /// An object was deleted; where there are faults, not from all hosts.
    Delete,
}

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        use std::fmt::Write;
        bytes
            .iter()
            .fold(Self::with_capacity(2 * bytes.len()), |mut text, byte| {
                let _ = write!(text, "{byte:02x}"); // a String takes everything
                text
            })
    }
}

impl TryFrom<String> for Hex {
    type Error = NotHex;

    fn try_from(text: String) -> Result<Self, NotHex> {
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return Err(NotHex {
                length: digits.len(),
            });
        }
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        digits
            .chunks_exact(2)
            .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
            .collect::<Option<_>>()
            .map(Hex)
            .ok_or(NotHex {
                length: digits.len(),
            })
    }
}

/// What should be hex digits is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} characters that are not pairs of hex digits")]
pub struct NotHex {
    length: usize,
}

catalogue! {
    NotHex {
        Self { .. } => "duplicity-protocol":
            "The request was refused; what is stored is as it was."
            "This is a mistake in distdup, or another program spoke to it: please report it.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_documented() {
        let hex = |text: &str| Hex(text.as_bytes().to_vec());
        for (line, id, operation) in [
            (
                r#"{"id":1,"op":"put","name":"6161","size":5,"fifo":"2f72"}"#,
                1,
                Operation::Put {
                    name: hex("aa"),
                    size: 5,
                    fifo: hex("/r"),
                },
            ),
            (
                r#"{"id":1,"op":"commit","size":5}"#,
                1,
                Operation::Commit { size: 5 },
            ),
            (r#"{"op":"abort","id":1}"#, 1, Operation::Abort),
            (
                r#"{"id":2,"op":"get","name":"fF00","fifo":""}"#,
                2,
                Operation::Get {
                    name: Hex(vec![0xff, 0]),
                    fifo: hex(""),
                },
            ),
            (r#"{"id":3,"op":"list"}"#, 3, Operation::List),
            (
                r#"{"id":4,"op":"query","name":"6161"}"#,
                4,
                Operation::Query { name: hex("aa") },
            ),
            (
                r#"{"id":5,"op":"delete","name":"6161"}"#,
                5,
                Operation::Delete { name: hex("aa") },
            ),
        ] {
            assert_eq!(
                serde_json::from_str::<Request>(line).unwrap(),
                Request { id, operation }
            );
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for line in [
            r#"{"id":1,"op":"put","name":"6161","size":-5,"fifo":"2f72"}"#,
            r#"{"id":1,"op":"query","name":"616"}"#,
            r#"{"id":1,"op":"query","name":"6g"}"#,
            r#"{"id":1,"op":"query","name":"é"}"#,
            r#"{"op":"list"}"#,
            r#"{"id":1,"op":"format"}"#,
            "",
        ] {
            assert!(serde_json::from_str::<Request>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn answers_read_as_documented() {
        let fault = HostFault {
            host: "h1".into(),
            error: "gone".into(),
            code: Some("host-down".into()),
        };
        for (ok, content, line) in [
            (
                true,
                Content::Hello { protocol: 1 },
                r#"{"id":7,"ok":true,"protocol":1}"#,
            ),
            (
                true,
                Content::Stored {
                    size: 5,
                    degraded: vec![fault],
                },
                r#"{"id":7,"ok":true,"size":5,"degraded":[{"host":"h1","error":"gone","code":"host-down"}]}"#,
            ),
            (
                true,
                Content::Size { size: -1 },
                r#"{"id":7,"ok":true,"size":-1}"#,
            ),
            (
                true,
                Content::Objects {
                    objects: vec![Listed {
                        name: Hex(vec![0xab]),
                    }],
                },
                r#"{"id":7,"ok":true,"objects":[{"name":"ab"}]}"#,
            ),
            (true, Content::Deleted {}, r#"{"id":7,"ok":true}"#),
            (
                false,
                Content::Refused {
                    kind: ErrorKind::NoSpace,
                    error: "full".into(),
                },
                r#"{"id":7,"ok":false,"kind":"no_space","error":"full"}"#,
            ),
        ] {
            assert_eq!(
                serde_json::to_string(&Answer { id: 7, ok, content }).unwrap(),
                line
            );
        }
    }
}
