//! The one place that prints. A reader that goes away (`limpid … | head`) is no error: what is
//! left to say is dropped, and work on files goes on.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// Writes a line to standard output.
pub(super) fn line(text: &str) {
    put(&mut io::stdout().lock(), text);
}

/// Writes a line to standard error. It stays one line, and moves no terminal, whatever characters
/// a file name in it has.
pub(super) fn error_line(text: &str) {
    put(&mut io::stderr().lock(), &tamed(text));
}

/// Text without control characters, which could break a line or move a terminal.
pub(super) fn tamed(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether a person watches standard error, where progress is drawn.
#[must_use]
pub(super) fn has_terminal() -> bool {
    io::stderr().is_terminal()
}

// `println!` panics when the reader is gone; there is nobody left to tell, so the result is dropped.
fn put(to: &mut impl Write, text: &str) {
    let _ =
        to.write_all(text.as_bytes()).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_a_line_or_move_the_terminal() {
        assert_eq!(
            tamed("no such file: a\nb\u{1b}[2Jc 写.jpg"),
            "no such file: a\\nb\\u{1b}[2Jc 写.jpg"
        );
    }
}
