//! [`RecordReceiver`]: bytes become records, records become content, and what a peer must never
//! send is refused.
//!
//! The order of checks for one record:
//!
//! 1. its header (`record::Header`);
//! 2. a ChangeCipherSpec, which is never protected, is dropped where it is allowed (RFC 9846,
//!    section 5);
//! 3. the record is opened, application data into the caller's buffer if there is one, or skipped
//!    as early data (4.3.10);
//! 4. no record of another type may come inside a handshake message (5.1).

use crate::code_point::{AlertDescription, ContentType};
use crate::connection::receive::flood_limit::FloodLimit;
use crate::error::{DecodeProblem, Fault};
use crate::handshake::SkipMode;
use crate::record::{Deframer, Header, Joiner, KeyUse, MAX_INNER, Open};

/// RFC 9846, section 5 asks to drop a ChangeCipherSpec; no peer needs more than one or two.
const MAX_CHANGE_CIPHER_SPECS: usize = 32;

/// The records that a connection receives, and the keys that open them.
pub(crate) struct RecordReceiver {
    pub(crate) deframer: Deframer,
    /// None after the peer's close_notify or a failure: nothing more is read, and the keys are
    /// gone.
    open: Option<Open>,
    pub(crate) joiner: Joiner,
    /// From the first ClientHello until the peer's Finished: a ChangeCipherSpec is allowed.
    pub(crate) in_handshake: bool,
    change_cipher_specs: usize,
    /// Whether an alert may come unprotected although there are keys: from a client, until its
    /// first protected record opens.
    plaintext_alerts: bool,
    /// How to recognize early data that is skipped, and how many bytes may still be skipped.
    skip_early_data: Option<(SkipMode, usize)>,
    /// While early data is received: how many bytes may still come. What the deframer holds is then
    /// early data.
    early_data_left: Option<EarlyDataLeft>,
    /// Our limit for a protected record, for the current and all later keys.
    max_inner: usize,
    pub(crate) flood_limit: FloodLimit,
    /// Anything came from the transport.
    pub(crate) began: bool,
    /// The transport has ended.
    pub(crate) ended: bool,
}

/// How many bytes of early data a client may still send, and the limit it was given.
#[derive(Clone, Copy)]
struct EarlyDataLeft {
    left: usize,
    limit: u32,
}

/// The content of a record, for the connection to act on.
pub(crate) enum Received {
    /// Handshake bytes: messages may be complete now.
    Handshake,
    /// Application data: the first `placed` bytes are in the caller's buffer, the rest is held in
    /// the deframer.
    Data { placed: usize },
    /// Application data of length zero.
    EmptyData,
    /// An alert.
    Alert(AlertDescription),
    /// Nothing to act on: a ChangeCipherSpec, or skipped early data.
    Nothing,
}

impl RecordReceiver {
    pub(crate) fn new(is_client: bool) -> Self {
        Self {
            deframer: Deframer::new(),
            open: Some(Open::plaintext()),
            joiner: Joiner::default(),
            // A client has sent its ClientHello before anything can come.
            in_handshake: is_client,
            change_cipher_specs: 0,
            plaintext_alerts: !is_client,
            skip_early_data: None,
            early_data_left: None,
            max_inner: MAX_INNER,
            flood_limit: FloodLimit::default(),
            began: false,
            ended: false,
        }
    }

    /// Accounts for `count` bytes from the transport. Bytes after the peer's close_notify are
    /// ignored (RFC 9846, 6.1).
    pub(crate) fn received(&mut self, count: usize) {
        if count > 0 {
            self.began = true;
            self.flood_limit.arrived();
        }
        self.deframer.filled(count);
        if !self.is_open() {
            self.deframer.discard();
        }
    }

