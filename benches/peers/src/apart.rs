//! A stack in a program of its own, for its library defines the symbols of another's here.
//!
//! 1. It is started with this program's options, and says its name when it is ready.
//! 2. It is told a measure, by the name that stands in the table.
//! 3. It answers with the figures, with spaces between them. Then comes the next measure, or the
//!    end of its input.
//!
//! Each is a line. While it measures, this program waits: the rounds remain interleaved.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::harness::measure::Figures;

pub struct Apart {
    pub name: String,
    program: Child,
    answers: BufReader<ChildStdout>,
}

impl Apart {
    pub fn start(path: &Path) -> Self {
        let mut command = Command::new(path);
        command
            .args(env::args_os().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut program = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let answers = BufReader::new(program.stdout.take().expect("a pipe"));
        let mut apart = Self {
            name: path.display().to_string(),
            program,
            answers,
        };
        apart.name = apart.answer();
        apart
    }

    pub fn run(&mut self, measure: &str) -> Figures {
        let requests = self.program.stdin.as_mut().expect("a pipe");
        writeln!(requests, "{measure}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.answer()
            .split(' ')
            .map(|figure| figure.parse().expect("a number"))
            .collect()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        let count = self.answers.read_line(&mut line).expect("a line");
        assert!(count > 0, "{} ended early", self.name);
        line.trim_end().to_owned()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // At the end of its input it ends.
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}
