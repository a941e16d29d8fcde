//! Pipes, made roomy.

use std::os::fd::AsFd;

/// What a pipe holds once grown: as much as the kernel allows without privilege.
pub(crate) const PIPE_BYTES: usize = 1 << 20;

/// Lets a pipe hold more, so that both ends switch less often. Does nothing to what is no pipe, or
/// where a limit forbids it: it is only for speed.
pub(crate) fn grow(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_grow_and_files_are_left_alone() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let before = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
        grow(&writer);
        assert!(rustix::pipe::fcntl_getpipe_size(&writer).unwrap() >= before);
        grow(tempfile::tempfile().unwrap());
    }
}