    /// Returns true if the peer can still send something.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the next record, if it is complete. Application data goes to `into`; early data is
    /// held instead, to be read through a call of its own.
    pub(crate) fn next_record(&mut self, into: &mut [u8]) -> Result<Option<Received>, Fault> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let skips_outer_type = matches!(self.skip_early_data, Some((SkipMode::OuterType, _)));
        let Some((header, range)) = self
            .deframer
            .next(open.is_protected() || skips_outer_type)?
        else {
            return Ok(None);
        };
        let body = self.deframer.bytes(range.clone());
        if header.content_type == ContentType::ALERT && open.is_protected() && self.plaintext_alerts
        {
            // RFC 9846, A.1: a client whose handshake fails before it has our keys sends its alert
            // in the clear. Anyone could forge that and end the handshake, but anyone on the path
            // can end it anyway, so the alert is reported. Later, a forged close_notify would
            // truncate a conversation unseen.
            return parse_alert(body).map(|alert| Some(Received::Alert(alert)));
        }
        // Not where such data would be a fault, or would overtake what is held.
        let places = self.early_data_left.is_none()
            && !self.joiner.is_mid_message()
            && self.deframer.held().is_empty();
        let body = self.deframer.bytes(range.clone());
        let opened = match open.open(&header, body, if places { into } else { &mut [] }) {
            Ok(opened) => opened,
            Err(fault) if skips(&mut self.skip_early_data, &fault, &header) => {
                return Ok(Some(Received::Nothing));
            }
            Err(fault) => return Err(fault),
        };
        // RFC 9846, 4.3.10: the first protected record that opens is the client's second flight;
        // the first plaintext of a message, after a retry, is its second ClientHello.
        if let ContentType::APPLICATION_DATA | ContentType::HANDSHAKE = header.content_type {
            self.skip_early_data = None;
        }
        if header.content_type == ContentType::APPLICATION_DATA {
            self.plaintext_alerts = false;
        }
        // RFC 9846, 5.1: "if a handshake message is split over two or more records, there MUST NOT
        // be any other records between them".
        if opened.content_type != ContentType::HANDSHAKE && self.joiner.is_mid_message() {
            return Err(Fault::Interleaved {
                got: opened.content_type,
            });
        }
        let content = body.get(opened.placed..opened.len).unwrap_or_default();
        Ok(Some(match opened.content_type {
            ContentType::HANDSHAKE => {
                self.joiner.push(content);
                Received::Handshake
            }
            ContentType::ALERT => Received::Alert(parse_alert(content)?),
            ContentType::CHANGE_CIPHER_SPEC => {
                self.count_change_cipher_spec()?;
                Received::Nothing
            }
            _ if opened.len == 0 => Received::EmptyData,
            _ => {
                if let Some(early) = &mut self.early_data_left {
                    // RFC 9846, 4.7.1: "A server receiving more than max_early_data_size bytes of
                    // 0-RTT data SHOULD terminate the connection with an "unexpected_message"
                    // alert." Padding is not counted.
                    early.left = early
                        .left
                        .checked_sub(content.len())
                        .ok_or(Fault::TooMuchEarlyData { limit: early.limit })?;
                }
                self.deframer
                    .hold(range.start + opened.placed..range.start + opened.len);
                Received::Data {
                    placed: opened.placed,
                }
            }
        }))
    }

    /// Moves held data to `into`, and returns how many bytes were moved.
    pub(crate) fn take_held(&mut self, into: &mut [u8]) -> usize {
        let held = self.deframer.held();
        let count = held.len().min(into.len());
        if let Some((to, from)) = into.get_mut(..count).zip(held.get(..count)) {
            to.copy_from_slice(from);
        }
        self.deframer.consume(count);
        count
    }

    /// Installs new keys, from the next record on.
    pub(crate) fn install(&mut self, mut open: Open) {
        self.skip_early_data = None;
        self.early_data_left = None;
        if self.open.is_some() {
            open.set_max_inner(self.max_inner);
            self.open = Some(open);
        }
    }

    /// Installs the keys of early data, from the next record on. At most `limit` bytes of it may
    /// come.
    pub(crate) fn accept_early_data(&mut self, open: Open, limit: u32) {
        if self.open.is_some() {
            self.open = Some(open);
            self.early_data_left = Some(EarlyDataLeft {
                left: usize::try_from(limit).unwrap_or(usize::MAX),
                limit,
            });
        }
    }

    /// Returns true if what is received and held is early data.
    pub(crate) fn is_early_data(&self) -> bool {
        self.early_data_left.is_some()
    }

    /// Sets our limit for protected records (RFC 8449, section 4).
    ///
    /// A client learns that the server accepts the limit from a message that is in such records
    /// itself, so the records that brought the message are checked afterwards.
    pub(crate) fn limit(&mut self, max_inner: usize) -> Result<(), Fault> {
        self.max_inner = max_inner;
        // A client that sends early data has not seen the limit yet.
        let Some(open) = self
            .open
            .as_mut()
            .filter(|_| self.early_data_left.is_none())
        else {
            return Ok(());
        };
        open.set_max_inner(max_inner);
        match open.longest_inner() {
            length if length > max_inner => Err(Fault::RecordOverflow {
                length,
                limit: max_inner,
            }),
            _ => Ok(()),
        }
    }

    /// Moves on to the next generation of keys (RFC 9846, 4.7.3).
    pub(crate) fn update(&mut self) {
        if let Some(open) = &mut self.open {
            open.update();
        }
    }

    /// Returns what the peer's keys have protected.
    pub(crate) fn key_used(&self) -> KeyUse {
        self.open.as_ref().map_or_else(KeyUse::default, Open::used)
    }

    /// Skips early data from now on, up to `budget` bytes.
    pub(crate) fn skip_early_data(&mut self, mode: SkipMode, budget: usize) {
        self.skip_early_data = Some((mode, budget));
    }

    /// Ends receiving: keys are wiped, and what still comes is ignored (RFC 9846, 6.1).
    pub(crate) fn close(&mut self) {
        self.open = None;
        self.joiner = Joiner::default();
        self.deframer.discard();
    }

    fn count_change_cipher_spec(&mut self) -> Result<(), Fault> {
        // RFC 9846, section 5: "before the first ClientHello message or after the peer's Finished
        // message, it MUST be treated as an unexpected record type".
        if !self.in_handshake {
            return Err(Fault::ChangeCipherSpec);
        }
        self.change_cipher_specs += 1;
        if self.change_cipher_specs > MAX_CHANGE_CIPHER_SPECS {
            return Err(Fault::TooMany {
                what: "ChangeCipherSpecs",
                limit: MAX_CHANGE_CIPHER_SPECS,
            });
        }
        Ok(())
    }
}

