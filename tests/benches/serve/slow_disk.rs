//! A slow disk: a commit takes 4 ms more. A library that is loaded before libc waits after each sync, in
//! this process, for which the bench is run again, and in the server's.

use std::env;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whatever is loaded before libc takes the place of its functions.
const PRELOAD: &str = "LD_PRELOAD";

const SYNC: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int slowly(int done) {
    struct timespec wait = {0, 4 * 1000 * 1000};
    nanosleep(&wait, 0);
    return done;
}

int fsync(int file) { return slowly(syscall(SYS_fsync, file)); }
int fdatasync(int file) { return slowly(syscall(SYS_fdatasync, file)); }
";

/// The variable that a process gets whose disk is to be slow; none if it is not.
pub(crate) fn variable() -> Option<(&'static str, PathBuf)> {
    let loaded = PathBuf::from(host::environment::lookup(PRELOAD)?);
    (loaded == library()).then_some((PRELOAD, loaded))
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("slow_disk.so")
}

/// Runs this bench again with the library, in place of this process, unless it runs with it already.
pub(crate) fn begin() {
    if variable().is_some() {
        return;
    }
    let mut compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-x", "c", "-", "-o"])
        .arg(library())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    compiler.stdin.take().unwrap().write_all(SYNC.as_bytes()).unwrap();
    assert!(compiler.wait().unwrap().success(), "the library can't be compiled");
    let mut again = Command::new(env::current_exe().unwrap());
    let error = again.args(env::args_os().skip(1)).env(PRELOAD, library()).exec();
    panic!("the bench can't be run again: {error}");
}
