//! Alerts that we send: the last this side says (RFC 9846, section 6).

use crate::code_point::{AlertDescription, ContentType};
use crate::connection::notice::Notice;
use crate::connection::send::sender::Sender;

impl Sender {
    /// Sends `alerts`, the last that this side sends, and wipes the keys.
    ///
    /// RFC 9846, 5.1: each alert has a record of its own. 6: close_notify and user_canceled are
    /// warnings, all others are fatal.
    pub(crate) fn end(&mut self, alerts: &[AlertDescription]) {
        // RFC 9846, A.1: clients that send alerts "SHOULD first rekey to the handshake keys if
        // possible". A server that does not know these keys yet reads no early data either, or will
        // report that a record does not open.
        if self.deferred.is_some() {
            self.end_early_data();
        }
        // RFC 9846, section 6: with a fatal alert the peer forgets its tickets.
        if alerts != [AlertDescription::CLOSE_NOTIFY] {
            self.tickets.clear();
        }
        self.note(|out| {
            out.flush_messages()?;
            // In halves, the finish of an extended key update may still be owed.
            if out.extended.is_some()
                && out.key_updates.owed()
                && alerts == [AlertDescription::CLOSE_NOTIFY]
            {
                out.send_extended()?;
            }
            out.flush()?;
            out.send_tickets()?;
            if !alerts.is_empty() {
                out.send_owed_change_cipher_spec()?;
            }
            let Some(seal) = &mut out.seal else {
                return Ok(());
            };
            for alert in alerts {
                let warning = matches!(
                    *alert,
                    AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED
                );
                seal.seal(
                    ContentType::ALERT,
                    &[if warning { 1 } else { 2 }, alert.0],
                    0,
                    &mut out.records,
                )?;
                out.observer.saw(Notice::AlertSent(*alert));
            }
            Ok(())
        });
        self.seal = None;
        if let Some(extended) = self.extended.take() {
            extended.stop_sending();
        }
        self.running = None;
        self.records.wipe_draft();
        self.rest();
        self.early_data_left = None;
        self.messages = Vec::new();
        self.tickets.clear();
    }
}
