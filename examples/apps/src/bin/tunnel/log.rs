//! Lines on standard error, without a time: journald and container runtimes add one.

/// Writes one line. Control characters, which could come from a peer, are escaped. A standard error
/// that is gone does not end the tunnel.
macro_rules! log {
    ($($part:tt)*) => { $crate::log::line(&format!($($part)*)) };
}
pub(crate) use log;

pub fn line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{}", escaped(text));
}

/// Escapes what is not printable, among it the characters that change the direction of writing.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => out.push(letter),
            _ => out.extend(letter.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(
            super::escaped("a \"b\" ü\n\x1b[1m"),
            "a \"b\" ü\\n\\u{1b}[1m"
        );
        assert_eq!(super::escaped("\u{202e}\u{2028}"), "\\u{202e}\\u{2028}");
    }
}
