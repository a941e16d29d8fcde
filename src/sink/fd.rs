//! Descriptors that the program was started with: `fd:N`.

use std::ffi::OsStr;
use std::io::{self, IoSlice, Write};

use super::{Kind, Options, Scheme, Sink, SinkError, SinkWriter};
use crate::descriptor::Descriptor;

/// The scheme `fd:`.
#[derive(Debug)]
pub struct Fd;

impl Scheme for Fd {
    fn scheme(&self) -> &'static str {
        "fd"
    }

    fn summary(&self) -> &'static str {
        "fd:N, a descriptor that the shell opened, as by 3>file"
    }
}

impl Kind for Fd {
    fn sink(&self, number: &OsStr, options: Options) -> Result<Box<dyn Sink>, SinkError> {
        let descriptor = Descriptor::for_writing(number.as_encoded_bytes())?;
        if descriptor.is_terminal() && !options.force {
            return Err(SinkError::Terminal);
        }
        let name = match number.as_encoded_bytes() {
            b"1" => "standard output".to_owned(),
            number => format!("fd:{}", String::from_utf8_lossy(number)),
        };
        Ok(Box::new(FdSink {
            descriptor,
            name,
            sync: options.sync,
        }))
    }
}

#[derive(Debug)]
struct FdSink {
    descriptor: Descriptor,
    name: String,
    sync: bool,
}

impl Sink for FdSink {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for FdSink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.descriptor.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.descriptor.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for FdSink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let file = self.descriptor.file();
        if self.sync && file.metadata()?.is_file() {
            file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::tests::inherited;

    #[test]
    fn it_is_closed_at_the_end() {
        let (reader, writer) = io::pipe().unwrap();
        let number = inherited(&writer);
        drop(writer);
        let sink = Fd.sink(OsStr::new(&number), Options::default()).unwrap();
        assert_eq!(sink.name(), format!("fd:{number}"));
        let mut writer = sink.open().unwrap();
        writer.write_all(b"data").unwrap();
        writer.finish().unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "data");
    }

    #[test]
    fn one_that_is_not_open_is_refused_at_once() {
        let error = Fd
            .sink(OsStr::new("987654"), Options::default())
            .err()
            .unwrap();
        assert!(error.to_string().contains("987654 is not open"), "{error}");
    }
}
