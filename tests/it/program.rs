//! The real binary: started with nothing but what a test gives it, and gone when the test is.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::wait::until;

/// A running program and what it has written.
#[derive(Debug)]
pub struct Program {
    child: Child,
    out: Written,
    err: Written,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// None where a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The lines of a stream up to now.
#[derive(Debug)]
struct Written {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts the exporter's binary with these arguments, in this environment alone.
    pub fn exporter<S: AsRef<str>>(args: &[S], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metaaccess-exporter"));
        command.args(args.iter().map(AsRef::as_ref));
        command.env_clear().envs(environment.iter().copied());
        Self::start(command)
    }

    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let out = Written::read(child.stdout.take().expect("a pipe"));
        let err = Written::read(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    pub fn out(&self) -> Vec<String> {
        self.out.lines()
    }

    pub fn err(&self) -> Vec<String> {
        self.err.lines()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(kill.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// Waits for its end and gives all it wrote.
    #[track_caller]
    pub fn end(mut self, limit: Duration) -> Ended {
        let status = until(limit, "the program ends", || {
            self.child.try_wait().expect("a child")
        });
        Ended {
            code: status.code(),
            out: self.out.all(),
            err: self.err.all(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Written {
    fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::default();
        let kept: Arc<Mutex<Vec<String>>> = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(text);
                line.clear();
            }
        });
        Self {
            lines,
            reader: Some(reader),
        }
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of it, once the stream has ended.
    fn all(&mut self) -> String {
        let ended = self.reader.take().map(JoinHandle::join);
        assert!(
            ended.is_none_or(|ended| ended.is_ok()),
            "a reader broke off"
        );
        self.lines().join("\n")
    }
}
