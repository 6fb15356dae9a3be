//! Counters in Prometheus' text format (version 0.0.4), ready to be copied.

use std::fmt::Write;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use fleeting::Counters;

/// The labels of a source of counters, such as `[("listener", "public")]`. Prometheus adds `job`
/// and `instance` itself.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// Returns what Prometheus reads: the counters of one or more clients and servers, each with its
/// labels.
pub fn prometheus(sources: &[(Labels<'_>, Counters)]) -> String {
    let mut out = String::new();
    for family in FAMILIES {
        let Family { name, help, .. } = family;
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        write(&mut out, format_args!("# HELP {name} {help}\n"));
        write(&mut out, format_args!("# TYPE {name} {kind}\n"));
        for (labels, counters) in sources {
            for (own, value) in family.samples {
                let labels: Vec<_> = labels
                    .iter()
                    .chain(*own)
                    .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                    .collect();
                let labels = match labels.join(",") {
                    labels if labels.is_empty() => labels,
                    labels => format!("{{{labels}}}"),
                };
                let value = value(counters);
                write(&mut out, format_args!("{name}{labels} {value}\n"));
            }
        }
    }
    out
}

/// Returns a service with the route `/metrics`. Do not serve it to everybody.
pub fn routes(metrics: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    let answer = move || {
        let text = metrics();
        async move { ([(CONTENT_TYPE, content_type)], text) }
    };
    Router::new().route("/metrics", get(answer))
}

fn write(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = out.write_fmt(line);
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

type Value = fn(&Counters) -> u64;

/// A metric, and what distinguishes its samples.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: &'static [(Labels<'static>, Value)],
}

/// Samples share a metric if their sum means something.
const FAMILIES: &[Family] = &[
    Family {
        name: "fleeting_handshakes_begun_total",
        help: "Handshakes begun.",
        samples: &[(&[], |c| c.handshakes_begun)],
    },
    Family {
        name: "fleeting_handshakes_completed_total",
        help: "Complete handshakes, by how the peer was authenticated.",
        samples: &[
            (&[("kind", "full")], |c| c.handshakes_full),
            (&[("kind", "resumed")], |c| c.handshakes_resumed),
            (&[("kind", "psk")], |c| c.handshakes_psk),
        ],
    },
    Family {
        name: "fleeting_handshakes_failed_total",
        help: "Failed handshakes, by what to do about them.",
        samples: &[
            (&[("reason", "configuration")], |c| {
                c.handshakes_failed_configuration
            }),
            (&[("reason", "authentication")], |c| {
                c.handshakes_failed_authentication
            }),
            (&[("reason", "peer_fault")], |c| {
                c.handshakes_failed_peer_fault
            }),
            (&[("reason", "timeout")], |c| c.handshakes_failed_timeout),
            (&[("reason", "untouched")], |c| {
                c.handshakes_failed_untouched
            }),
            (&[("reason", "retryable")], |c| {
                c.handshakes_failed_retryable
            }),
            (&[("reason", "other")], |c| c.handshakes_failed_other),
        ],
    },
    Family {
        name: "fleeting_handshakes_abandoned_total",
        help: "Handshakes that this program gave up.",
        samples: &[(&[], |c| c.handshakes_abandoned)],
    },
    Family {
        name: "fleeting_early_data_total",
        help: "Complete handshakes with early data, by its outcome.",
        samples: &[
            (&[("outcome", "accepted")], |c| c.early_data_accepted),
            (&[("outcome", "rejected")], |c| c.early_data_rejected),
        ],
    },
    Family {
        name: "fleeting_replays_refused_total",
        help: "Early data rejected because it was seen before.",
        samples: &[(&[], |c| c.replays_refused)],
    },
    Family {
        name: "fleeting_tickets_issued_total",
        help: "Tickets that servers sent.",
        samples: &[(&[], |c| c.tickets_issued)],
    },
    Family {
        name: "fleeting_tickets_received_total",
        help: "Tickets that clients received.",
        samples: &[(&[], |c| c.tickets_received)],
    },
    Family {
        name: "fleeting_tickets_used_total",
        help: "Tickets that clients offered, or with which servers resumed a session.",
        samples: &[(&[], |c| c.tickets_used)],
    },
    Family {
        name: "fleeting_sent_records_total",
        help: "Records of application data sent.",
        samples: &[(&[], |c| c.records_sent)],
    },
    Family {
        name: "fleeting_sent_bytes_total",
        help: "Bytes of application data sent.",
        samples: &[(&[], |c| c.bytes_sent)],
    },
    Family {
        name: "fleeting_received_records_total",
        help: "Records of application data received.",
        samples: &[(&[], |c| c.records_received)],
    },
    Family {
        name: "fleeting_received_bytes_total",
        help: "Bytes of application data received.",
        samples: &[(&[], |c| c.bytes_received)],
    },
    Family {
        name: "fleeting_sent_key_updates_total",
        help: "Sending keys renewed.",
        samples: &[(&[], |c| c.key_updates_sent)],
    },
    Family {
        name: "fleeting_received_key_updates_total",
        help: "Keys that peers renewed.",
        samples: &[(&[], |c| c.key_updates_received)],
    },
    Family {
        name: "fleeting_sent_alerts_total",
        help: "Error alerts sent.",
        samples: &[(&[], |c| c.alerts_sent)],
    },
    Family {
        name: "fleeting_received_alerts_total",
        help: "Error alerts received.",
        samples: &[(&[], |c| c.alerts_received)],
    },
    Family {
        name: "fleeting_connections_open",
        help: "Connections that exist now, in handshake or after it.",
        samples: &[(&[], |c| c.connections_open)],
    },
    Family {
        name: "fleeting_connections_closed_total",
        help: "Connections that the peer closed with close_notify.",
        samples: &[(&[], |c| c.connections_closed)],
    },
    Family {
        name: "fleeting_connections_truncated_total",
        help: "Connections that were cut after the handshake.",
        samples: &[(&[], |c| c.connections_truncated)],
    },
    Family {
        name: "fleeting_connections_ended_total",
        help: "Connections that this side ended by a limit of time, or from outside.",
        samples: &[(&[], |c| c.connections_ended)],
    },
    Family {
        name: "fleeting_connections_failed_total",
        help: "Connections that failed in another way after the handshake.",
        samples: &[(&[], |c| c.connections_failed)],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Returns counters of which each has another value, from 1 on.
    fn all_different() -> Counters {
        let mut counters = Counters::default();
        let fields = [
            &mut counters.handshakes_begun,
            &mut counters.handshakes_full,
            &mut counters.handshakes_resumed,
            &mut counters.handshakes_psk,
            &mut counters.handshakes_failed_configuration,
            &mut counters.handshakes_failed_authentication,
            &mut counters.handshakes_failed_peer_fault,
            &mut counters.handshakes_failed_timeout,
            &mut counters.handshakes_failed_untouched,
            &mut counters.handshakes_failed_retryable,
            &mut counters.handshakes_failed_other,
            &mut counters.handshakes_abandoned,
            &mut counters.early_data_accepted,
            &mut counters.early_data_rejected,
            &mut counters.replays_refused,
            &mut counters.tickets_issued,
            &mut counters.tickets_received,
            &mut counters.tickets_used,
            &mut counters.records_sent,
            &mut counters.bytes_sent,
            &mut counters.records_received,
            &mut counters.bytes_received,
            &mut counters.key_updates_sent,
            &mut counters.key_updates_received,
            &mut counters.alerts_sent,
            &mut counters.alerts_received,
            &mut counters.connections_open,
            &mut counters.connections_closed,
            &mut counters.connections_truncated,
            &mut counters.connections_ended,
            &mut counters.connections_failed,
        ];
        for (value, field) in (1..).zip(fields) {
            *field = value;
        }
        counters
    }

    fn is_name(text: &str) -> bool {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.chars().all(valid) && !text.starts_with(|c: char| c.is_ascii_digit())
    }

    /// Reads the labels of a sample: `{name="value",...}` or nothing.
    fn labels(mut text: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let Some(inside) = text.strip_prefix('{') else {
            assert_eq!(text, "");
            return found;
        };
        text = inside;
        loop {
            let (name, rest) = text.split_once("=\"").expect("a label");
            assert!(is_name(name), "{name}");
            let (mut value, mut rest) = (String::new(), rest.chars());
            loop {
                match rest.next().expect("the end of a label") {
                    '"' => break,
                    '\\' => match rest.next().expect("an escaped character") {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        c => panic!("\\{c} means nothing"),
                    },
                    c => value.push(c),
                }
            }
            assert!(found.insert(name.to_owned(), value).is_none(), "{name}");
            text = rest.as_str();
            match text.chars().next() {
                Some(',') => text = &text[1..],
                _ => break,
            }
        }
        assert_eq!(text, "}");
        found
    }

    /// What `promtool check metrics` asks for. Returns the samples.
    fn check(text: &str) -> Vec<(String, BTreeMap<String, String>, u64)> {
        assert!(text.ends_with('\n'));
        let (mut samples, mut families) = (Vec::new(), BTreeSet::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let help = line.strip_prefix("# HELP ").expect("a family begins");
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(is_name(name) && !help.is_empty());
            assert!(families.insert(name), "{name} comes twice");
            let kind = lines.next().unwrap();
            let kind = kind.strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(kind == "counter" || kind == "gauge");
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                let (series, value) = sample.rsplit_once(' ').unwrap();
                let labels = labels(series.strip_prefix(name).expect("a sample of the family"));
                samples.push((name.to_owned(), labels, value.parse().unwrap()));
            }
        }
        let series: BTreeSet<_> = samples.iter().map(|(n, l, _)| (n, l)).collect();
        assert_eq!(series.len(), samples.len(), "a series comes twice");
        samples
    }

    #[test]
    fn every_counter_is_there_once() {
        let counters = all_different();
        let count = format!("{counters:?}").matches(": ").count();
        let mut values: Vec<_> = check(&prometheus(&[(&[], counters)]))
            .into_iter()
            .map(|(_, _, value)| usize::try_from(value).unwrap())
            .collect();
        values.sort();
        assert_eq!(values, (1..=count).collect::<Vec<_>>());
    }

    #[test]
    fn sources_are_told_apart() {
        let mut one = Counters::default();
        one.handshakes_psk = 5;
        let odd = "a \"b\" \\ c\nd";
        let text = prometheus(&[
            (&[("listener", odd), ("role", "server")], one),
            (&[("listener", "two"), ("role", "client")], all_different()),
        ]);
        let samples = check(&text);
        assert_eq!(samples.len() % 2, 0);
        let found = samples
            .iter()
            .find(|(_, labels, value)| {
                labels["listener"] == odd
                    && labels.get("kind").is_some_and(|kind| kind == "psk")
                    && *value == 5
            })
            .unwrap();
        assert_eq!(found.0, "fleeting_handshakes_completed_total");
        let of_two = "{listener=\"two\",role=\"client\",kind=\"psk\"} 4\n";
        assert!(text.contains(&format!("\nfleeting_handshakes_completed_total{of_two}")));
    }
}