/// Returns true if the record with this fault is early data to skip, and charges it to the budget.
fn skips(skipping: &mut Option<(SkipMode, usize)>, fault: &Fault, header: &Header) -> bool {
    let Some((mode, budget)) = skipping else {
        return false;
    };
    let early = match mode {
        SkipMode::Trial => matches!(fault, Fault::BadRecordMac),
        // Without keys, the outer type is all there is to go by.
        SkipMode::OuterType => header.content_type == ContentType::APPLICATION_DATA,
    };
    // An empty record costs at least one byte of the budget, or there would be no end to them.
    match budget.checked_sub(header.length.max(1)) {
        Some(left) if early => {
            *budget = left;
            true
        }
        _ => false,
    }
}

/// ```text
/// struct {
///     AlertLevel level;
///     AlertDescription description;
/// } Alert;
/// ```
fn parse_alert(content: &[u8]) -> Result<AlertDescription, Fault> {
    let decode = |problem| {
        Err(Fault::Decode {
            message: "Alert",
            field: "description",
            problem,
        })
    };
    match content {
        // RFC 9846, section 6: "the level field can safely be ignored".
        [_level, description] => Ok(AlertDescription(*description)),
        [] => Err(Fault::EmptyFragment {
            content_type: ContentType::ALERT,
        }),
        [_] => decode(DecodeProblem::Truncated),
        // RFC 9846, 5.1: "a record with an Alert type MUST contain exactly one message".
        _ => decode(DecodeProblem::TrailingBytes),
    }
}
